/* Bare-metal ELF programs: static, or static and position-independent. */
#pragma once
#include "recorder/load/layout.h"

/* Loads an ELF64 little-endian AArch64 program into zeroed `ram` and fills the layout's kind, entry_ipa, kernel_ipa,
 * kernel_bytes and load_offset. ET_EXEC goes to its segments' physical addresses. ET_DYN goes to GUEST_RAM_IPA + 2 MiB,
 * or where it is linked if that is at or above GUEST_RAM_IPA, and its RELATIVE relocations (RELA and RELR) are applied.
 * Returns false with `error` set for anything malformed, for another machine, that needs a dynamic linker or other
 * relocations, or whose segments overlap or are outside RAM.
 * Source: System V ABI, chapters 4 and 5; ELF for the Arm 64-bit Architecture (AAELF64), RELR in the generic ABI. */
bool elf_load(const struct guest_file *file, const struct guest_ram *ram, struct guest_layout *layout,
	      struct error *error);
