/* Standard output is stdio's, whose error is sticky; its cause is errno at the failure, so output_good is asked often
 * and keeps it. */
#include "tools/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int failure; /* errno of the first write that failed */

/* One of the first `count` formats. */
static bool format_take(int count, const char *option, const char *text, void *into, struct error *error)
{
	static const char *const names[] = {[OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", [OUTPUT_CSV] = "csv"};
	for (int i = 0; i < count; i++) {
		if (strcmp(text, names[i]) == 0) {
			*(enum output_format *)into = (enum output_format)i;
			return true;
		}
	}
	return error_set(error, STATUS_FAILED, "%s %s is none of text, json%s", option, text,
			 count > OUTPUT_CSV ? ", csv" : "");
}

bool output_format(const char *option, const char *text, void *into, struct error *error)
{
	return format_take(OUTPUT_CSV, option, text, into, error);
}

bool output_format_csv(const char *option, const char *text, void *into, struct error *error)
{
	return format_take(OUTPUT_CSV + 1, option, text, into, error);
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
