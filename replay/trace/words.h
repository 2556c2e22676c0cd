/* Words of a command's line. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* If `text` begins with `word` and ends or goes on with a blank there: what follows the blanks. Else NULL. */
const char *words_after(const char *text, const char *word);

/* Copies `text` without blanks at either end. False: it is longer than `bytes` - 1. */
bool words_trim(const char *text, char *trimmed, size_t bytes);
