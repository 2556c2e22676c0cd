/* Allocations that fail, each one once: a test runs a public function again and again, and in round k its k-th
 * allocation fails, until a round needs fewer.
 *
 *     for (struct fail_alloc f = {0}; fail_alloc_next(&f);) {
 *             struct trace_reader *r = …;                            nothing fails yet
 *             fail_alloc_arm(&f);
 *             bool good = trace_get_text(r, "machine", &text, &f.error);
 *             fail_alloc_judge(&f, good);                            nothing fails any more
 *             …                                                      a later call works; then give everything back
 *     }
 *
 * fail_alloc_judge checks that a call without a failure succeeds, and that one with a failure answers it and says so in
 * `error`, not as damage of a file. fail_alloc_next checks that nothing of the round is left: memory that our objects
 * took, sqlite's memory, file descriptors. Allocations are those of our own objects (the linker's --wrap), those inside
 * of lz4, zstd, zlib and xxhash as far as they fail visibly, and sqlite's, if asked for. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>

struct fail_alloc {
	bool tolerates; /* the function may succeed, and rightly, though an allocation failed */
	bool silent;    /* it fills no error */
	bool sqlite;    /* sqlite's allocations fail too: each of the first ones, then fewer and fewer of thousands */
	struct error error;
	size_t round;
	bool injected; /* in this round one failed */
	size_t live, sqlite_bytes, descriptors;
};

/* All rounds with our own allocations, where each is needed, then rounds with sqlite's, which needs not all. */
#define FAIL_ALLOC_BOTH(f)                                                                                             \
	for (int sqlite_too = 0; sqlite_too < 2; sqlite_too++)                                                         \
		for (struct fail_alloc f = {.sqlite = sqlite_too, .tolerates = sqlite_too}; fail_alloc_next(&f);)

/* Begins the next round; false: the last round had no failure. */
bool fail_alloc_next(struct fail_alloc *f);
void fail_alloc_arm(struct fail_alloc *f);
void fail_alloc_judge(struct fail_alloc *f, bool good);
