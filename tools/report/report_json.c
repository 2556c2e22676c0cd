/* Strings for the page's data: valid UTF-8 and safe inside <script>, whatever the trace holds. */
#include "tools/report/report_json.h"

#include <inttypes.h>
#include <string.h>

/* How many bytes the UTF-8 character at `at` has (Unicode 15, table 3-7); 0 if there is none. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
	uint8_t first = at[0], low = 0x80, high = 0xbf;
	size_t length = first < 0x80   ? 1
			: first < 0xc2 ? 0
			: first < 0xe0 ? 2
			: first < 0xf0 ? 3
			: first < 0xf5 ? 4
				       : 0;
	if (length > left)
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < length; i++) {
		if (at[i] < low || at[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return length;
}

void report_json_bytes(FILE *out, const void *text, size_t bytes)
{
	const uint8_t *at = text;
	fputc('"', out);
	while (bytes > 0) {
		size_t length = utf8_length(at, bytes), used = length > 0 ? length : 1;
		if (length == 0)
			fputs("\xef\xbf\xbd", out);
		else if (*at == '"' || *at == '\\')
			fprintf(out, "\\%c", *at);
		else if (*at < ' ' || *at == 0x7f || *at == '<')
			fprintf(out, "\\u%04x", (unsigned)*at);
		else
			fwrite(at, 1, length, out);
		at += used;
		bytes -= used;
	}
	fputc('"', out);
}

void report_json_text(FILE *out, const char *text)
{
	if (text)
		report_json_bytes(out, text, strlen(text));
	else
		fputs("null", out);
}
