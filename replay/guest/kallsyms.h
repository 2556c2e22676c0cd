/* A Linux kernel's own symbol tables, found in its image without any symbol to begin from.
 *
 * The image is only read inside its bounds, and nothing in it is trusted: what is found has passed a check of every
 * table against the others. Tables as scripts/kallsyms.c of Linux 4.20 and later writes them for a 64-bit
 * little-endian kernel with CONFIG_KALLSYMS_BASE_RELATIVE and without absolute per-CPU symbols, as arm64 is:
 *
 *	up to 6.3   offsets, relative_base, num_syms, names, markers, [seqs_of_names], token_table, token_index
 *	from 6.4    num_syms, names, markers, token_table, token_index, offsets, relative_base, [seqs_of_names] */
#pragma once
#include "replay/guest/symbols.h"

/* Where the tables are, as offsets in the image. */
struct kallsyms {
	const uint8_t *image;
	size_t image_bytes;
	uint32_t symbol_count;
	size_t offsets, relative_base, names, token_table, token_index;
};

/* False: the image has no such tables (CONFIG_KALLSYMS is off, or it is no kernel). `image` must outlive `kallsyms`. */
bool kallsyms_find(const void *image, size_t image_bytes, struct kallsyms *kallsyms);

/* Appends all symbols. `relative_base` is the value that the table of that name has in the running kernel: a
 * relocatable image leaves it to the relocation. False: a name that cannot be, or out of memory; error set. */
bool kallsyms_decode(const struct kallsyms *kallsyms, uint64_t relative_base, struct symbols *symbols,
		     struct error *error);
