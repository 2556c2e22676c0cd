/* Replaying for a debugger: hv obeys the host's commands (enum hv_command) instead of running to the end. */
#pragma once

/* Serves for ever. */
_Noreturn void service_run(void);
