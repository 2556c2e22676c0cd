/* The cursor over a packet's arguments. */
#include "gdbstub/args.h"

#include <string.h>

enum { HEX_DIGIT_COUNT_MAX = 16, NO_DIGIT = 16 };

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return NO_DIGIT;
}

static void skip(struct args *args, size_t count)
{
	args->at += count;
	args->left -= count;
}

static void fail(struct args *args)
{
	args->failed = true;
	skip(args, args->left);
}

bool args_done(const struct args *args)
{
	return !args->failed && args->left == 0;
}

bool args_accept(struct args *args, char c)
{
	if (args->left == 0 || *args->at != c)
		return false;
	skip(args, 1);
	return true;
}

bool args_word(struct args *args, const char *word)
{
	const size_t count = strlen(word);

	if (args->left < count || memcmp(args->at, word, count) != 0)
		return false;
	skip(args, count);
	return true;
}

void args_expect(struct args *args, char c)
{
	if (!args_accept(args, c))
		fail(args);
}

uint64_t args_hex(struct args *args)
{
	uint64_t value = 0;
	size_t count = 0;

	while (count < args->left && count <= HEX_DIGIT_COUNT_MAX && digit_value(args->at[count]) != NO_DIGIT)
		value = value << 4 | digit_value(args->at[count++]);
	if (count == 0 || count > HEX_DIGIT_COUNT_MAX) {
		fail(args);
		return 0;
	}
	skip(args, count);
	return value;
}

int64_t args_thread(struct args *args)
{
	if (args_word(args, "-1"))
		return ARGS_THREAD_ALL;
	const uint64_t id = args_hex(args);
	if (id > INT32_MAX) {
		fail(args);
		return ARGS_THREAD_ANY;
	}
	return (int64_t)id;
}

void args_hex_bytes(struct args *args, void *bytes, size_t count)
{
	uint8_t *to = bytes;

	if (args->left / 2 < count) {
		fail(args);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const unsigned high = digit_value(args->at[2 * i]), low = digit_value(args->at[2 * i + 1]);

		if (high == NO_DIGIT || low == NO_DIGIT) {
			fail(args);
			return;
		}
		to[i] = (uint8_t)(high << 4 | low);
	}
	skip(args, 2 * count);
}

size_t args_binary(struct args *args, void *bytes, size_t max)
{
	uint8_t *to = bytes;
	size_t count = 0;

	while (args->left > 0) {
		const bool is_escape = args_accept(args, '}');

		if (args->left == 0 || count == max) {
			fail(args);
			return 0;
		}
		to[count++] = (uint8_t)((uint8_t)*args->at ^ (is_escape ? 0x20 : 0));
		skip(args, 1);
	}
	return count;
}

struct args args_until(struct args *args, char end)
{
	const char *stop = args->left > 0 ? memchr(args->at, end, args->left) : NULL;
	const size_t count = stop ? (size_t)(stop - args->at) : args->left;
	const struct args part = {args->at, count, args->failed};

	skip(args, stop ? count + 1 : count);
	return part;
}

bool args_equal(const struct args *args, const char *word)
{
	return args->left == strlen(word) && memcmp(args->at, word, args->left) == 0;
}
