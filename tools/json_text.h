/* JSON strings (RFC 8259). */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* Writes `bytes` bytes of `text` as a string, quotes included. What is no valid UTF-8 becomes U+FFFD. The caller checks
 * ferror. */
void json_text_put(FILE *to, const char *text, size_t bytes);
