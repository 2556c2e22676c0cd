/* Reads an ELF file into the guest's RAM. Called by image_load.
 *
 * 1. The file is never trusted. libelf reads it, in memory, and gives out nothing that is outside of it. Two things
 *    are looked at here all the same: it does not say why it refuses a file, and takes a table of program headers
 *    that is cut for a shorter one.
 * 2. Stores go only inside segments that were checked against RAM and against each other. */
#include "recorder/load/elf.h"
#include "recorder/load/elf_relocate.h"

#include <inttypes.h>
#include <string.h>

#define PIE_ALIGN_BYTES (UINT64_C(2) << 20)
#define PIE_BASE_IPA    (GUEST_RAM_IPA + PIE_ALIGN_BYTES)

static bool type_check(const struct elf_file *elf)
{
	switch (elf->header.e_type) {
	case ET_EXEC:
	case ET_DYN:
		return true;
	case ET_REL:
		return elf_file_refuse(elf, "an ELF object file, not a program: link it");
	case ET_CORE:
		return elf_file_refuse(elf, "an ELF core dump: give the program itself");
	default:
		return elf_file_refuse(elf, "ELF type %u is no program: give a statically linked one",
				       elf->header.e_type);
	}
}

/* The first bytes tell most wrong files, short ones too, which libelf refuses without a word. */
static bool ident_check(const struct elf_file *elf)
{
	const uint8_t *ident = elf->file->data;
	if (elf->file->bytes < EI_NIDENT)
		return elf_file_refuse(elf, "the ELF header ends early: get the file again");
	if (ident[EI_CLASS] != ELFCLASS64)
		return elf_file_refuse(elf, "a 32-bit ELF, and only AArch64 is supported: build it for aarch64");
	if (ident[EI_DATA] != ELFDATA2LSB)
		return elf_file_refuse(elf, "a big-endian ELF, and only little-endian is supported: build it with "
					    "-mlittle-endian");
	if (ident[EI_VERSION] != EV_CURRENT)
		return elf_file_refuse(elf, "ELF version %u is unknown: build it with a current linker",
				       ident[EI_VERSION]);
	return true;
}

static bool header_read(struct elf_file *elf)
{
	size_t readable_count;
	elf_version(EV_CURRENT);
	elf->handle = elf_memory((char *)(uintptr_t)elf->file->data, elf->file->bytes); /* which only reads it */
	if (elf->file->bytes < sizeof(Elf64_Ehdr))
		return elf_file_refuse(elf, "the ELF header ends early: get the file again");
	if (!elf->handle || !gelf_getehdr(elf->handle, &elf->header))
		return elf_file_refuse(elf, "no ELF that can be read (%s): get the file again", elf_errmsg(-1));
	if (elf->header.e_machine != EM_AARCH64)
		return elf_file_refuse(elf, "an ELF for machine %u, not %u (AArch64): build it for aarch64",
				       elf->header.e_machine, EM_AARCH64);
	if (elf->header.e_version != EV_CURRENT)
		return elf_file_refuse(elf, "ELF version %u is unknown: build it with a current linker",
				       elf->header.e_version);
	if (!type_check(elf))
		return false;
	if (elf->header.e_phnum == 0 || elf->header.e_phentsize != sizeof(Elf64_Phdr))
		return elf_file_refuse(elf, "no ELF program headers of %zu bytes: link it into a program",
				       sizeof(Elf64_Phdr));
	if (elf_getphdrnum(elf->handle, &readable_count) != 0 || readable_count < elf->header.e_phnum)
		return elf_file_refuse(elf,
				       "the ELF program headers are outside the file of %zu bytes: get the file again",
				       elf->file->bytes);
	return true;
}

static bool segment_add(struct elf_file *elf, const GElf_Phdr *program, unsigned index)
{
	const Elf_Data *piece = elf_file_piece(elf, program->p_offset, program->p_filesz, ELF_T_BYTE);
	if (program->p_filesz > program->p_memsz)
		return elf_file_refuse(elf, "ELF segment %u has more bytes in the file than in memory: link it again",
				       index);
	if (!piece)
		return elf_file_refuse(elf, "ELF segment %u is outside the file of %zu bytes: get the file again",
				       index, elf->file->bytes);
	if (program->p_memsz == 0)
		return true;
	if (elf->segment_count == ELF_FILE_SEGMENTS_MAX)
		return elf_file_refuse(elf, "more than %d ELF segments to load: link it with fewer",
				       ELF_FILE_SEGMENTS_MAX);
	if (elf->header.e_type == ET_DYN && program->p_align > PIE_ALIGN_BYTES)
		return elf_file_refuse(elf,
				       "ELF segment %u wants an alignment of 0x%" PRIx64
				       ", and 2 MiB is the most: link it "
				       "with -z max-page-size=4096",
				       index, program->p_align);
	elf->segment[elf->segment_count++] = (struct elf_file_segment){
		.ipa = elf->header.e_type == ET_DYN ? program->p_vaddr : program->p_paddr,
		.va = program->p_vaddr,
		.bytes = program->p_memsz,
		.file_data = piece->d_buf,
		.file_bytes = program->p_filesz,
	};
	return true;
}

static bool segments_read(struct elf_file *elf)
{
	for (unsigned i = 0; i < elf->header.e_phnum; i++) {
		GElf_Phdr program;
		if (!gelf_getphdr(elf->handle, (int)i, &program))
			return elf_file_refuse(elf, "ELF program header %u cannot be read: get the file again", i);
		if (program.p_type == PT_INTERP)
			return elf_file_refuse_dynamic(elf);
		if (program.p_type == PT_DYNAMIC) {
			elf->dynamic_offset = program.p_offset;
			elf->dynamic_bytes = program.p_filesz;
		}
		if (program.p_type == PT_LOAD && !segment_add(elf, &program, i))
			return false;
	}
	if (elf->segment_count == 0)
		return elf_file_refuse(elf, "nothing to load: link it into a program");
	return true;
}

/* A PIE that is linked for addresses in RAM is meant to run there, as QEMU has it; one linked low can go anywhere. */
static void bias_set(struct elf_file *elf)
{
	uint64_t lowest = UINT64_MAX;
	for (size_t i = 0; i < elf->segment_count; i++)
		lowest = elf->segment[i].va < lowest ? elf->segment[i].va : lowest;
	if (elf->header.e_type == ET_DYN && lowest < GUEST_RAM_IPA)
		elf->bias = PIE_BASE_IPA;
}

static bool segments_overlap(const struct elf_file_segment *a, const struct elf_file_segment *b)
{
	return elf_file_is_inside(a->ipa, b->ipa, b->bytes) || elf_file_is_inside(b->ipa, a->ipa, a->bytes);
}

static bool segments_place(struct elf_file *elf)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		struct elf_file_segment *segment = &elf->segment[i];
		if (segment->ipa > UINT64_MAX - elf->bias ||
		    !layout_ram_holds(elf->ram, segment->ipa + elf->bias, segment->bytes))
			return elf_file_refuse(
				elf,
				"ELF segment of 0x%" PRIx64 " bytes at 0x%" PRIx64 " is outside RAM (0x%" PRIx64
				" to 0x%" PRIx64 "): link it for there (-Wl,--build-id=none drops a stray note), "
				"or give more with --memory (of Linux give the Image)",
				segment->bytes, segment->ipa, (uint64_t)GUEST_RAM_IPA, GUEST_RAM_IPA + elf->ram->bytes);
		segment->ipa += elf->bias;
		for (size_t j = 0; j < i; j++)
			if (segments_overlap(segment, &elf->segment[j]))
				return elf_file_refuse(elf, "two ELF segments overlap at 0x%" PRIx64 ": link it again",
						       segment->ipa > elf->segment[j].ipa ? segment->ipa
											  : elf->segment[j].ipa);
	}
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct elf_file_segment *segment = &elf->segment[i];
		if (segment->file_bytes > 0)
			memcpy(layout_ram_at(elf->ram, segment->ipa), segment->file_data, segment->file_bytes);
	}
	return true;
}

/* e_entry is a virtual address; a program whose two kinds of address differ may also give the physical one. */
static bool entry_translate(const struct elf_file *elf, uint64_t *entry_ipa)
{
	uint64_t entry = elf->header.e_entry;
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct elf_file_segment *segment = &elf->segment[i];
		*entry_ipa = segment->ipa + (entry - segment->va);
		if (elf_file_is_inside(entry, segment->va, segment->bytes))
			return true;
	}
	*entry_ipa = entry;
	for (size_t i = 0; i < elf->segment_count && elf->header.e_type == ET_EXEC; i++)
		if (elf_file_is_inside(entry, elf->segment[i].ipa, elf->segment[i].bytes))
			return true;
	return false;
}

static bool entry_find(const struct elf_file *elf, uint64_t *entry_ipa)
{
	if (!entry_translate(elf, entry_ipa))
		return elf_file_refuse(elf,
				       "the ELF entry point 0x%" PRIx64
				       " is in no segment: link it with -e and the entry's symbol",
				       elf->header.e_entry);
	if (*entry_ipa % 4 != 0)
		return elf_file_refuse(elf, "the ELF entry point 0x%" PRIx64 " is not a multiple of 4: link it again",
				       *entry_ipa);
	return true;
}

static void range_set(const struct elf_file *elf, struct guest_layout *layout)
{
	uint64_t first = UINT64_MAX;
	uint64_t end = 0;
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct elf_file_segment *segment = &elf->segment[i];
		first = segment->ipa < first ? segment->ipa : first;
		end = segment->ipa + segment->bytes > end ? segment->ipa + segment->bytes : end;
	}
	layout->kernel_ipa = first;
	layout->kernel_bytes = end - first;
}

static bool load(struct elf_file *elf, struct guest_layout *layout)
{
	if (!header_read(elf) || !segments_read(elf))
		return false;
	bias_set(elf);
	if (!segments_place(elf) || !elf_relocate(elf) || !entry_find(elf, &layout->entry_ipa))
		return false;
	range_set(elf, layout);
	layout->kind = elf->header.e_type == ET_DYN ? GUEST_KIND_ELF_PIE : GUEST_KIND_ELF;
	layout->load_offset = elf->bias;
	return true;
}

bool elf_load(const struct guest_file *file, const struct guest_ram *ram, struct guest_layout *layout,
	      struct error *error)
{
	struct elf_file elf = {.file = file, .ram = ram, .error = error};
	bool good = ident_check(&elf) && load(&elf, layout);
	elf_end(elf.handle);
	return good;
}
