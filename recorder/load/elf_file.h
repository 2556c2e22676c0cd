/* An ELF program while it is loaded: what elf.c has read of it, for elf_relocate.c. */
#pragma once
#include "recorder/load/layout.h"
#include <gelf.h>

enum { ELF_FILE_SEGMENTS_MAX = 64 };

struct elf_file_segment {
	uint64_t ipa;
	uint64_t va;
	uint64_t bytes; /* of memory, never 0 */
	const void *file_data;
	uint64_t file_bytes; /* at most bytes */
};

struct elf_file {
	const struct guest_file *file;
	const struct guest_ram *ram;
	struct error *error;
	Elf *handle; /* libelf's; NULL before it has opened the file */
	GElf_Ehdr header;
	uint64_t bias; /* ET_DYN: from the file's addresses to the guest's */
	struct elf_file_segment segment[ELF_FILE_SEGMENTS_MAX];
	size_t segment_count;
	uint64_t dynamic_offset, dynamic_bytes;
};

/* Sets the error, with the file's name in front. Always returns false. */
__attribute__((format(printf, 2, 3))) bool elf_file_refuse(const struct elf_file *elf, const char *format, ...);
/* The same for a program that wants a dynamic linker. */
bool elf_file_refuse_dynamic(const struct elf_file *elf);

/* A piece of the file as elements of `type`, valid as long as the handle; NULL if it is not all inside the file. */
Elf_Data *elf_file_piece(const struct elf_file *elf, uint64_t offset, uint64_t bytes, Elf_Type type);

/* Whether `value` is in [start, start + bytes), for any values. Cannot fail. */
static inline bool elf_file_is_inside(uint64_t value, uint64_t start, uint64_t bytes)
{
	return value >= start && value - start < bytes;
}
