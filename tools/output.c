/* Standard output is stdio's, whose error is sticky; its cause is errno at the failure, so output_good is asked often
 * and keeps it. */
#include "tools/output.h"

#include <errno.h>
#include <stdint.h>
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

/* Bytes of the UTF-8 sequence at `text`; 0: it is none (RFC 3629: no overlong form, no surrogate, at most U+10FFFF). */
static size_t utf8_bytes(const unsigned char *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t bytes = *text < 0x80 ? 1 : *text >> 5 == 6 ? 2 : *text >> 4 == 14 ? 3 : *text >> 3 == 30 ? 4 : 0;
	uint32_t code = bytes > 1 ? *text & (0x7fu >> bytes) : *text;
	for (size_t i = 1; i < bytes; i++) {
		if (text[i] >> 6 != 2)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	bool surrogate = code >= 0xd800 && code <= 0xdfff;
	return bytes != 0 && code >= least[bytes] && code <= 0x10ffff && !surrogate ? bytes : 0;
}

void output_json_text(const char *text)
{
	putchar('"');
	for (const unsigned char *at = (const unsigned char *)text; *at;) {
		size_t bytes = utf8_bytes(at);
		if (bytes == 0)
			fputs("\\ufffd", stdout);
		else if (*at == '"' || *at == '\\')
			printf("\\%c", *at);
		else if (*at < 0x20 || *at == 0x7f)
			printf("\\u%04x", *at);
		else
			fwrite(at, 1, bytes, stdout);
		at += bytes == 0 ? 1 : bytes;
	}
	putchar('"');
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
