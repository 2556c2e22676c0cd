/* Reads an ELF file into the guest's RAM. Called by image_load.
 *
 * 1. The file is never trusted: each table and segment is checked against the file's length before it is read.
 * 2. Stores go only inside segments that were checked against RAM and against each other; a relocation that points
 *    anywhere else is an error, even one that an earlier relocation made. */
#include "recorder/load/elf.h"

#include <elf.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file's structs are read as they are");

#define PIE_ALIGN_BYTES (UINT64_C(2) << 20)
#define PIE_BASE_IPA    (GUEST_RAM_IPA + PIE_ALIGN_BYTES)

enum { SEGMENT_COUNT_MAX = 64, RELR_BITMAP_COUNT = 63, REFUSAL_BYTES = 512 };

struct segment {
	uint64_t ipa;
	uint64_t va;
	uint64_t bytes;      /* of memory, never 0 */
	uint64_t file_bytes; /* at most bytes */
	uint64_t file_offset;
};

struct elf {
	const struct guest_file *file;
	const struct guest_ram *ram;
	struct error *error;
	Elf64_Ehdr header;
	uint64_t bias; /* ET_DYN: from the file's addresses to the guest's */
	struct segment segment[SEGMENT_COUNT_MAX];
	size_t segment_count;
	uint64_t dynamic_offset, dynamic_bytes;
};

/* A relocation table: an address in the file's terms, and a length. */
struct table {
	uint64_t va;
	uint64_t bytes;
};

struct dynamic {
	struct table rela, plt, relr;
};

/* Sets the error, with the file's name in front. Always returns false. */
__attribute__((format(printf, 2, 3))) static bool refuse(const struct elf *elf, const char *format, ...)
{
	char text[REFUSAL_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return error_set(elf->error, STATUS_FAILED, "%s: %s", elf->file->name, text);
}

static bool file_holds(const struct elf *elf, uint64_t offset, uint64_t bytes)
{
	return offset <= elf->file->bytes && bytes <= elf->file->bytes - offset;
}

static bool is_inside(uint64_t value, uint64_t start, uint64_t bytes)
{
	return value >= start && value - start < bytes;
}

static bool type_check(const struct elf *elf)
{
	switch (elf->header.e_type) {
	case ET_EXEC:
	case ET_DYN:
		return true;
	case ET_REL:
		return refuse(elf, "an ELF object file, not a program: link it");
	case ET_CORE:
		return refuse(elf, "an ELF core dump: give the program itself");
	default:
		return refuse(elf, "ELF type %u is no program: give a statically linked one", elf->header.e_type);
	}
}

static bool header_read(struct elf *elf)
{
	/* The first bytes tell most wrong files, short ones too. */
	const uint8_t *ident = elf->file->data;
	if (elf->file->bytes < EI_NIDENT)
		return refuse(elf, "the ELF header ends early: get the file again");
	if (ident[EI_CLASS] != ELFCLASS64)
		return refuse(elf, "a 32-bit ELF, and only AArch64 is supported: build it for aarch64");
	if (ident[EI_DATA] != ELFDATA2LSB)
		return refuse(elf, "a big-endian ELF, and only little-endian is supported: build it with "
				   "-mlittle-endian");
	if (!file_holds(elf, 0, sizeof(elf->header)))
		return refuse(elf, "the ELF header ends early: get the file again");
	memcpy(&elf->header, elf->file->data, sizeof(elf->header));
	if (elf->header.e_machine != EM_AARCH64)
		return refuse(elf, "an ELF for machine %u, not %u (AArch64): build it for aarch64",
			      elf->header.e_machine, EM_AARCH64);
	if (elf->header.e_ident[EI_VERSION] != EV_CURRENT || elf->header.e_version != EV_CURRENT)
		return refuse(elf, "ELF version %u is unknown: build it with a current linker", elf->header.e_version);
	if (!type_check(elf))
		return false;
	if (elf->header.e_phnum == 0 || elf->header.e_phentsize != sizeof(Elf64_Phdr))
		return refuse(elf, "no ELF program headers of %zu bytes: link it into a program", sizeof(Elf64_Phdr));
	if (!file_holds(elf, elf->header.e_phoff, (uint64_t)elf->header.e_phnum * sizeof(Elf64_Phdr)))
		return refuse(elf, "the ELF program headers are outside the file of %zu bytes: get the file again",
			      elf->file->bytes);
	return true;
}

static bool segment_add(struct elf *elf, const Elf64_Phdr *program, unsigned index)
{
	if (program->p_filesz > program->p_memsz)
		return refuse(elf, "ELF segment %u has more bytes in the file than in memory: link it again", index);
	if (!file_holds(elf, program->p_offset, program->p_filesz))
		return refuse(elf, "ELF segment %u is outside the file of %zu bytes: get the file again", index,
			      elf->file->bytes);
	if (program->p_memsz == 0)
		return true;
	if (elf->segment_count == SEGMENT_COUNT_MAX)
		return refuse(elf, "more than %d ELF segments to load: link it with fewer", SEGMENT_COUNT_MAX);
	if (elf->header.e_type == ET_DYN && program->p_align > PIE_ALIGN_BYTES)
		return refuse(elf,
			      "ELF segment %u wants an alignment of 0x%" PRIx64 ", and 2 MiB is the most: link it "
			      "with -z max-page-size=4096",
			      index, program->p_align);
	elf->segment[elf->segment_count++] = (struct segment){
		.ipa = elf->header.e_type == ET_DYN ? program->p_vaddr : program->p_paddr,
		.va = program->p_vaddr,
		.bytes = program->p_memsz,
		.file_bytes = program->p_filesz,
		.file_offset = program->p_offset,
	};
	return true;
}

static bool interpreter_refuse(const struct elf *elf)
{
	return refuse(elf, "needs a dynamic linker: link it with -static, or with -static-pie or "
			   "-Wl,--no-dynamic-linker");
}

static bool segments_read(struct elf *elf)
{
	for (unsigned i = 0; i < elf->header.e_phnum; i++) {
		Elf64_Phdr program;
		memcpy(&program, elf->file->data + elf->header.e_phoff + i * sizeof(program), sizeof(program));
		if (program.p_type == PT_INTERP)
			return interpreter_refuse(elf);
		if (program.p_type == PT_DYNAMIC) {
			elf->dynamic_offset = program.p_offset;
			elf->dynamic_bytes = program.p_filesz;
		}
		if (program.p_type == PT_LOAD && !segment_add(elf, &program, i))
			return false;
	}
	if (elf->segment_count == 0)
		return refuse(elf, "nothing to load: link it into a program");
	return true;
}

/* A PIE that is linked for addresses in RAM is meant to run there, as QEMU has it; one linked low can go anywhere. */
static void bias_set(struct elf *elf)
{
	uint64_t lowest = UINT64_MAX;
	for (size_t i = 0; i < elf->segment_count; i++)
		lowest = elf->segment[i].va < lowest ? elf->segment[i].va : lowest;
	if (elf->header.e_type == ET_DYN && lowest < GUEST_RAM_IPA)
		elf->bias = PIE_BASE_IPA;
}

static bool segments_overlap(const struct segment *a, const struct segment *b)
{
	return is_inside(a->ipa, b->ipa, b->bytes) || is_inside(b->ipa, a->ipa, a->bytes);
}

static bool segments_place(struct elf *elf)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		struct segment *segment = &elf->segment[i];
		if (segment->ipa > UINT64_MAX - elf->bias ||
		    !layout_ram_holds(elf->ram, segment->ipa + elf->bias, segment->bytes))
			return refuse(elf,
				      "ELF segment of 0x%" PRIx64 " bytes at 0x%" PRIx64 " is outside RAM (0x%" PRIx64
				      " to 0x%" PRIx64 "): link it for there (-Wl,--build-id=none drops a stray note), "
				      "or give more with --memory (of Linux give the Image)",
				      segment->bytes, segment->ipa, (uint64_t)GUEST_RAM_IPA,
				      GUEST_RAM_IPA + elf->ram->bytes);
		segment->ipa += elf->bias;
		for (size_t j = 0; j < i; j++)
			if (segments_overlap(segment, &elf->segment[j]))
				return refuse(elf, "two ELF segments overlap at 0x%" PRIx64 ": link it again",
					      segment->ipa > elf->segment[j].ipa ? segment->ipa : elf->segment[j].ipa);
	}
	for (size_t i = 0; i < elf->segment_count; i++)
		memcpy(layout_ram_at(elf->ram, elf->segment[i].ipa), elf->file->data + elf->segment[i].file_offset,
		       elf->segment[i].file_bytes);
	return true;
}

static void dynamic_take(struct dynamic *dynamic, const Elf64_Dyn *entry)
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
static bool dynamic_check(const struct elf *elf, const Elf64_Dyn *entry)
{
	uint64_t value = entry->d_un.d_val;
	if (entry->d_tag == DT_NEEDED)
		return interpreter_refuse(elf);
	if ((entry->d_tag == DT_RELAENT && value != sizeof(Elf64_Rela)) ||
	    (entry->d_tag == DT_RELRENT && value != sizeof(uint64_t)) ||
	    (entry->d_tag == DT_PLTREL && value != DT_RELA) || (entry->d_tag == DT_RELSZ && value != 0))
		return refuse(elf,
			      "relocation tables that AArch64 does not have (tag %" PRId64 ", value %" PRIu64
			      "): link it again for aarch64",
			      (int64_t)entry->d_tag, value);
	return true;
}

static bool dynamic_read(const struct elf *elf, struct dynamic *dynamic)
{
	if (!file_holds(elf, elf->dynamic_offset, elf->dynamic_bytes))
		return refuse(elf, "the ELF dynamic section is outside the file of %zu bytes: get the file again",
			      elf->file->bytes);
	for (uint64_t at = 0; elf->dynamic_bytes - at >= sizeof(Elf64_Dyn); at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;
		memcpy(&entry, elf->file->data + elf->dynamic_offset + at, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		if (!dynamic_check(elf, &entry))
			return false;
		dynamic_take(dynamic, &entry);
	}
	return true;
}

/* The loaded bytes at `va`, or NULL if they are not all in one segment. */
static uint8_t *loaded_at(const struct elf *elf, uint64_t va, uint64_t bytes)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct segment *segment = &elf->segment[i];
		if (is_inside(va, segment->va, segment->bytes) && bytes <= segment->bytes - (va - segment->va))
			return layout_ram_at(elf->ram, segment->ipa + (va - segment->va));
	}
	return NULL;
}

static bool table_find(const struct elf *elf, const struct table *table, uint64_t entry_bytes, const uint8_t **start)
{
	*start = NULL;
	if (table->bytes == 0)
		return true;
	*start = loaded_at(elf, table->va, table->bytes);
	if (*start == NULL || table->bytes % entry_bytes != 0)
		return refuse(elf,
			      "the relocation table at 0x%" PRIx64 " (0x%" PRIx64
			      " bytes) is outside the ELF segments or cut: link it again",
			      table->va, table->bytes);
	return true;
}

static bool word_relocate(const struct elf *elf, uint64_t va, bool has_addend, uint64_t addend)
{
	uint8_t *place = loaded_at(elf, va, sizeof(addend));
	if (place == NULL)
		return refuse(elf, "a relocation at 0x%" PRIx64 " is outside the ELF segments: link it again", va);
	if (!has_addend)
		memcpy(&addend, place, sizeof(addend));
	addend += elf->bias;
	memcpy(place, &addend, sizeof(addend));
	return true;
}

static bool rela_apply(const struct elf *elf, const struct table *table)
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
			return refuse(elf,
				      "relocation type %" PRIu64 " at 0x%" PRIx64
				      ", and only R_AARCH64_RELATIVE is supported: link it with -static-pie and "
				      "no undefined symbols",
				      type, rela.r_offset);
		if (!word_relocate(elf, rela.r_offset, true, (uint64_t)rela.r_addend))
			return false;
	}
	return true;
}

/* An even word is an address to relocate; an odd one has a bit for each of the 63 words behind the last. */
static bool relr_apply(const struct elf *elf, const struct table *table)
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

static bool relocate(const struct elf *elf)
{
	struct dynamic dynamic = {0};
	return elf->header.e_type != ET_DYN || (dynamic_read(elf, &dynamic) && rela_apply(elf, &dynamic.rela) &&
						rela_apply(elf, &dynamic.plt) && relr_apply(elf, &dynamic.relr));
}

/* e_entry is a virtual address; a program whose two kinds of address differ may also give the physical one. */
static bool entry_translate(const struct elf *elf, uint64_t *entry_ipa)
{
	uint64_t entry = elf->header.e_entry;
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct segment *segment = &elf->segment[i];
		*entry_ipa = segment->ipa + (entry - segment->va);
		if (is_inside(entry, segment->va, segment->bytes))
			return true;
	}
	*entry_ipa = entry;
	for (size_t i = 0; i < elf->segment_count && elf->header.e_type == ET_EXEC; i++)
		if (is_inside(entry, elf->segment[i].ipa, elf->segment[i].bytes))
			return true;
	return false;
}

static bool entry_find(const struct elf *elf, uint64_t *entry_ipa)
{
	if (!entry_translate(elf, entry_ipa))
		return refuse(elf,
			      "the ELF entry point 0x%" PRIx64
			      " is in no segment: link it with -e and the entry's symbol",
			      elf->header.e_entry);
	if (*entry_ipa % 4 != 0)
		return refuse(elf, "the ELF entry point 0x%" PRIx64 " is not a multiple of 4: link it again",
			      *entry_ipa);
	return true;
}

static void range_set(const struct elf *elf, struct guest_layout *layout)
{
	uint64_t first = UINT64_MAX;
	uint64_t end = 0;
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct segment *segment = &elf->segment[i];
		first = segment->ipa < first ? segment->ipa : first;
		end = segment->ipa + segment->bytes > end ? segment->ipa + segment->bytes : end;
	}
	layout->kernel_ipa = first;
	layout->kernel_bytes = end - first;
}

bool elf_load(const struct guest_file *file, const struct guest_ram *ram, struct guest_layout *layout,
	      struct error *error)
{
	struct elf elf = {.file = file, .ram = ram, .error = error};
	if (!header_read(&elf) || !segments_read(&elf))
		return false;
	bias_set(&elf);
	if (!segments_place(&elf) || !relocate(&elf) || !entry_find(&elf, &layout->entry_ipa))
		return false;
	range_set(&elf, layout);
	layout->kind = elf.header.e_type == ET_DYN ? GUEST_KIND_ELF_PIE : GUEST_KIND_ELF;
	layout->load_offset = elf.bias;
	return true;
}
