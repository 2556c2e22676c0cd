/* A packet's arguments, read by a length-checked cursor. Sticky: after the first mistake (a missing digit, a wrong
 * separator, the end) everything reads as zero and args_done is false, so that a handler checks once, at its end. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct args {
	const char *at;
	size_t left;
	bool failed;
};

/* A thread-id without process, as in the manual: -1 all, 0 any, otherwise a thread's index + 1. */
enum { ARGS_THREAD_ALL = -1, ARGS_THREAD_ANY = 0 };

bool args_done(const struct args *args);             /* Nothing failed and nothing is left. */
bool args_accept(struct args *args, char c);         /* Takes `c` if it is next. */
bool args_word(struct args *args, const char *word); /* Takes `word` if it is next. */
void args_expect(struct args *args, char c);         /* Fails if `c` is not next. */
uint64_t args_hex(struct args *args);                /* 1 to 16 digits, and no digit after them. */
int64_t args_thread(struct args *args);              /* ARGS_THREAD_ALL, _ANY or an index + 1. */

/* Takes exactly `count` bytes that are written as two hexadecimal digits each. */
void args_hex_bytes(struct args *args, void *bytes, size_t count);

/* Takes all that is left, escaped by } (the manual's "Overview", binary data), into at most `max` bytes; returns how
 * many. More than `max`, or an escape without its byte, is a failure. */
size_t args_binary(struct args *args, void *bytes, size_t max);

/* Takes the characters up to `end` or the end of the packet, without `end`, which is skipped. */
struct args args_until(struct args *args, char end);

/* Whether the rest is exactly `word`. */
bool args_equal(const struct args *args, const char *word);
