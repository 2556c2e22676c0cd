/* Reads the trace and, by libelf, the ELF headers. A file that is linked into the upper half of the addresses is a
 * kernel. */
#include "tools/gdb/debug_symbols.h"
#include "replay/travel/kernel_search.h"
#include "storage/trace.h"
#include "tools/gdb/kernel_symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of a program's beginning, by which it is found in a flat image. */
enum { START_BYTES = 64, START_BYTES_MIN = 16 };

struct elf_facts {
	bool kernel, movable;               /* ET_DYN */
	bool placed;                        /* what `hvrec symbols` writes: a program without segments, where it runs */
	uint64_t start_va;                  /* of its lowest section in memory; UINT64_MAX: it has none */
	uint64_t start_offset, start_bytes; /* that section in the file */
	uint8_t start[START_BYTES];
};

static bool is_ours(Elf *elf, GElf_Ehdr *header)
{
	return elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, header) &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == ELFDATA2LSB &&
	       header->e_machine == EM_AARCH64;
}

/* Finds the lowest section in memory. False: a section header cannot be read. libelf takes a table that is not all in
 * the file for none. */
static bool start_find(Elf *elf, const GElf_Ehdr *header, struct elf_facts *facts)
{
	size_t count;
	GElf_Shdr section;
	if (elf_getshdrnum(elf, &count) != 0 || count < header->e_shnum)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getshdr(elf_getscn(elf, i), &section))
			return false;
		if (!(section.sh_flags & SHF_ALLOC) || section.sh_addr >= facts->start_va)
			continue;
		facts->start_va = section.sh_addr;
		facts->start_offset = section.sh_offset;
		facts->start_bytes = section.sh_type == SHT_NOBITS ? 0 : section.sh_size;
	}
	if (facts->start_bytes > START_BYTES)
		facts->start_bytes = START_BYTES;
	return true;
}

static bool start_read(Elf *elf, struct elf_facts *facts)
{
	if (facts->start_bytes == 0)
		return true;
	if (facts->start_offset > INT64_MAX)
		return false;
	const Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)facts->start_offset, facts->start_bytes, ELF_T_BYTE);
	if (!data)
		return false;
	memcpy(facts->start, data->d_buf, facts->start_bytes);
	return true;
}

/* A kernel's _text is where its lowest section is; a segment may begin before, with the ELF's own header. */
static bool facts_read(Elf *elf, struct elf_facts *facts)
{
	GElf_Ehdr header;
	*facts = (struct elf_facts){.start_va = UINT64_MAX};
	if (!is_ours(elf, &header))
		return false;
	facts->movable = header.e_type == ET_DYN;
	facts->placed = header.e_type == ET_EXEC && header.e_phnum == 0;
	if (!start_find(elf, &header, facts) || !start_read(elf, facts))
		return false;
	facts->kernel = !facts->placed && facts->start_va != UINT64_MAX && facts->start_va >> 63;
	return true;
}

static bool facts_get(const char *path, struct elf_facts *facts, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(error, STATUS_FAILED, "cannot open the symbols %s: %s", path, strerror(errno));
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	bool good = facts_read(elf, facts);
	elf_end(elf);
	close(fd);
	return good || error_set(error, STATUS_FAILED, "the symbols %s are no ELF for AArch64", path);
}

static bool file_write(const char *path, const void *data, size_t bytes, struct error *error)
{
	FILE *file = fopen(path, "we");
	bool written = file && fwrite(data, 1, bytes, file) == bytes;
	bool closed = file && fclose(file) == 0;
	return (written && closed) || error_set(error, STATUS_FAILED, "cannot write %s: %s", path, strerror(errno));
}

struct guest_facts {
	const char *trace;
	bool linux_image, elf, flat, firmware;
	uint64_t load_offset, entry_ipa; /* a flat image is at its entry */
	void *program;
	size_t program_bytes;
};

static bool guest_get(const char *path, struct guest_facts *guest, struct error *error)
{
	char *kind = NULL;
	*guest = (struct guest_facts){.trace = path};
	struct trace_reader *trace = trace_open(path, error);
	if (trace && trace_get_text(trace, TRACE_META_KERNEL_KIND, &kind, error) == TRACE_FOUND) {
		guest->linux_image = strcmp(kind, "Linux Image") == 0;
		guest->elf = strncmp(kind, "ELF", 3) == 0;
		guest->firmware = strcmp(kind, "firmware") == 0;
		guest->flat = guest->firmware || strcmp(kind, "flat binary") == 0;
		trace_get_u64(trace, TRACE_META_LOAD_OFFSET, &guest->load_offset, error);
		trace_get_u64(trace, TRACE_META_ENTRY_IPA, &guest->entry_ipa, error);
	}
	if (guest->elf || guest->flat)
		trace_get_file(trace, guest->firmware ? "firmware" : "kernel", &guest->program, &guest->program_bytes,
			       error);
	free(kind);
	trace_close(trace);
	return error->status == STATUS_OK;
}

/* How far from where it is linked a program is in a flat image; 0 if it is not in there. */
static uint64_t flat_offset(const struct guest_facts *guest, const struct elf_facts *facts)
{
	const uint8_t *program = guest->program;
	const uint8_t *at = facts->start_bytes < START_BYTES_MIN
				    ? NULL
				    : memmem(program, guest->program_bytes, facts->start, (size_t)facts->start_bytes);
	return at ? guest->entry_ipa + (uint64_t)(at - program) - facts->start_va : 0;
}

static void add(struct debug_symbols *symbols, const char *path, uint64_t offset)
{
	symbols->at[symbols->count].path = path;
	symbols->at[symbols->count++].offset = offset;
}

static bool files_add(struct debug_symbols *symbols, const struct guest_facts *guest,
		      const struct debug_symbols_files *files, bool *has_kernel, struct error *error)
{
	struct kernel kernel = {0};
	for (size_t i = 0; i < files->count && error->status == STATUS_OK; i++) {
		struct elf_facts facts = {0};
		uint64_t offset = 0;
		if (!facts_get(files->at[i], &facts, error))
			break;
		bool placed = guest->linux_image && facts.kernel;
		if (placed && !*has_kernel &&
		    (!kernel_load(guest->trace, &kernel, error) || !kernel_search_trace(guest->trace, &kernel, error)))
			break;
		if (placed)
			offset = kernel.va - facts.start_va;
		else if (guest->elf && facts.movable)
			offset = guest->load_offset;
		else if (guest->flat)
			offset = flat_offset(guest, &facts);
		*has_kernel |= placed || (guest->linux_image && facts.placed);
		add(symbols, files->at[i], offset);
	}
	kernel_free(&kernel);
	return error->status == STATUS_OK;
}

/* The guest's own program, first. */
static bool own_add(struct debug_symbols *symbols, const struct guest_facts *guest, const char *made,
		    struct error *note, struct error *error)
{
	if (guest->elf) {
		add(symbols, made, guest->load_offset);
		return file_write(made, guest->program, guest->program_bytes, error);
	}
	if (guest->linux_image) {
		struct kernel kernel;
		size_t count;
		if (kernel_symbols_write(guest->trace, made, NULL, &kernel, &count, note))
			add(symbols, made, 0);
		kernel_free(&kernel);
	}
	return true;
}

bool debug_symbols_find(struct debug_symbols *symbols, const char *trace, const struct debug_symbols_files *files,
			const char *made, struct error *note, struct error *error)
{
	struct guest_facts guest;
	struct debug_symbols of_files = {0};
	bool has_own = false;
	*symbols = (struct debug_symbols){0};
	*note = (struct error){.status = STATUS_OK};
	bool good = guest_get(trace, &guest, error) && files_add(&of_files, &guest, files, &has_own, error);
	has_own |= guest.elf && files->count > 0;
	good = good && (has_own || own_add(symbols, &guest, made, note, error));
	for (size_t i = 0; i < of_files.count; i++)
		add(symbols, of_files.at[i].path, of_files.at[i].offset);
	free(guest.program);
	return good;
}
