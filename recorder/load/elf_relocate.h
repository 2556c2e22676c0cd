/* Relocations of a static position-independent program. */
#pragma once
#include "recorder/load/elf_file.h"

/* Applies the relocations of a program whose segments are in RAM. Returns false, with the error set, for tables that
 * are malformed, and for relocations of another type than R_AARCH64_RELATIVE or outside the segments. */
bool elf_relocate(const struct elf_file *elf);
