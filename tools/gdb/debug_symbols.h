/* Which symbols gdb loads for a trace, and how far from their own addresses. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>
#include <stdint.h>

/* The files of the user, and the guest's own. */
enum { DEBUG_SYMBOLS_FILES_MAX = 63, DEBUG_SYMBOLS_MAX };

struct debug_symbols {
	struct {
		const char *path;
		uint64_t offset; /* modulo 2^64 */
	} at[DEBUG_SYMBOLS_MAX];
	size_t count;
};

/* What the user names. */
struct debug_symbols_files {
	const char *at[DEBUG_SYMBOLS_FILES_MAX];
	size_t count;
};

/* Adds the files of the user, each with the offset at which the guest has it: KASLR for a kernel, the load offset for a
 * position-independent payload, where its beginning is in a flat image, none for what else there is. Adds `made` in
 * front, having written it, if none of them is the guest's own program: the payload out of the trace, or the kernel's
 * kallsyms as an ELF. Paths stay the caller's. False: a file is no ELF for AArch64, or the trace cannot be read. A
 * kernel without kallsyms, or one that cannot be located when nothing needs it, is no failure: `note` says so, or is
 * empty. */
bool debug_symbols_find(struct debug_symbols *symbols, const char *trace, const struct debug_symbols_files *files,
			const char *made, struct error *note, struct error *error);
