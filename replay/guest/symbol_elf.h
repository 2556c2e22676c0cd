/* Symbols as an ELF file for debuggers: names and addresses, no contents. */
#pragma once
#include "replay/guest/symbols.h"

/* Writes sorted `symbols` as an ELF64 AArch64 executable (AAELF64) with a symbol table and, for each run of functions
 * or of data, a section without contents (NOBITS), so that gdb knows what the addresses between are. A symbol's size is
 * the distance to the next higher one. False: nothing to write, or the file cannot be written; error set. */
bool symbol_elf_write(const struct symbols *symbols, const char *path, struct error *error);
