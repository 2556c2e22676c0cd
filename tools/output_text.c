/* In JSON, DEL is escaped too: terminals act upon it. */
#include "tools/output_text.h"
#include "replay/trace/utf8_text.h"

#include <string.h>

void output_text_json_bytes(FILE *to, const char *text, size_t bytes)
{
	fputc('"', to);
	for (size_t at = 0; at < bytes;) {
		size_t length = utf8_text_length(text + at, bytes - at);
		unsigned char byte = (unsigned char)text[at];
		if (length == 0)
			fputs(UTF8_TEXT_REPLACEMENT, to);
		else if (byte == '"' || byte == '\\')
			fprintf(to, "\\%c", byte);
		else if (byte < ' ' || byte == 0x7f)
			fprintf(to, "\\u%04x", byte);
		else
			fwrite(text + at, 1, length, to);
		at += length > 0 ? length : 1;
	}
	fputc('"', to);
}

void output_text_json(FILE *to, const char *text)
{
	output_text_json_bytes(to, text, strlen(text));
}

void output_text_csv(FILE *to, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, to);
		return;
	}
	fputc('"', to);
	for (; *text; text++)
		fprintf(to, *text == '"' ? "\"\"" : "%c", *text);
	fputc('"', to);
}
