/* Nothing here depends on the locale. */
#include "replay/trace/numbers.h"

#include <string.h>

enum { PART_BYTES = 64, FRACTION_DIGITS = 9 };
#define BILLION UINT64_C(1000000000)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The value of a hexadecimal digit; 16: it is none. */
static unsigned digit_value(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10 : 16;
}

/* strtoull takes blanks, signs and octal, and no '_' between digits. */
static bool digits(const char *text, const char **end, uint64_t *value)
{
	bool hexadecimal = (strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0) && digit_value(text[2]) < 16;
	unsigned base = hexadecimal ? 16 : 10;
	uint64_t number = 0;
	if (!is_digit(*text))
		return false;
	for (text += hexadecimal ? 2 : 0; digit_value(*text) < base; text++) {
		unsigned digit = digit_value(*text);
		if (number > (UINT64_MAX - digit) / base)
			return false;
		number = number * base + digit;
		if (text[1] == '_' && digit_value(text[2]) < base)
			text++;
	}
	*end = text;
	*value = number;
	return true;
}

bool numbers_value(const char *text, uint64_t *value)
{
	const char *end;
	uint64_t number;
	if (!digits(text, &end, &number) || *end)
		return false;
	*value = number;
	return true;
}

bool numbers_count(const char *text, uint64_t *value)
{
	const char *end;
	uint64_t number, factor = 1;
	if (!digits(text, &end, &number))
		return false;
	if (*end == 'k' || *end == 'K')
		factor = 1000;
	else if (*end == 'm' || *end == 'M')
		factor = 1000000;
	else if (*end == 'g' || *end == 'G')
		factor = BILLION;
	if (end[factor != 1] || number > UINT64_MAX / factor)
		return false;
	*value = number * factor;
	return true;
}

bool numbers_billionths(const char *text, uint64_t *value)
{
	uint64_t whole = 0, fraction = 0, unit = BILLION;
	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++) {
		if (whole > UINT64_MAX / BILLION / 10 - 1)
			return false;
		whole = whole * 10 + (uint64_t)(*text - '0');
	}
	if (*text == '.') {
		text++;
		for (size_t i = 0; is_digit(*text) && i < FRACTION_DIGITS; i++, text++) {
			unit /= 10;
			fraction += (uint64_t)(*text - '0') * unit;
		}
	}
	if (*text)
		return false;
	*value = whole * BILLION + fraction;
	return true;
}

/* The part of `text` before `end`; false if it does not fit. */
static bool part_copy(const char *text, const char *end, char part[PART_BYTES])
{
	size_t length = (size_t)(end - text);
	if (length >= PART_BYTES)
		return false;
	memcpy(part, text, length);
	part[length] = 0;
	return true;
}

bool numbers_percent(const char *text, double *ratio)
{
	const char *sign = strchr(text, '%');
	char part[PART_BYTES];
	uint64_t value;
	if (!sign || sign[1] || !part_copy(text, sign, part) || !numbers_billionths(part, &value) ||
	    value > 100 * BILLION)
		return false;
	*ratio = (double)value / (100 * (double)BILLION);
	return true;
}

bool numbers_range(const char *text, bool (*number)(const char *text, uint64_t *value), uint64_t *from, uint64_t *to)
{
	const char *dots = strstr(text, "..");
	char part[PART_BYTES];
	uint64_t first, last;
	if (!dots || !part_copy(text, dots, part) || !number(part, &first) || !number(dots + 2, &last) || first > last)
		return false;
	*from = first;
	*to = last;
	return true;
}
