/* How gdb's steps are made. */
#include "replay/debugger/monitor_session.h"
#include "replay/trace/words.h"

#include <string.h>

bool monitor_steps(struct monitor *monitor, const char *argument)
{
	const char *how = words_after(argument, "interrupts");
	bool on = how && strcmp(how, "on") == 0;
	if (*argument && (!how || (*how && !on && strcmp(how, "off") != 0)))
		return monitor_fail(monitor, "steps interrupts on, or steps interrupts off\n");
	if (how && *how)
		gdbstub_set_steps_into_interrupts(monitor->stub, on);
	monitor_print(monitor, "steps %s interrupt handlers\n",
		      gdbstub_steps_into_interrupts(monitor->stub) ? "go into" : "pass over");
	return true;
}
