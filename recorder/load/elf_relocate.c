/* The file says where the tables of relocations are in memory, and there they are read, from the guest's RAM: an
 * earlier relocation may have changed what a later one says. A relocation that points outside the segments is an error.
 */
#include "recorder/load/elf_relocate.h"

#include <inttypes.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "relocations are read as they are in RAM");

enum { RELR_BITMAP_COUNT = 63 };

/* A relocation table: an address in the file's terms, and a length. */
struct table {
	uint64_t va;
	uint64_t bytes;
};

struct dynamic {
	struct table rela, plt, relr;
};

static void dynamic_take(struct dynamic *dynamic, const GElf_Dyn *entry)
{
	switch (entry->d_tag) {
	case DT_RELA:
		dynamic->rela.va = entry->d_un.d_ptr;
		break;
	case DT_RELASZ:
		dynamic->rela.bytes = entry->d_un.d_val;
		break;
	case DT_JMPREL:
		dynamic->plt.va = entry->d_un.d_ptr;
		break;
	case DT_PLTRELSZ:
		dynamic->plt.bytes = entry->d_un.d_val;
		break;
	case DT_RELR:
		dynamic->relr.va = entry->d_un.d_ptr;
		break;
	case DT_RELRSZ:
		dynamic->relr.bytes = entry->d_un.d_val;
		break;
	default:
		break;
	}
}

/* Whether the entry is one that cannot be honoured. */
static bool dynamic_check(const struct elf_file *elf, const GElf_Dyn *entry)
{
	uint64_t value = entry->d_un.d_val;
	if (entry->d_tag == DT_NEEDED)
		return elf_file_refuse_dynamic(elf);
	if ((entry->d_tag == DT_RELAENT && value != sizeof(Elf64_Rela)) ||
	    (entry->d_tag == DT_RELRENT && value != sizeof(uint64_t)) ||
	    (entry->d_tag == DT_PLTREL && value != DT_RELA) || (entry->d_tag == DT_RELSZ && value != 0))
		return elf_file_refuse(elf,
				       "relocation tables that AArch64 does not have (tag %" PRId64 ", value %" PRIu64
				       "): link it again for aarch64",
				       (int64_t)entry->d_tag, value);
	return true;
}

static bool dynamic_read(const struct elf_file *elf, struct dynamic *dynamic)
{
	Elf_Data *table = elf_file_piece(elf, elf->dynamic_offset, elf->dynamic_bytes, ELF_T_DYN);
	GElf_Dyn entry;
	if (!table)
		return elf_file_refuse(elf,
				       "the ELF dynamic section is outside the file of %zu bytes: get the file again",
				       elf->file->bytes);
	for (int i = 0; gelf_getdyn(table, i, &entry) && entry.d_tag != DT_NULL; i++) {
		if (!dynamic_check(elf, &entry))
			return false;
		dynamic_take(dynamic, &entry);
	}
	return true;
}

/* The loaded bytes at `va`, or NULL if they are not all in one segment. */
static uint8_t *loaded_at(const struct elf_file *elf, uint64_t va, uint64_t bytes)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct elf_file_segment *segment = &elf->segment[i];
		if (elf_file_is_inside(va, segment->va, segment->bytes) && bytes <= segment->bytes - (va - segment->va))
			return layout_ram_at(elf->ram, segment->ipa + (va - segment->va));
	}
	return NULL;
}

static bool table_find(const struct elf_file *elf, const struct table *table, uint64_t entry_bytes,
		       const uint8_t **start)
{
	*start = NULL;
	if (table->bytes == 0)
		return true;
	*start = loaded_at(elf, table->va, table->bytes);
	if (*start == NULL || table->bytes % entry_bytes != 0)
		return elf_file_refuse(elf,
				       "the relocation table at 0x%" PRIx64 " (0x%" PRIx64
				       " bytes) is outside the ELF segments or cut: link it again",
				       table->va, table->bytes);
	return true;
}

static bool word_relocate(const struct elf_file *elf, uint64_t va, bool has_addend, uint64_t addend)
{
	uint8_t *place = loaded_at(elf, va, sizeof(addend));
	if (place == NULL)
		return elf_file_refuse(elf, "a relocation at 0x%" PRIx64 " is outside the ELF segments: link it again",
				       va);
	if (!has_addend)
		memcpy(&addend, place, sizeof(addend));
	addend += elf->bias;
	memcpy(place, &addend, sizeof(addend));
	return true;
}

static bool rela_apply(const struct elf_file *elf, const struct table *table)
{
	const uint8_t *start;
	if (!table_find(elf, table, sizeof(Elf64_Rela), &start))
		return false;
	for (uint64_t at = 0; at < table->bytes; at += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;
		memcpy(&rela, start + at, sizeof(rela));
		uint64_t type = ELF64_R_TYPE(rela.r_info);
		if (type == R_AARCH64_NONE)
			continue;
		if (type != R_AARCH64_RELATIVE)
			return elf_file_refuse(
				elf,
				"relocation type %" PRIu64 " at 0x%" PRIx64
				", and only R_AARCH64_RELATIVE is supported: link it with -static-pie and "
				"no undefined symbols",
				type, rela.r_offset);
		if (!word_relocate(elf, rela.r_offset, true, (uint64_t)rela.r_addend))
			return false;
	}
	return true;
}

/* An even word is an address to relocate; an odd one has a bit for each of the 63 words after the last. */
static bool relr_apply(const struct elf_file *elf, const struct table *table)
{
	const uint8_t *start;
	if (!table_find(elf, table, sizeof(uint64_t), &start))
		return false;
	uint64_t next = 0;
	for (uint64_t at = 0; at < table->bytes; at += sizeof(uint64_t)) {
		uint64_t word;
		memcpy(&word, start + at, sizeof(word));
		if ((word & 1) == 0) {
			if (!word_relocate(elf, word, false, 0))
				return false;
			next = word + sizeof(word);
			continue;
		}
		for (unsigned bit = 0; bit < RELR_BITMAP_COUNT; bit++)
			if ((word >> (bit + 1) & 1) != 0 && !word_relocate(elf, next + bit * sizeof(word), false, 0))
				return false;
		next += RELR_BITMAP_COUNT * sizeof(word);
	}
	return true;
}

bool elf_relocate(const struct elf_file *elf)
{
	struct dynamic dynamic = {0};
	return elf->header.e_type != ET_DYN || (dynamic_read(elf, &dynamic) && rela_apply(elf, &dynamic.rela) &&
						rela_apply(elf, &dynamic.plt) && relr_apply(elf, &dynamic.relr));
}
