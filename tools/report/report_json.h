/* JSON as the report's page holds it: inside a <script> element, so that no text of a trace may end that element.
 * Output goes to a stream; whether it was written is asked once, of the stream. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A string with its quotes. `text` may hold any bytes: what is not UTF-8 becomes U+FFFD, one for each byte; control
 * characters, quotes, backslashes and '<' are escaped. Cannot fail. */
void report_json_bytes(FILE *out, const void *text, size_t bytes);
/* The same for a NUL-terminated string; null for NULL. */
void report_json_text(FILE *out, const char *text);
