/* Texts that may hold anything, as the formats want them: JSON strings (RFC 8259), CSV fields (RFC 4180). The caller
 * looks whether `to` has failed. */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* Writes `text`, or `bytes` bytes of it, as a string, quotes included. What is no valid UTF-8 becomes U+FFFD. */
void output_text_json(FILE *to, const char *text);
void output_text_json_bytes(FILE *to, const char *text, size_t bytes);

/* Writes `text` as a field, in quotes if it needs them. */
void output_text_csv(FILE *to, const char *text);
