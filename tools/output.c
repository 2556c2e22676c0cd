/* Standard output is stdio's, whose error is sticky; its cause is errno at the failure, so output_good is asked often
 * and keeps it. */
#include "tools/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int failure; /* errno of the first write that failed */

bool output_format(const char *text, bool csv, enum output_format *format, struct error *error)
{
	static const char *const names[] = {"text", "json", "csv"};
	for (int i = OUTPUT_TEXT; i <= (csv ? OUTPUT_CSV : OUTPUT_JSON); i++) {
		if (strcmp(text, names[i]) == 0) {
			*format = (enum output_format)i;
			return true;
		}
	}
	return error_set(error, STATUS_FAILED, "--format %s is none of text, json%s", text, csv ? ", csv" : "");
}

size_t output_width(void)
{
	struct winsize size = {0};
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool output_good(void)
{
	if (failure == 0 && ferror(stdout))
		failure = errno != 0 ? errno : EIO;
	return failure == 0;
}

bool output_end(struct error *error)
{
	if (output_good() && fflush(stdout) != 0)
		failure = errno != 0 ? errno : EIO;
	if (failure == 0 || failure == EPIPE)
		return true;
	return error_set(error, STATUS_FAILED, "cannot write to standard output: %s", strerror(failure));
}
