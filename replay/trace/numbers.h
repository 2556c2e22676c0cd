/* The numbers that monitor commands and the offline commands take: whole text or nothing. All return false, with *value
 * as it was, for what is not one. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Decimal, or hexadecimal with 0x; '_' may stand between digits: 1_000_000. */
bool numbers_value(const char *text, uint64_t *value);

/* The same with an optional k, M or G (powers of 1000), as --max-instructions takes it. */
bool numbers_count(const char *text, uint64_t *value);

/* A decimal number with up to nine digits after the point, in billionths: "1.5" is 1500000000. */
bool numbers_billionths(const char *text, uint64_t *value);

/* "12.5%", up to 100%; a ratio of 0 to 1. */
bool numbers_percent(const char *text, double *ratio);

/* "FROM..TO" with both ends included, each as `number` reads it; FROM is not above TO. */
bool numbers_range(const char *text, bool (*number)(const char *text, uint64_t *value), uint64_t *from, uint64_t *to);
