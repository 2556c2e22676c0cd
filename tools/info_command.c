/* hvrec info: what a trace holds, as text or JSON. */
#include "tools/commands.h"
#include "storage/trace.h"

void info_command(int argc, char **argv, struct error *error)
{
	(void)argc;
	(void)argv;
	(void)error;
}
