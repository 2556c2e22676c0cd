/* A list of symbols: filled from a kernel's tables or a System.map, sorted, and written as an ELF by symbol_elf.
 *
 * 1. `names` is an ELF string table: it begins with a NUL, and each name ends with one.
 * 2. After a failed symbols_add the list stays valid, without the new symbol. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>
#include <stdint.h>

enum { SYMBOLS_NAME_BYTES_MAX = 1024 };

struct symbol {
	uint64_t va;
	uint32_t name; /* offset in `names` */
	char type;     /* as nm prints it: t and T are functions */
};

struct symbols {
	struct symbol *at;
	char *names;
	size_t count, room;
	size_t names_bytes, names_room;
};

/* Appends a symbol; `name` need not end with a NUL. False: out of memory, or a name of more than
 * SYMBOLS_NAME_BYTES_MAX bytes. */
bool symbols_add(struct symbols *symbols, uint64_t va, char type, const char *name, size_t name_bytes,
		 struct error *error);
/* Sorts by address; symbols at one address stay in the order they were added. Cannot fail. */
void symbols_sort(struct symbols *symbols);
/* Appends what a System.map says (nm's text: address, type, name), each address but absolute ones moved so that
 * `_text` is at `text_va`. `path` is for errors. False: a line that is none, or no `_text`; error set. */
bool symbols_add_system_map(struct symbols *symbols, const char *text, uint64_t text_va, const char *path,
			    struct error *error);
void symbols_free(struct symbols *symbols);
