/* gdb's `monitor` commands on a timeline. */
#pragma once
#include "gdbstub/gdbstub.h"
#include "replay/travel/timeline.h"

/* Carries out one line; prints to the stub. False: it was wrong or failed, and what was wrong is printed. */
bool monitor_command(struct timeline *timeline, struct gdbstub *stub, const char *line);
