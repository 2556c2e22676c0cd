/* What the offline commands print: the formats, the terminal's width, and standard output's end. */
#pragma once
#include "tools/options.h"

enum output_format { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV };

/* The value of --format, an enum output_format: text or json; or csv too. */
option_take output_format, output_format_csv;

/* Columns of the terminal on standard output; 0: it is no terminal. */
size_t output_width(void);

/* Whether standard output still takes what is printed: false after the first failure. */
bool output_good(void);

/* Ends the output. A reader that has closed the pipe is no failure. False: it could not be written; error set. */
bool output_end(struct error *error);
