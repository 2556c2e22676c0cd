/* What the offline commands print: the formats, the terminal's width, JSON texts, and standard output's end. */
#pragma once
#include "hv/host/error.h"
#include <stddef.h>

enum output_format { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV };

/* Reads the value of --format; csv only if `csv`. False: it is none; error set. */
bool output_format(const char *text, bool csv, enum output_format *format, struct error *error);

/* Columns of the terminal on standard output; 0: it is no terminal. */
size_t output_width(void);

/* Prints `text` as a JSON string, quotes included (RFC 8259): what is not UTF-8 becomes U+FFFD. Cannot fail. */
void output_json_text(const char *text);

/* Whether standard output still takes what is printed: false after the first failure. */
bool output_good(void);

/* Ends the output. A reader that has closed the pipe is no failure. False: it could not be written; error set. */
bool output_end(struct error *error);
