/* Replaying for a debugger: hv obeys the host's commands (enum hv_command) instead of running to the end. */
#pragma once

/* Makes the CPU and hv what the guest state in the mailbox says; RAM is as that state needs it already. */
void service_resume(void);
/* Serves for ever. */
_Noreturn void service_run(void);
