/* A kernel's own symbol tables: found, decoded, refused when damaged; System.map; the ELF that is made of them.
 *
 * The tables are built here as scripts/kallsyms.c writes them, in both orders, and images are allocated at their exact
 * size, so that a read outside of one is seen. */
#include "replay/guest/kallsyms.h"
#include "replay/guest/symbol_elf.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYMBOL_COUNT = 700, LONG_SYMBOL = 300, LEAD_BYTES = 4096, ROOM = 1 << 17 };

#define BASE UINT64_C(0xffff800008010000)

enum order { OFFSETS_FIRST, OFFSETS_LAST };

struct built {
	uint8_t at[ROOM];
	size_t used;
	size_t num_syms, names, markers, token_table, token_index, offsets, relative_base;
};

static void put(struct built *built, const void *data, size_t bytes)
{
	cr_assert_leq(built->used + bytes, sizeof(built->at));
	memcpy(built->at + built->used, data, bytes);
	built->used += bytes;
}

static void put_u32(struct built *built, uint32_t value)
{
	put(built, &value, sizeof(value));
}

static size_t align(struct built *built)
{
	while (built->used % 8 != 0)
		put(built, "", 1);
	return built->used;
}

/* Codes below 128 are themselves if they can be in a name, the others are common parts. */
static const char *token_of(unsigned code)
{
	static char text[16];
	static const char *const parts[] = {"vm_", "kmem", "_init", "irq_"};
	if (code > ' ' && code < 0x7f)
		snprintf(text, sizeof(text), "%c", (char)code);
	else
		snprintf(text, sizeof(text), "%s%u", parts[code % 4], code);
	return text;
}

static uint32_t offset_of(unsigned symbol)
{
	return symbol / 2 * 24; /* pairs share an address */
}

static size_t codes_of(unsigned symbol, uint8_t codes[400])
{
	size_t count = 0;
	codes[count++] = symbol % 3 ? 't' : 'T';
	codes[count++] = (uint8_t)(128 + symbol % 100);
	codes[count++] = (uint8_t)('a' + symbol % 26);
	while (symbol == LONG_SYMBOL && count < 200)
		codes[count++] = 'x';
	return count;
}

static void put_offsets(struct built *built)
{
	uint64_t unrelocated = 0;
	built->offsets = align(built);
	for (unsigned i = 0; i < SYMBOL_COUNT; i++)
		put_u32(built, offset_of(i));
	built->relative_base = align(built);
	put(built, &unrelocated, sizeof(unrelocated));
}

static void put_names(struct built *built)
{
	uint32_t markers[SYMBOL_COUNT / 256 + 1], marker_count = 0;
	built->num_syms = align(built);
	put_u32(built, SYMBOL_COUNT);
	built->names = align(built);
	for (unsigned i = 0; i < SYMBOL_COUNT; i++) {
		uint8_t codes[400];
		size_t count = codes_of(i, codes);
		uint8_t length[2] = {(uint8_t)(count < 128 ? count : (count & 0x7f) | 0x80), (uint8_t)(count >> 7)};
		if (i % 256 == 0)
			markers[marker_count++] = (uint32_t)(built->used - built->names);
		put(built, length, count < 128 ? 1 : 2);
		put(built, codes, count);
	}
	built->markers = align(built);
	for (uint32_t i = 0; i < marker_count; i++)
		put_u32(built, markers[i]);
}

static void put_tokens(struct built *built)
{
	uint16_t index[256];
	built->token_table = align(built);
	for (unsigned i = 0; i < 256; i++) {
		index[i] = (uint16_t)(built->used - built->token_table);
		put(built, token_of(i), strlen(token_of(i)) + 1);
	}
	built->token_index = align(built);
	put(built, index, sizeof(index));
}

static struct built *build(enum order order)
{
	struct built *built = calloc(1, sizeof(*built));
	built->used = LEAD_BYTES;
	if (order == OFFSETS_FIRST)
		put_offsets(built);
	put_names(built);
	if (order == OFFSETS_FIRST)
		put(built, "\1\2\3\4\5\6", 6); /* seqs_of_names, that not every version has */
	put_tokens(built);
	if (order == OFFSETS_LAST)
		put_offsets(built);
	return built;
}

/* The image alone, in an allocation of its very size. */
static uint8_t *image_of(const struct built *built, size_t bytes)
{
	uint8_t *image = malloc(bytes ? bytes : 1);
	memcpy(image, built->at, bytes);
	return image;
}

static void check_all_symbols(const struct symbols *symbols)
{
	cr_assert_eq(symbols->count, SYMBOL_COUNT);
	for (unsigned i = 0; i < SYMBOL_COUNT; i++) {
		char name[512];
		uint8_t codes[400];
		size_t count = codes_of(i, codes);
		name[0] = 0;
		for (size_t k = 1; k < count; k++)
			strcat(name, token_of(codes[k]));
		cr_assert_eq(symbols->at[i].va, BASE + offset_of(i), "symbol %u", i);
		cr_assert_eq(symbols->at[i].type, i % 3 ? 't' : 'T', "symbol %u", i);
		cr_assert_str_eq(symbols->names + symbols->at[i].name, name, "symbol %u", i);
	}
}

static void check_order(enum order order)
{
	struct error error = {.status = STATUS_OK};
	struct built *built = build(order);
	uint8_t *image = image_of(built, built->used);
	struct symbols symbols = {0};
	struct kallsyms found;
	cr_assert(kallsyms_find(image, built->used, &found));
	cr_assert_eq(found.names, built->names);
	cr_assert_eq(found.offsets, built->offsets);
	cr_assert_eq(found.relative_base, built->relative_base);
	cr_assert_eq(found.token_table, built->token_table);
	cr_assert(kallsyms_decode(&found, BASE, &symbols, &error), "%s", error.text);
	check_all_symbols(&symbols);
	symbols_free(&symbols);
	free(image);
	free(built);
}

Test(kallsyms, tables_with_offsets_first_are_found_and_decoded)
{
	check_order(OFFSETS_FIRST);
}

Test(kallsyms, tables_with_offsets_last_are_found_and_decoded)
{
	check_order(OFFSETS_LAST);
}

static bool found_after(enum order order, size_t (*where)(const struct built *), uint8_t flip)
{
	struct built *built = build(order);
	struct kallsyms found;
	built->at[where(built)] ^= flip;
	uint8_t *image = image_of(built, built->used);
	bool is = kallsyms_find(image, built->used, &found);
	free(image);
	free(built);
	return is;
}

static size_t in_num_syms(const struct built *built)
{
	return built->num_syms;
}

static size_t in_first_length(const struct built *built)
{
	return built->names;
}

static size_t in_second_marker(const struct built *built)
{
	return built->markers + 4;
}

static size_t in_tokens(const struct built *built)
{
	return built->token_table + 300;
}

static size_t in_index(const struct built *built)
{
	return built->token_index + 100;
}

static size_t in_offsets(const struct built *built)
{
	return built->offsets + 4 * 10 + 3;
}

static size_t before_the_tables(const struct built *built)
{
	(void)built;
	return 8;
}

Test(kallsyms, tables_that_disagree_are_none)
{
	for (enum order order = OFFSETS_FIRST; order <= OFFSETS_LAST; order++) {
		cr_expect(found_after(order, before_the_tables, 0xff));
		cr_expect(!found_after(order, in_num_syms, 0x01));
		cr_expect(!found_after(order, in_first_length, 0x01));
		cr_expect(!found_after(order, in_second_marker, 0x01));
		cr_expect(!found_after(order, in_tokens, 0x80));
		cr_expect(!found_after(order, in_index, 0x02));
		cr_expect(!found_after(order, in_offsets, 0x80));
	}
}

Test(kallsyms, a_truncated_image_has_none)
{
	for (enum order order = OFFSETS_FIRST; order <= OFFSETS_LAST; order++) {
		struct built *built = build(order);
		for (size_t bytes = 0; bytes<built->used; bytes += bytes> LEAD_BYTES ? 97 : 1024) {
			uint8_t *image = image_of(built, bytes);
			struct kallsyms found;
			cr_assert(!kallsyms_find(image, bytes, &found), "%zu of %zu bytes", bytes, built->used);
			free(image);
		}
		free(built);
	}
}

Test(kallsyms, zeros_and_a_counting_index_are_none)
{
	uint8_t *image = calloc(1, ROOM);
	struct kallsyms found;
	cr_expect(!kallsyms_find(image, ROOM, &found));
	for (unsigned i = 0; i < 256; i++)
		image[4096 + 2 * i] = (uint8_t)i; /* 256 empty tokens */
	cr_expect(!kallsyms_find(image, ROOM, &found));
	free(image);
}

/* Whatever is found in a damaged image decodes inside of it, or says why not. */
Test(kallsyms, random_damage_is_never_followed_out_of_the_image)
{
	unsigned seed = 1, found_count = 0;
	for (int turn = 0; turn < 600; turn++) {
		struct built *built = build(turn % 2 ? OFFSETS_LAST : OFFSETS_FIRST);
		for (int damage = 0; damage <= turn % 3; damage++) {
			size_t tables_bytes = built->used - LEAD_BYTES;
			built->at[LEAD_BYTES + (size_t)rand_r(&seed) % tables_bytes] = (uint8_t)rand_r(&seed);
		}
		uint8_t *image = image_of(built, built->used);
		struct error error = {.status = STATUS_OK};
		struct symbols symbols = {0};
		struct kallsyms found;
		if (kallsyms_find(image, built->used, &found)) {
			found_count++;
			cr_expect(kallsyms_decode(&found, BASE, &symbols, &error) || error.text[0]);
		}
		symbols_free(&symbols);
		free(image);
		free(built);
	}
	cr_expect(found_count > 0 && found_count < 600);
}

/* An image made to be searched for ever: every position looks like a count with many names behind it. */
Test(kallsyms, a_hostile_image_ends_the_search, .timeout = 900)
{
	enum { BYTES = 3 << 20 };
	struct built *built = calloc(1, sizeof(*built));
	put_tokens(built);
	uint8_t *image = calloc(1, BYTES + built->used);
	for (size_t i = 0; i < BYTES; i++)
		image[i] = i % 8 < 3 ? (uint8_t)(i % 8 == 1 ? 0xff : i % 8 == 0 ? 0x01 : 0x05) : 0;
	memcpy(image + BYTES, built->at, built->used);
	struct kallsyms found;
	cr_expect(!kallsyms_find(image, BYTES + built->used, &found));
	free(image);
	free(built);
}

static bool map_read(const char *text, uint64_t text_va, struct symbols *symbols, struct error *error)
{
	*error = (struct error){.status = STATUS_OK};
	*symbols = (struct symbols){0};
	return symbols_add_system_map(symbols, text, text_va, "System.map", error);
}

Test(kallsyms, a_system_map_is_moved_to_where_text_is)
{
	struct error error;
	struct symbols symbols;
	cr_assert(map_read("ffff800008010800 T vectors\nffff800008000000 t _text\nffff800009000000 D "
			   "jiffies\n0000000000000005 A fixed",
			   UINT64_C(0xffffa98099200000), &symbols, &error),
		  "%s", error.text);
	symbols_sort(&symbols);
	cr_assert_eq(symbols.count, 4);
	cr_expect_eq(symbols.at[0].va, 5);
	cr_expect_eq(symbols.at[1].va, UINT64_C(0xffffa98099200000));
	cr_expect_eq(symbols.at[2].va, UINT64_C(0xffffa98099210800));
	cr_expect_str_eq(symbols.names + symbols.at[2].name, "vectors");
	cr_expect_eq(symbols.at[3].type, 'D');
	symbols_free(&symbols);
}

Test(kallsyms, what_is_no_system_map_is_refused_by_line)
{
	static const char *const bad[] = {
		"",
		"ffff800008000000 T vectors\n", /* no _text */
		"ffff800008000000 T _text\n\n",
		"ffff800008000000 T\n",
		"ffff800008000000 T \n",
		"ffff800008000000",
		" T _text\n",
		"10000000000000000 T _text\n",
		"\177ELF",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error error;
		struct symbols symbols;
		cr_expect(!map_read(bad[i], 0, &symbols, &error), "%zu", i);
		cr_expect(strstr(error.text, "System.map") != NULL);
		symbols_free(&symbols);
	}
}

Test(kallsyms, a_name_that_is_too_long_is_refused)
{
	struct error error = {.status = STATUS_OK};
	struct symbols symbols = {0};
	char name[SYMBOLS_NAME_BYTES_MAX + 1];
	memset(name, 'n', sizeof(name));
	cr_expect(symbols_add(&symbols, 0, 'T', name, SYMBOLS_NAME_BYTES_MAX, &error));
	cr_expect(!symbols_add(&symbols, 0, 'T', name, SYMBOLS_NAME_BYTES_MAX + 1, &error));
	cr_expect_eq(symbols.count, 1);
	symbols_free(&symbols);
}

static const Elf64_Shdr *section_of(const uint8_t *file, unsigned index)
{
	const Elf64_Ehdr *header = (const void *)file;
	return (const Elf64_Shdr *)(const void *)(file + header->e_shoff) + index;
}

static const Elf64_Sym *symbol_named(const uint8_t *file, const char *name)
{
	const Elf64_Ehdr *header = (const void *)file;
	const Elf64_Shdr *table = section_of(file, header->e_shnum - 3U);
	const char *names = (const char *)file + section_of(file, table->sh_link)->sh_offset;
	const Elf64_Sym *symbols = (const void *)(file + table->sh_offset);
	cr_assert_eq(table->sh_type, (unsigned)SHT_SYMTAB);
	for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++) {
		cr_assert_eq(ELF64_ST_BIND(symbols[i].st_info) == STB_LOCAL, i < table->sh_info);
		if (strcmp(names + symbols[i].st_name, name) == 0)
			return &symbols[i];
	}
	cr_assert_fail("%s is missing", name);
	abort();
}

static void check_symbol(const uint8_t *file, const char *name, uint64_t va, uint64_t bytes, unsigned type)
{
	const Elf64_Sym *symbol = symbol_named(file, name);
	const Elf64_Shdr *section = section_of(file, symbol->st_shndx);
	cr_expect_eq(symbol->st_value, va, "%s", name);
	cr_expect_eq(symbol->st_size, bytes, "%s has %lu bytes", name, (unsigned long)symbol->st_size);
	cr_expect_eq(ELF64_ST_TYPE(symbol->st_info), type, "%s", name);
	cr_expect_eq(section->sh_type, (unsigned)SHT_NOBITS);
	cr_expect_eq((section->sh_flags & SHF_EXECINSTR) != 0, type == STT_FUNC);
	cr_expect(va >= section->sh_addr && va + bytes <= section->sh_addr + section->sh_size, "%s", name);
}

Test(kallsyms, the_elf_has_every_symbol_with_its_size_in_a_section_of_its_kind)
{
	struct error error = {.status = STATUS_OK};
	struct symbols symbols;
	char path[] = "/tmp/hvrec-test-kallsyms-XXXXXX";
	static _Alignas(8) uint8_t file[8192];
	int fd = mkstemp(path);
	cr_assert(map_read(
		"1000 T _text\n1000 t alias\n1010 t first\n2000 D table\n2008 b zeroes\n3000 W late\n5 a fixed\n",
		0x1000, &symbols, &error));
	symbols_sort(&symbols);
	cr_assert(symbol_elf_write(&symbols, path, &error), "%s", error.text);
	cr_assert(read(fd, file, sizeof(file)) > (ssize_t)sizeof(Elf64_Ehdr));
	const Elf64_Ehdr *header = (const void *)file;
	cr_expect_eq(header->e_machine, EM_AARCH64);
	cr_expect_eq(header->e_type, ET_EXEC);
	cr_expect_eq(header->e_shnum, 7);
	check_symbol(file, "_text", 0x1000, 0x10, STT_FUNC);
	check_symbol(file, "alias", 0x1000, 0x10, STT_FUNC);
	check_symbol(file, "first", 0x1010, 0xff0, STT_FUNC);
	check_symbol(file, "table", 0x2000, 8, STT_OBJECT);
	check_symbol(file, "zeroes", 0x2008, 0xff8, STT_OBJECT);
	check_symbol(file, "late", 0x3000, 4, STT_FUNC);
	cr_expect_eq(symbol_named(file, "fixed")->st_shndx, SHN_ABS);
	symbols_free(&symbols);
	close(fd);
	unlink(path);
}

Test(kallsyms, an_elf_that_cannot_be_written_is_an_error)
{
	struct error error = {.status = STATUS_OK}, none = {.status = STATUS_OK};
	struct symbols symbols = {0};
	cr_expect(!symbol_elf_write(&symbols, "/dev/null", &none));
	cr_assert(symbols_add(&symbols, 4, 'T', "f", 1, &error));
	cr_expect(!symbol_elf_write(&symbols, "/nonexistent/x.elf", &error));
	cr_expect(strstr(error.text, "/nonexistent/x.elf") != NULL);
	error = (struct error){.status = STATUS_OK};
	cr_expect(access("/dev/full", W_OK) != 0 || !symbol_elf_write(&symbols, "/dev/full", &error));
	symbols_free(&symbols);
}
