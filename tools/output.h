/* What the offline commands print: the formats, the terminal's width, and standard output's end. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>

enum output_format { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV };

/* Reads the value of --format; csv only if `csv`. False: it is none; error set. */
bool output_format(const char *text, bool csv, enum output_format *format, struct error *error);

/* Columns of the terminal on standard output; 0: it is no terminal. */
size_t output_width(void);

/* Whether standard output still takes what is printed: false after the first failure. */
bool output_good(void);

/* Ends the output. A reader that has closed the pipe is no failure. False: it could not be written; error set. */
bool output_end(struct error *error);
