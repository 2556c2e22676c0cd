/* The file: ELF header, symbols, their names, section names, section headers.
 *
 * Sections: 0 none, 1 to N the runs, then .symtab, .strtab and .shstrtab. gdb looks a symbol up through the section of
 * its address, and takes what is in a section of code for a function: hence one section for each run of one kind. */
#include "replay/guest/symbol_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A System.map with data has a few hundred runs; beyond this many the last takes all that follows. */
enum { RUN_COUNT_MAX = 4096, LAST_SYMBOL_BYTES = 4 };

static const char section_names[] = "\0.text\0.data\0.symtab\0.strtab\0.shstrtab";

enum { NAME_TEXT = 1, NAME_DATA = 7, NAME_SYMTAB = 13, NAME_STRTAB = 21, NAME_SHSTRTAB = 29 };

enum kind { KIND_CODE, KIND_DATA, KIND_ABSOLUTE };

struct elf_file {
	const struct symbols *symbols;
	Elf64_Sym *table; /* entry 0 is none, as the format wants it */
	Elf64_Shdr *sections;
	uint16_t run_count;
};

static enum kind kind_of(const struct symbol *symbol)
{
	if (strchr("tTwW", symbol->type))
		return KIND_CODE;
	return strchr("aA", symbol->type) ? KIND_ABSOLUTE : KIND_DATA;
}

/* Leaves in st_size where each symbol ends: the lowest address above it that another one has. */
static void ends_find(const struct symbols *symbols, Elf64_Sym *all)
{
	uint64_t above = 0, end = 0;
	for (size_t i = symbols->count; i-- > 0;) {
		uint64_t va = symbols->at[i].va;
		if (kind_of(&symbols->at[i]) == KIND_ABSOLUTE)
			continue;
		if (end == 0 || va != above)
			end = end == 0 ? va + LAST_SYMBOL_BYTES : above;
		above = va;
		all[i].st_size = end;
	}
}

static unsigned char info_of(const struct symbol *symbol)
{
	static const unsigned char types[] = {
		[KIND_CODE] = STT_FUNC, [KIND_DATA] = STT_OBJECT, [KIND_ABSOLUTE] = STT_NOTYPE};
	unsigned char binding = STB_LOCAL;
	if (strchr("wWvV", symbol->type))
		binding = STB_WEAK;
	else if (symbol->type >= 'A' && symbol->type <= 'Z')
		binding = STB_GLOBAL;
	return (unsigned char)ELF64_ST_INFO(binding, types[kind_of(symbol)]);
}

/* The section for a symbol: the current run, or a new one. Symbols at one address stay in one run. */
static uint16_t run_for(struct elf_file *file, const struct symbol *symbol)
{
	bool code = kind_of(symbol) == KIND_CODE;
	Elf64_Shdr *last = &file->sections[file->run_count];
	bool same = file->run_count > 0 &&
		    (code == (last->sh_name == NAME_TEXT) || symbol->va < last->sh_addr + last->sh_size);
	if (!same && file->run_count < RUN_COUNT_MAX) {
		last = &file->sections[++file->run_count];
		*last = (Elf64_Shdr){.sh_name = code ? NAME_TEXT : NAME_DATA,
				     .sh_type = SHT_NOBITS,
				     .sh_flags = SHF_ALLOC | (code ? SHF_EXECINSTR : SHF_WRITE),
				     .sh_addr = symbol->va,
				     .sh_offset = sizeof(Elf64_Ehdr),
				     .sh_addralign = 1};
	}
	return file->run_count;
}

static void symbol_place(struct elf_file *file, size_t index, Elf64_Sym *entry)
{
	const struct symbol *symbol = &file->symbols->at[index];
	uint64_t end = entry->st_size;
	*entry = (Elf64_Sym){
		.st_name = symbol->name, .st_info = info_of(symbol), .st_shndx = SHN_ABS, .st_value = symbol->va};
	if (kind_of(symbol) == KIND_ABSOLUTE)
		return;
	entry->st_shndx = run_for(file, symbol);
	entry->st_size = end - symbol->va;
	file->sections[entry->st_shndx].sh_size = end - file->sections[entry->st_shndx].sh_addr;
}

/* Local symbols come first in an ELF; returns how many entries are local, the empty one included. */
static uint32_t table_fill(struct elf_file *file)
{
	size_t count = file->symbols->count, used = 1;
	Elf64_Sym *all = calloc(count, sizeof(*all));
	uint32_t local_count = 0;
	if (!all)
		return 0;
	ends_find(file->symbols, all);
	for (size_t i = 0; i < count; i++)
		symbol_place(file, i, &all[i]);
	for (int global = 0; global <= 1; global++) {
		for (size_t i = 0; i < count; i++) {
			if ((ELF64_ST_BIND(all[i].st_info) != STB_LOCAL) == global)
				file->table[used++] = all[i];
		}
		if (!global)
			local_count = (uint32_t)used;
	}
	free(all);
	return local_count;
}

static Elf64_Ehdr header_make(const struct elf_file *file, uint64_t sections_offset)
{
	return (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_AARCH64,
		.e_version = EV_CURRENT,
		.e_entry = file->sections[file->run_count > 0 ? 1 : 0].sh_addr,
		.e_shoff = sections_offset,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = (uint16_t)(file->run_count + 4),
		.e_shstrndx = (uint16_t)(file->run_count + 3),
	};
}

static bool parts_write(struct elf_file *file, uint32_t local_count, FILE *out)
{
	uint64_t table_bytes = (file->symbols->count + 1) * sizeof(Elf64_Sym), names_bytes = file->symbols->names_bytes;
	uint64_t names_offset = sizeof(Elf64_Ehdr) + table_bytes, strings_offset = names_offset + names_bytes;
	uint64_t sections_offset = (strings_offset + sizeof(section_names) + 7) & ~UINT64_C(7);
	Elf64_Shdr *after = &file->sections[file->run_count + 1];
	after[0] = (Elf64_Shdr){.sh_name = NAME_SYMTAB,
				.sh_type = SHT_SYMTAB,
				.sh_offset = sizeof(Elf64_Ehdr),
				.sh_size = table_bytes,
				.sh_link = (uint32_t)file->run_count + 2,
				.sh_info = local_count,
				.sh_addralign = 8,
				.sh_entsize = sizeof(Elf64_Sym)};
	after[1] = (Elf64_Shdr){.sh_name = NAME_STRTAB,
				.sh_type = SHT_STRTAB,
				.sh_offset = names_offset,
				.sh_size = names_bytes,
				.sh_addralign = 1};
	after[2] = (Elf64_Shdr){.sh_name = NAME_SHSTRTAB,
				.sh_type = SHT_STRTAB,
				.sh_offset = strings_offset,
				.sh_size = sizeof(section_names),
				.sh_addralign = 1};
	Elf64_Ehdr header = header_make(file, sections_offset);
	return fwrite(&header, sizeof(header), 1, out) == 1 && fwrite(file->table, table_bytes, 1, out) == 1 &&
	       fwrite(file->symbols->names, names_bytes, 1, out) == 1 &&
	       fwrite(section_names, sizeof(section_names), 1, out) == 1 &&
	       fseek(out, (long)sections_offset, SEEK_SET) == 0 &&
	       fwrite(file->sections, sizeof(Elf64_Shdr), file->run_count + 4U, out) == file->run_count + 4U;
}

static bool file_write(struct elf_file *file, uint32_t local_count, const char *path, struct error *error)
{
	FILE *out = fopen(path, "we");
	bool written = out && parts_write(file, local_count, out);
	bool closed = !out || fclose(out) == 0;
	if (!written || !closed)
		return error_set(error, STATUS_FAILED, "cannot write the symbols to %s: %s", path, strerror(errno));
	return true;
}

bool symbol_elf_write(const struct symbols *symbols, const char *path, struct error *error)
{
	struct elf_file file = {.symbols = symbols};
	if (symbols->count == 0)
		return error_set(error, STATUS_FAILED, "there are no symbols to write to %s", path);
	file.table = calloc(symbols->count + 1, sizeof(*file.table));
	file.sections = calloc(RUN_COUNT_MAX + 4, sizeof(*file.sections));
	uint32_t local_count = file.table && file.sections ? table_fill(&file) : 0;
	bool good = local_count > 0 ? file_write(&file, local_count, path, error)
				    : error_set(error, STATUS_FAILED, "out of memory for %zu symbols", symbols->count);
	free(file.table);
	free(file.sections);
	return good;
}
