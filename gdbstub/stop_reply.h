/* Stop replies (GDB manual, "Stop Reply Packets"). */
#pragma once
#include "gdbstub/stub.h"

/* Adds the reply for stub->stop: T with the thread, the reason as far as the client knows it, and the registers that
 * gdb asks for at every stop (x29, sp, pc); or W. */
void stop_reply_put(struct gdbstub *stub, struct text *reply);
