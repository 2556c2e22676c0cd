/* Texts that may hold anything as fields of CSV (RFC 4180). The caller looks whether `to` has failed. */
#pragma once
#include <stdio.h>

/* Writes `text` as a field, in quotes if it needs them. */
void output_csv_field(FILE *to, const char *text);
