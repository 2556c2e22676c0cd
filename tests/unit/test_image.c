/* Kernel files into RAM: every format, where the pieces go, and what is wrong with the wrong ones.
 *
 * ELF files are built here, in memory. The RAM of the small tests and the copies of the mutated files are as large as
 * they say and no larger, so that the sanitizers see any access outside. */
#include "recorder/load/image.h"
#include "recorder/load/layout.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <endian.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#define MIB          (UINT64_C(1) << 20)
#define NAME         "some/guest.bin"
#define FLAT_IPA     (GUEST_RAM_IPA + 0x80000)
#define PIE_IPA      (GUEST_RAM_IPA + 2 * MIB)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SMALL_RAM_BYTES = 4 << 20, FUZZ_COUNT = 200000, FILE_BYTES_MAX = 4096 };

/* A program whose file is this struct. */
struct elf_file {
	Elf64_Ehdr header;
	Elf64_Phdr program[4];
	uint32_t code[4];
	Elf64_Rela rela[2];
	uint64_t relr[3];
	Elf64_Dyn dynamic[8];
	uint64_t data[80];
};

static struct guest_config config_of(const void *kernel, size_t bytes, uint64_t ram_bytes)
{
	return (struct guest_config){
		.kernel = kernel,
		.kernel_bytes = bytes,
		.name = NAME,
		.ram_bytes = ram_bytes,
		.vcpu_count = 1,
	};
}

static struct elf_file elf_new(uint16_t type)
{
	struct elf_file file = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = type,
			   .e_machine = EM_AARCH64,
			   .e_version = EV_CURRENT,
			   .e_phoff = offsetof(struct elf_file, program),
			   .e_ehsize = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 2},
		.code = {0xd503201f, 0xd503201f, 0xd503205f, 0x17ffffff},
	};
	return file;
}

/* Code linked high and loaded at 0x40100000, data with zero-initialised memory behind it at 0x40110000. */
static struct elf_file elf_exec(void)
{
	struct elf_file file = elf_new(ET_EXEC);
	file.header.e_entry = 0xffff000000100004;
	file.program[0] = (Elf64_Phdr){.p_type = PT_LOAD,
				       .p_flags = PF_R | PF_X,
				       .p_offset = offsetof(struct elf_file, code),
				       .p_vaddr = 0xffff000000100000,
				       .p_paddr = 0x40100000,
				       .p_filesz = sizeof(file.code),
				       .p_memsz = sizeof(file.code)};
	file.program[1] = (Elf64_Phdr){.p_type = PT_LOAD,
				       .p_flags = PF_R | PF_W,
				       .p_offset = offsetof(struct elf_file, data),
				       .p_vaddr = 0xffff000000110000,
				       .p_paddr = 0x40110000,
				       .p_filesz = sizeof(file.data),
				       .p_memsz = 0x2000};
	memset(file.data, 0x5a, sizeof(file.data));
	return file;
}

/* The whole file is one segment, at address 0 of the program. data[0] has a RELA; data[2], [3], [5] and [66] a RELR. */
static struct elf_file elf_pie(void)
{
	struct elf_file file = elf_new(ET_DYN);
	const uint64_t data = offsetof(struct elf_file, data);
	file.header.e_entry = offsetof(struct elf_file, code);
	file.program[0] = (Elf64_Phdr){.p_type = PT_LOAD,
				       .p_flags = PF_R | PF_W | PF_X,
				       .p_filesz = sizeof(file),
				       .p_memsz = sizeof(file) + 0x1000,
				       .p_align = 0x10000};
	file.program[1] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
				       .p_offset = offsetof(struct elf_file, dynamic),
				       .p_vaddr = offsetof(struct elf_file, dynamic),
				       .p_filesz = sizeof(file.dynamic),
				       .p_memsz = sizeof(file.dynamic)};
	file.rela[0] = (Elf64_Rela){.r_offset = data, .r_info = R_AARCH64_RELATIVE, .r_addend = 0x1230};
	file.rela[1] = (Elf64_Rela){.r_info = R_AARCH64_NONE};
	file.relr[0] = data + 16;
	file.relr[1] = 1 | 1 << 1 | 1 << 3;
	file.relr[2] = 1 | 1 << 1;
	for (uint64_t i = 0; i < COUNT(file.data); i++)
		file.data[i] = i;
	const Elf64_Dyn dynamic[] = {
		{.d_tag = DT_RELA, .d_un.d_ptr = offsetof(struct elf_file, rela)},
		{.d_tag = DT_RELASZ, .d_un.d_val = sizeof(file.rela)},
		{.d_tag = DT_RELAENT, .d_un.d_val = sizeof(Elf64_Rela)},
		{.d_tag = DT_RELR, .d_un.d_ptr = offsetof(struct elf_file, relr)},
		{.d_tag = DT_RELRSZ, .d_un.d_val = sizeof(file.relr)},
		{.d_tag = DT_RELRENT, .d_un.d_val = sizeof(uint64_t)},
	};
	memcpy(file.dynamic, dynamic, sizeof(dynamic));
	return file;
}

static void put_u64(uint8_t *place, uint64_t value)
{
	value = htole64(value);
	memcpy(place, &value, sizeof(value));
}

static void put_u32(uint8_t *place, uint32_t value)
{
	value = htole32(value);
	memcpy(place, &value, sizeof(value));
}

static void image_fill(uint8_t *file, size_t bytes, uint64_t text_offset, uint64_t image_size, uint64_t flags)
{
	for (size_t i = 0; i < bytes; i++)
		file[i] = (uint8_t)(i * 7);
	memcpy(file, "MZ\x40\xfa", 4);
	put_u64(file + 8, text_offset);
	put_u64(file + 16, image_size);
	put_u64(file + 24, flags);
	memcpy(file + 56, "ARM\x64", 4);
}

/* Compresses with a gzip header; returns the length. */
static size_t gzip_fill(uint8_t *out, size_t out_bytes, const uint8_t *in, size_t in_bytes)
{
	z_stream stream = {0};
	cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (Bytef *)(uintptr_t)in;
	stream.avail_in = (uInt)in_bytes;
	stream.next_out = out;
	stream.avail_out = (uInt)out_bytes;
	cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	size_t bytes = stream.total_out;
	deflateEnd(&stream);
	return bytes;
}

/* An EFI zboot image around `payload`; returns the length. */
static size_t zboot_fill(uint8_t *out, const char *type, const uint8_t *payload, size_t bytes)
{
	const uint32_t offset = 96;
	memset(out, 0, offset);
	memcpy(out, "MZ\0\0zimg", 8);
	put_u32(out + 8, offset);
	put_u32(out + 12, (uint32_t)bytes);
	memcpy(out + 24, type, strlen(type));
	put_u32(out + 56, 0x818223cd);
	put_u32(out + 60, 64);
	memcpy(out + 64, "PE\0", 4);
	memcpy(out + offset, payload, bytes);
	return offset + bytes;
}

static bool small_load(const void *kernel, size_t bytes, uint8_t **ram, struct guest_layout *layout,
		       struct error *error)
{
	struct guest_config config = config_of(kernel, bytes, SMALL_RAM_BYTES);
	*ram = calloc(1, SMALL_RAM_BYTES);
	struct guest_ram guest_ram = {.start = *ram, .bytes = SMALL_RAM_BYTES};
	*layout = (struct guest_layout){0};
	*error = (struct error){0};
	return image_load(&config, &guest_ram, layout, error);
}

static void error_check(const struct error *error, const char *name, const char *part)
{
	cr_expect_eq(error->status, STATUS_FAILED, "no error with: %s", part);
	cr_expect_not_null(strstr(error->text, name), "%s: not named in: %s", part, error->text);
	cr_expect_not_null(strstr(error->text, part), "%s: not in: %s", part, error->text);
	cr_expect_null(strchr(error->text, '\n'), "more than one line: %s", error->text);
}

static void refused(const void *kernel, size_t bytes, const char *part)
{
	uint8_t *ram;
	struct guest_layout layout;
	struct error error;
	uint8_t *exact = malloc(bytes == 0 ? 1 : bytes);
	memcpy(exact, kernel, bytes);
	cr_expect_not(small_load(exact, bytes, &ram, &layout, &error), "accepted with: %s", part);
	error_check(&error, NAME, part);
	free(exact);
	free(ram);
}

static void refused_elf(struct elf_file file, const char *part)
{
	refused(&file, sizeof(file), part);
}

Test(image, header_table)
{
	static const struct {
		uint64_t text_offset, image_size, entry_ipa, kernel_bytes;
	} table[] = {
		{0, 0x10000, GUEST_RAM_IPA + 2 * MIB, 0x10000}, /* Linux since 5.8 */
		{0x80000, 0x10000, FLAT_IPA, 0x10000},          /* Linux before */
		{0x1000, 0x10000, GUEST_RAM_IPA + 0x1000, 0x10000},
		{0xffc, 0x10000, GUEST_RAM_IPA + 2 * MIB + 0xffc, 0x10000},
		{0, 0, FLAT_IPA, 1024}, /* before 3.17: neither field counts */
		{UINT64_MAX, 0, FLAT_IPA, 1024},
		{0, 64, GUEST_RAM_IPA + 2 * MIB, 1024}, /* never less than the file */
		{0, 2 * MIB, GUEST_RAM_IPA + 2 * MIB, 2 * MIB},
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		uint8_t file[1024];
		image_fill(file, sizeof(file), table[i].text_offset, table[i].image_size, 0xa);
		uint8_t *ram;
		struct guest_layout layout;
		struct error error;
		cr_assert(small_load(file, sizeof(file), &ram, &layout, &error), "row %zu: %s", i, error.text);
		cr_expect_eq(layout.kind, GUEST_KIND_IMAGE);
		cr_expect_eq(layout.entry_ipa, table[i].entry_ipa, "row %zu", i);
		cr_expect_eq(layout.kernel_ipa, table[i].entry_ipa, "row %zu", i);
		cr_expect_eq(layout.kernel_bytes, table[i].kernel_bytes, "row %zu", i);
		cr_expect_arr_eq(ram + (table[i].entry_ipa - GUEST_RAM_IPA), file, sizeof(file));
		free(ram);
	}
}

Test(image, header_errors)
{
	static const struct {
		uint64_t text_offset, image_size, flags;
		const char *part;
	} table[] = {
		{0, 0x10000, 1, "big-endian"},       {0x1001, 0x10000, 0, "text_offset"},
		{0, 2 * MIB + 1, 0, "--memory"},     {0, UINT64_MAX, 0, "--memory"},
		{SMALL_RAM_BYTES, 4, 0, "--memory"}, {UINT64_MAX - 3, 0x10000, 0, "--memory"},
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		uint8_t file[1024];
		image_fill(file, sizeof(file), table[i].text_offset, table[i].image_size, table[i].flags);
		refused(file, sizeof(file), table[i].part);
	}
}

Test(image, flat_goes_to_512_kib)
{
	static const uint8_t file[] = {0x1f, 0x20, 0x03, 0xd5, 0xff};
	uint8_t *ram;
	struct guest_layout layout;
	struct error error;
	cr_assert(small_load(file, sizeof(file), &ram, &layout, &error), "%s", error.text);
	cr_expect_eq(layout.kind, GUEST_KIND_FLAT);
	cr_expect_eq(layout.entry_ipa, FLAT_IPA);
	cr_expect_eq(layout.kernel_ipa, FLAT_IPA);
	cr_expect_eq(layout.kernel_bytes, sizeof(file));
	cr_expect_eq(layout.load_offset, 0);
	cr_expect_arr_eq(ram + 0x80000, file, sizeof(file));
	free(ram);
}

Test(image, other_files_are_refused)
{
	static const struct {
		const char *data;
		size_t bytes;
		const char *part;
	} table[] = {
		{"", 0, "empty"},
		{"\x28\xb5\x2f\xfd....", 8, "zstd"},
		{"\xfd\x37zXZ\0..", 8, "xz"},
		{"BZh91AY", 7, "bzip2"},
		{"\x04\x22\x4d\x18", 4, "lz4"},
		{"\x02\x21\x4c\x18", 4, "lz4"},
		{"\x27\x05\x19\x56", 4, "uImage"},
		{"\xd0\x0d\xfe\xed", 4, "--dtb"},
		{"!<arch>\n", 8, "library"},
		{"#!/bin/sh", 9, "script"},
		{"\x1f\x8b", 2, "ends early"},
		{"\x1f\x8b\x08\xff", 4, "damaged"},
		{"\177ELF", 4, "ends early"},
		{"\177ELF\1\1\1.............", 20, "32-bit"},
		{"\177ELF\2\2\1.............", 20, "big-endian"},
		{"\177ELF\2\1\1.............", 20, "ends early"},
		{"MZ\0\0zimg", 8, "ends early"},
	};
	for (size_t i = 0; i < COUNT(table); i++)
		refused(table[i].data, table[i].bytes, table[i].part);
	uint8_t pe[128] = "MZ";
	put_u32(pe + 0x3c, 64);
	memcpy(pe + 64, "PE\0", 4);
	refused(pe, sizeof(pe), "EFI program");
	uint8_t *large = calloc(1, SMALL_RAM_BYTES);
	refused(large, SMALL_RAM_BYTES, "--memory");
	free(large);
}

Test(image, compressed_images_are_unpacked)
{
	uint8_t image[200000], packed[FILE_BYTES_MAX], zboot[FILE_BYTES_MAX + 256];
	image_fill(image, sizeof(image), 0, 0x40000, 0xa);
	size_t packed_bytes = gzip_fill(packed, sizeof(packed), image, sizeof(image));
	size_t zboot_bytes = zboot_fill(zboot, "gzip", packed, packed_bytes);
	const struct guest_file file[] = {{packed, packed_bytes, NULL}, {zboot, zboot_bytes, NULL}};
	for (size_t i = 0; i < COUNT(file); i++) {
		uint8_t *ram;
		struct guest_layout layout;
		struct error error;
		cr_assert(small_load(file[i].data, file[i].bytes, &ram, &layout, &error), "%s", error.text);
		cr_expect_eq(layout.kind, GUEST_KIND_IMAGE);
		cr_expect_eq(layout.entry_ipa, GUEST_RAM_IPA + 2 * MIB);
		cr_expect_eq(layout.kernel_bytes, 0x40000);
		cr_expect_eq(memcmp(ram + 2 * MIB, image, sizeof(image)), 0);
		free(ram);
	}
	refused(packed, packed_bytes / 2, "ends early");
	refused(packed, packed_bytes - 1, "ends early");
	refused(zboot, zboot_bytes - 1, "outside the file");
	packed[packed_bytes - 6] ^= 1; /* the checksum */
	refused(packed, packed_bytes, "damaged");
}

Test(image, zboot_errors)
{
	uint8_t zboot[256];
	static const uint8_t payload[] = "not packed";
	refused(zboot, zboot_fill(zboot, "zstd", payload, sizeof(payload)), "\"zstd\"");
	refused(zboot, zboot_fill(zboot, "\n\033[2J", payload, sizeof(payload)), "\"??[2J\"");
	refused(zboot, zboot_fill(zboot, "gzip", payload, sizeof(payload)), "damaged");
	size_t bytes = zboot_fill(zboot, "gzip", payload, sizeof(payload));
	put_u32(zboot + 8, UINT32_MAX);
	refused(zboot, bytes, "outside the file");
	put_u32(zboot + 8, 64);
	put_u32(zboot + 12, UINT32_MAX);
	refused(zboot, bytes, "outside the file");
}

Test(image, unpacking_is_bounded_by_ram)
{
	uint8_t *zeros = calloc(1, 2 * SMALL_RAM_BYTES);
	uint8_t packed[32768], twice[32768];
	size_t bytes = gzip_fill(packed, sizeof(packed), zeros, 2 * SMALL_RAM_BYTES);
	refused(packed, bytes, "--memory");
	refused(twice, gzip_fill(twice, sizeof(twice), packed, bytes), "compressed twice");
	refused(twice, gzip_fill(twice, sizeof(twice), packed, 0), "empty");
	free(zeros);
}

Test(image, elf_exec_goes_to_physical_addresses)
{
	struct elf_file file = elf_exec();
	uint8_t *ram;
	struct guest_layout layout;
	struct error error;
	cr_assert(small_load(&file, sizeof(file), &ram, &layout, &error), "%s", error.text);
	cr_expect_eq(layout.kind, GUEST_KIND_ELF);
	cr_expect_eq(layout.entry_ipa, 0x40100004, "translated from virtual");
	cr_expect_eq(layout.kernel_ipa, 0x40100000);
	cr_expect_eq(layout.kernel_bytes, 0x12000, "zero-initialised memory counts");
	cr_expect_eq(layout.load_offset, 0);
	cr_expect_eq(memcmp(ram + 0x100000, file.code, sizeof(file.code)), 0);
	cr_expect_eq(memcmp(ram + 0x110000, file.data, sizeof(file.data)), 0);
	cr_expect_eq(ram[0x110000 + sizeof(file.data)], 0);
	free(ram);
	file.header.e_entry = 0x40100008;
	cr_assert(small_load(&file, sizeof(file), &ram, &layout, &error), "%s", error.text);
	cr_expect_eq(layout.entry_ipa, 0x40100008, "given as physical");
	free(ram);
}

/* A loader needs no sections: strip may have cut them, and nothing says that they are good. */
Test(image, elf_sections_do_not_matter)
{
	static const struct {
		uint64_t offset;
		uint16_t count, entry_bytes, names;
	} cases[] = {{UINT64_MAX, 5, sizeof(Elf64_Shdr), 4},
		     {UINT64_MAX - 3, 0, sizeof(Elf64_Shdr), 0},
		     {1 << 20, 5, sizeof(Elf64_Shdr), 1},
		     {64, UINT16_MAX, sizeof(Elf64_Shdr), UINT16_MAX},
		     {3, 2, sizeof(Elf64_Shdr), 9},
		     {64, 2, 7, 1},
		     {64, 0, 0, 0},
		     {sizeof(struct elf_file) - 8, 0, sizeof(Elf64_Shdr), 0}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct elf_file file = elf_exec();
		uint8_t *ram;
		struct guest_layout layout;
		struct error error;
		file.header.e_shoff = cases[i].offset;
		file.header.e_shnum = cases[i].count;
		file.header.e_shentsize = cases[i].entry_bytes;
		file.header.e_shstrndx = cases[i].names;
		cr_expect(small_load(&file, sizeof(file), &ram, &layout, &error), "%zu: %s", i, error.text);
		free(ram);
	}
}

Test(image, elf_pie_is_relocated)
{
	struct elf_file file = elf_pie();
	uint8_t *ram;
	struct guest_layout layout;
	struct error error;
	cr_assert(small_load(&file, sizeof(file), &ram, &layout, &error), "%s", error.text);
	cr_expect_eq(layout.kind, GUEST_KIND_ELF_PIE);
	cr_expect_eq(layout.load_offset, PIE_IPA);
	cr_expect_eq(layout.entry_ipa, PIE_IPA + offsetof(struct elf_file, code));
	cr_expect_eq(layout.kernel_ipa, PIE_IPA);
	cr_expect_eq(layout.kernel_bytes, sizeof(file) + 0x1000);
	struct elf_file *loaded = (struct elf_file *)(void *)(ram + 2 * MIB);
	for (uint64_t i = 0; i < COUNT(file.data); i++) {
		bool relr = i == 2 || i == 3 || i == 5 || i == 66;
		uint64_t expected = i == 0 ? PIE_IPA + 0x1230 : relr ? PIE_IPA + i : i;
		cr_expect_eq(loaded->data[i], expected, "data[%d] is 0x%llx", (int)i,
			     (unsigned long long)loaded->data[i]);
	}
	free(ram);
}

Test(image, elf_pie_linked_in_ram_stays_there)
{
	struct elf_file file = elf_pie();
	const uint64_t base = GUEST_RAM_IPA + 0x80000;
	file.program[0].p_vaddr = base;
	file.header.e_entry += base;
	file.rela[0].r_offset += base;
	file.dynamic[0].d_un.d_ptr += base;
	file.dynamic[4].d_un.d_val = 0;
	uint8_t *ram;
	struct guest_layout layout;
	struct error error;
	cr_assert(small_load(&file, sizeof(file), &ram, &layout, &error), "%s", error.text);
	cr_expect_eq(layout.load_offset, 0);
	cr_expect_eq(layout.kernel_ipa, base);
	cr_expect_eq(layout.entry_ipa, base + offsetof(struct elf_file, code));
	struct elf_file *loaded = (struct elf_file *)(void *)(ram + 0x80000);
	cr_expect_eq(loaded->data[0], 0x1230);
	cr_expect_eq(loaded->data[2], 2);
	free(ram);
}

Test(image, elf_header_errors)
{
#define BAD_ELF(make, change, part)                                                                                    \
	do {                                                                                                           \
		struct elf_file file = make();                                                                         \
		change;                                                                                                \
		refused_elf(file, part);                                                                               \
	} while (0)
	BAD_ELF(elf_exec, file.header.e_machine = EM_X86_64, "machine 62");
	BAD_ELF(elf_exec, file.header.e_version = 2, "version 2");
	BAD_ELF(elf_exec, file.header.e_type = ET_REL, "object file");
	BAD_ELF(elf_exec, file.header.e_type = ET_CORE, "core dump");
	BAD_ELF(elf_exec, file.header.e_type = 77, "type 77");
	BAD_ELF(elf_exec, file.header.e_phnum = 0, "program headers");
	BAD_ELF(elf_exec, file.header.e_phentsize = 55, "program headers");
	BAD_ELF(elf_exec, file.header.e_phnum = UINT16_MAX, "outside the file");
	BAD_ELF(elf_exec, file.header.e_phoff = UINT64_MAX, "outside the file");
	BAD_ELF(elf_exec, file.header.e_phoff = sizeof(file), "outside the file");
	BAD_ELF(elf_exec, file.header.e_entry = 0x40100002, "multiple of 4");
	BAD_ELF(elf_exec, file.program[0].p_paddr++, "multiple of 4");
	BAD_ELF(elf_exec, file.header.e_entry = 0x40100010, "in no segment");
	BAD_ELF(elf_exec, file.header.e_entry = 0, "in no segment");
	BAD_ELF(elf_pie, file.header.e_entry = PIE_IPA, "in no segment");
}

Test(image, elf_segment_errors)
{
	BAD_ELF(elf_exec, file.program[0].p_filesz = file.program[0].p_memsz + 1, "more bytes in the file");
	BAD_ELF(elf_exec, file.program[0].p_offset = sizeof(file) - 1, "outside the file");
	BAD_ELF(elf_exec, file.program[0].p_offset = UINT64_MAX - 7, "outside the file");
	BAD_ELF(elf_exec, file.program[0].p_paddr = GUEST_RAM_IPA - 8, "outside RAM");
	BAD_ELF(elf_exec, file.program[0].p_paddr = GUEST_RAM_IPA + SMALL_RAM_BYTES - 8, "outside RAM");
	BAD_ELF(elf_exec, file.program[0].p_paddr = UINT64_MAX - 7, "outside RAM");
	BAD_ELF(elf_exec, file.program[1].p_memsz = UINT64_MAX, "outside RAM");
	BAD_ELF(elf_exec, file.program[1].p_paddr = 0x4010000c, "overlap at 0x4010000c");
	BAD_ELF(elf_exec, file.program[1].p_paddr = 0x400fe001, "overlap at 0x40100000");
	BAD_ELF(elf_exec, file.program[0].p_type = file.program[1].p_type = PT_NOTE, "nothing to load");
	BAD_ELF(elf_exec, file.program[1].p_type = PT_INTERP, "-static");
	BAD_ELF(elf_pie, file.program[1].p_type = PT_INTERP, "-static-pie");
	BAD_ELF(elf_pie, file.program[0].p_align = 4 * MIB, "max-page-size");
	BAD_ELF(elf_pie, file.program[0].p_memsz = SMALL_RAM_BYTES, "outside RAM");
	/* Linux's vmlinux is such a file */
	BAD_ELF(elf_pie, file.program[0].p_vaddr = 0xffff800008000000, "give the Image");
	/* wraps around into RAM once the base is added */
	BAD_ELF(elf_pie,
		(file.program[2] = file.program[0], file.program[2].p_vaddr = -(uint64_t)0x1000,
		 file.header.e_phnum = 3),
		"outside RAM");
}

Test(image, elf_of_too_many_segments_is_refused)
{
	static struct {
		struct elf_file file;
		Elf64_Phdr program[65];
	} many;
	many.file = elf_exec();
	many.file.header.e_phoff = offsetof(__typeof__(many), program);
	many.file.header.e_phnum = COUNT(many.program);
	for (size_t i = 0; i < COUNT(many.program); i++)
		many.program[i] = many.file.program[0];
	refused(&many, sizeof(many), "more than 64");
}

Test(image, elf_relocation_errors)
{
	BAD_ELF(elf_pie, file.rela[0].r_info = R_AARCH64_ABS64, "type 257");
	BAD_ELF(elf_pie, file.rela[0].r_offset = sizeof(file) + 0x1000 - 7, "outside the ELF segments");
	BAD_ELF(elf_pie, file.rela[0].r_offset = UINT64_MAX, "outside the ELF segments");
	BAD_ELF(elf_pie, file.relr[0] = sizeof(file) + 0x1000, "outside the ELF segments");
	BAD_ELF(elf_pie, file.relr[0] = sizeof(file) + 0xff8, "outside the ELF segments");
	BAD_ELF(elf_pie, file.dynamic[0].d_un.d_ptr = UINT64_MAX - 8, "relocation table");
	BAD_ELF(elf_pie, file.dynamic[1].d_un.d_val = UINT64_MAX - 23, "relocation table");
	BAD_ELF(elf_pie, file.dynamic[1].d_un.d_val = 25, "relocation table");
	BAD_ELF(elf_pie, file.dynamic[2].d_un.d_val = 16, "relocation tables that");
	BAD_ELF(elf_pie, file.dynamic[4].d_un.d_val = 7, "relocation table");
	BAD_ELF(elf_pie, file.dynamic[5].d_un.d_val = 4, "relocation tables that");
	BAD_ELF(elf_pie, file.dynamic[5].d_tag = DT_NEEDED, "dynamic linker");
	BAD_ELF(elf_pie, file.program[1].p_offset = sizeof(file), "dynamic section");
	BAD_ELF(elf_pie, file.program[1].p_filesz = UINT64_MAX, "dynamic section");
	/* a table that is only zero-initialised memory is no table, but harmless: every entry is of type NONE */
	struct elf_file file = elf_pie();
	file.dynamic[0].d_un.d_ptr = sizeof(file);
	uint8_t *ram;
	struct guest_layout layout;
	struct error error;
	cr_expect(small_load(&file, sizeof(file), &ram, &layout, &error), "%s", error.text);
	free(ram);
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Changes a few bits, bytes or words of the file, and may cut it. Returns the new length. */
static size_t mutate(uint8_t *file, size_t bytes, uint64_t *state)
{
	static const uint64_t edge[] = {0,
					1,
					8,
					0x7fffffff,
					0xffffffff,
					GUEST_RAM_IPA,
					GUEST_RAM_IPA + SMALL_RAM_BYTES - 8,
					INT64_MAX,
					UINT64_MAX - 7,
					UINT64_MAX};
	for (uint64_t left = random_next(state) % 4 + 1; left > 0; left--) {
		/* half of the changes to the first 384 bytes: the headers */
		uint64_t room = random_next(state) % 2 == 0 && bytes > 384 ? 384 : bytes;
		uint64_t at = random_next(state) % room;
		uint64_t word = edge[random_next(state) % COUNT(edge)] + random_next(state) % 3;
		switch (random_next(state) % 4) {
		case 0:
			file[at] ^= (uint8_t)(1 << random_next(state) % 8);
			break;
		case 1:
			file[at] = (uint8_t)random_next(state);
			break;
		case 2:
			if ((at &= ~UINT64_C(7)) + 8 <= bytes)
				put_u64(file + at, word);
			break;
		default:
			if ((at &= ~UINT64_C(3)) + 4 <= bytes)
				put_u32(file + at, (uint32_t)word);
			break;
		}
	}
	return random_next(state) % 16 == 0 ? random_next(state) % bytes : bytes;
}

static bool sound(const struct guest_ram *ram, const struct guest_layout *layout)
{
	return layout->kernel_bytes > 0 && layout_ram_holds(ram, layout->kernel_ipa, layout->kernel_bytes) &&
	       layout->entry_ipa % 4 == 0 && layout->entry_ipa >= layout->kernel_ipa &&
	       layout->entry_ipa - layout->kernel_ipa < layout->kernel_bytes;
}

Test(image, mutated_files_never_harm)
{
	struct elf_file exec = elf_exec(), pie = elf_pie();
	uint8_t image[1024], packed[FILE_BYTES_MAX], zboot[FILE_BYTES_MAX];
	image_fill(image, sizeof(image), 0, 0x10000, 0xa);
	size_t packed_bytes = gzip_fill(packed, sizeof(packed), image, sizeof(image));
	size_t zboot_bytes = zboot_fill(zboot, "gzip", packed, packed_bytes);
	/* compressed files are slow and zlib has its own fuzzers: the others come twice as often */
	const struct guest_file corpus[] = {
		{(const uint8_t *)&exec, sizeof(exec), NULL},
		{(const uint8_t *)&pie, sizeof(pie), NULL},
		{(const uint8_t *)&pie, sizeof(pie), NULL},
		{image, sizeof(image), NULL},
		{packed, packed_bytes, NULL},
		{zboot, zboot_bytes, NULL},
	};
	struct guest_ram ram = {.start = calloc(1, SMALL_RAM_BYTES), .bytes = SMALL_RAM_BYTES};
	uint64_t state = 0x9e3779b97f4a7c15;
	size_t loaded_count = 0;
	for (size_t i = 0; i < FUZZ_COUNT; i++) {
		const struct guest_file *origin = &corpus[random_next(&state) % COUNT(corpus)];
		uint8_t mutant[FILE_BYTES_MAX];
		memcpy(mutant, origin->data, origin->bytes);
		size_t bytes = mutate(mutant, origin->bytes, &state);
		uint8_t *exact = malloc(bytes == 0 ? 1 : bytes);
		memcpy(exact, mutant, bytes);
		struct guest_config config = config_of(exact, bytes, SMALL_RAM_BYTES);
		struct guest_layout layout = {0};
		struct error error = {0};
		bool loaded = image_load(&config, &ram, &layout, &error);
		loaded_count += loaded;
		if (loaded ? !sound(&ram, &layout) || error.status != STATUS_OK
			   : error.status != STATUS_FAILED || strstr(error.text, NAME) == NULL)
			cr_assert_fail("mutant %zu: %s", i, error.text);
		free(exact);
	}
	cr_expect_gt(loaded_count, FUZZ_COUNT / 20, "too few mutants load: %zu", loaded_count);
	cr_expect_lt(loaded_count, FUZZ_COUNT - FUZZ_COUNT / 20, "too few mutants are refused: %zu", loaded_count);
	free(ram.start);
}

/* A guest laid out in RAM of its own, which the caller unmaps. */
struct laid_out {
	uint8_t *ram;
	uint64_t ram_bytes;
	struct guest_layout layout;
	struct error error;
	bool ok;
};

static struct laid_out lay_out(const struct guest_config *config)
{
	struct laid_out out = {.ram_bytes = config->ram_bytes};
	out.ram = mmap(NULL, config->ram_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		       0);
	cr_assert_neq(out.ram, MAP_FAILED);
	out.ok = layout_load(config, out.ram, &out.layout, &out.error);
	return out;
}

static void lay_out_free(struct laid_out *out)
{
	free(out->layout.dtb);
	munmap(out->ram, out->ram_bytes);
}

static bool dtb_is_at(const struct laid_out *out, uint64_t ipa)
{
	return memcmp(out->ram + (ipa - GUEST_RAM_IPA), out->layout.dtb, out->layout.dtb_bytes) == 0;
}

Test(image, layout_linux_is_placed_as_qemu_does)
{
	static const struct {
		uint64_t ram_bytes, image_size, initrd_bytes, initrd_ipa, dtb_ipa;
	} table[] = {
		{512 * MIB, MIB, 5, 0x48000000, 0x48200000},
		{512 * MIB, MIB, 2 * MIB, 0x48000000, 0x48200000},
		{512 * MIB, MIB, 2 * MIB + 1, 0x48000000, 0x48400000},
		{512 * MIB, MIB, 0, 0, 0x48000000},
		{64 * MIB, MIB, 5, 0x42000000, 0x42200000},
		{512 * MIB, 200 * MIB + 1, 5, 0x4ca01000, 0x4cc00000},
		{512 * MIB, 200 * MIB, 0, 0, 0x4ca00000},
	};
	uint8_t *initrd = malloc(2 * MIB + 1);
	memset(initrd, 0xa5, 2 * MIB + 1);
	for (size_t i = 0; i < COUNT(table); i++) {
		uint8_t image[1024];
		image_fill(image, sizeof(image), 0, table[i].image_size, 0xa);
		struct guest_config config = config_of(image, sizeof(image), table[i].ram_bytes);
		config.initrd = table[i].initrd_bytes != 0 ? initrd : NULL;
		config.initrd_bytes = table[i].initrd_bytes;
		struct laid_out out = lay_out(&config);
		cr_assert(out.ok, "row %zu: %s", i, out.error.text);
		cr_expect_eq(out.layout.entry_ipa, 0x40200000);
		cr_expect_eq(out.layout.initrd_ipa, table[i].initrd_ipa, "row %zu", i);
		cr_expect_eq(out.layout.initrd_bytes, table[i].initrd_bytes, "row %zu", i);
		cr_expect_eq(out.layout.dtb_ipa, table[i].dtb_ipa, "row %zu", i);
		cr_expect(dtb_is_at(&out, table[i].dtb_ipa), "row %zu", i);
		cr_expect_not(dtb_is_at(&out, GUEST_RAM_IPA), "row %zu", i);
		if (table[i].initrd_bytes != 0)
			cr_expect_eq(
				memcmp(out.ram + (table[i].initrd_ipa - GUEST_RAM_IPA), initrd, table[i].initrd_bytes),
				0);
		lay_out_free(&out);
	}
	free(initrd);
}

Test(image, layout_bare_metal_finds_the_tree_above_and_at_the_start_of_ram)
{
	static const uint8_t flat[64] = {0x1f, 0x20, 0x03, 0xd5};
	struct elf_file exec = elf_exec(), pie = elf_pie();
	const struct guest_file file[] = {{flat, sizeof(flat), NULL},
					  {(uint8_t *)&exec, sizeof(exec), NULL},
					  {(uint8_t *)&pie, sizeof(pie), NULL}};
	for (size_t i = 0; i < COUNT(file); i++) {
		struct guest_config config = config_of(file[i].data, file[i].bytes, 512 * MIB);
		struct laid_out out = lay_out(&config);
		cr_assert(out.ok, "%s", out.error.text);
		cr_expect_eq(out.layout.dtb_ipa, 0x48000000);
		cr_expect(dtb_is_at(&out, 0x48000000));
		cr_expect(dtb_is_at(&out, GUEST_RAM_IPA));
		lay_out_free(&out);
	}
}

Test(image, layout_tree_is_never_written_over_a_program_at_the_start_of_ram)
{
	struct elf_file file = elf_exec();
	file.program[0].p_paddr = GUEST_RAM_IPA + 8;
	struct guest_config config = config_of(&file, sizeof(file), 64 * MIB);
	struct laid_out out = lay_out(&config);
	cr_assert(out.ok, "%s", out.error.text);
	cr_expect_eq(out.layout.dtb_ipa, 0x42000000);
	cr_expect_eq(memcmp(out.ram + 8, file.code, sizeof(file.code)), 0);
	cr_expect_eq(out.ram[0], 0);
	lay_out_free(&out);
}

Test(image, layout_tree_at_the_start_of_ram_serves_if_there_is_no_room_above)
{
	struct elf_file file = elf_exec();
	struct guest_config config = config_of(&file, sizeof(file), 2 * MIB);
	struct laid_out out = lay_out(&config);
	cr_assert(out.ok, "%s", out.error.text);
	cr_expect_eq(out.layout.dtb_ipa, GUEST_RAM_IPA);
	cr_expect(dtb_is_at(&out, GUEST_RAM_IPA));
	lay_out_free(&out);
}

Test(image, layout_equal_configs_make_equal_guests)
{
	struct elf_file file = elf_pie();
	struct guest_config config = config_of(&file, sizeof(file), 8 * MIB);
	config.initrd = "initrd";
	config.initrd_bytes = 6;
	config.bootargs = "one two";
	struct laid_out a = lay_out(&config), b = lay_out(&config);
	cr_assert(a.ok && b.ok, "%s", a.error.text);
	cr_expect_eq(memcmp(a.ram, b.ram, config.ram_bytes), 0);
	cr_expect_eq(a.layout.dtb_bytes, b.layout.dtb_bytes);
	lay_out_free(&a);
	lay_out_free(&b);
}

static void layout_refused(const struct guest_config *config, const char *name, const char *part)
{
	struct guest_layout layout;
	struct error error = {0};
	uint8_t *ram = calloc(1, SMALL_RAM_BYTES);
	cr_expect_not(layout_load(config, ram, &layout, &error), "accepted with: %s", part);
	cr_expect_null(layout.dtb);
	error_check(&error, name, part);
	free(ram);
}

Test(image, layout_errors_name_the_file)
{
	uint8_t image[1024];
	image_fill(image, sizeof(image), 0, MIB, 0xa);
	const struct guest_config good = config_of(image, sizeof(image), SMALL_RAM_BYTES);
	struct guest_config config = good;
	config.initrd = image;
	config.initrd_name = "some/initrd";
	layout_refused(&config, "some/initrd", "empty");
	config.initrd_bytes = SIZE_MAX;
	layout_refused(&config, "some/initrd", "--memory");
	config.initrd_bytes = MIB + 1; /* RAM ends 1 MiB behind the kernel */
	layout_refused(&config, "some/initrd", "--memory");
	config = good; /* the next 2 MiB block behind the kernel is outside RAM */
	layout_refused(&config, NAME, "device tree");
	config.ram_bytes = SMALL_RAM_BYTES - 1;
	layout_refused(&config, NAME, "multiple of 4 KiB");
	config.ram_bytes = 0;
	layout_refused(&config, NAME, "multiple of 4 KiB");
	config.ram_bytes = UINT64_MAX - 0xfff;
	layout_refused(&config, NAME, "255 GiB");
	config = good;
	config.vcpu_count = 0;
	layout_refused(&config, NAME, "vCPUs");
	config.vcpu_count = GUEST_VCPU_MAX + 1;
	layout_refused(&config, NAME, "vCPUs");
	config = good;
	config.dtb = "not a device tree";
	config.dtb_bytes = 17;
	config.dtb_name = "some/tree.dtb";
	layout_refused(&config, "some/tree.dtb", "valid");
}

Test(image, firmware_and_flash_images_are_warned_of)
{
	static uint8_t ram[SMALL_RAM_BYTES], file[0x3000];
	const struct guest_ram guest_ram = {.start = ram, .bytes = sizeof(ram)};
	const struct guest_config config = config_of(file, sizeof(file), sizeof(ram));
	struct guest_layout layout = {0};
	struct error error = {0};
	cr_assert(image_load(&config, &guest_ram, &layout, &error), "%s", error.text);
	cr_expect_null(layout.warning);
	memcpy(file + 0x1028, "_FVH", 4); /* behind a block with the reset vector, as EDK2's */
	cr_assert(image_load(&config, &guest_ram, &layout, &error), "%s", error.text);
	cr_expect(layout.warning && strstr(layout.warning, "EDK2"));
	memset(file, 0, sizeof(file));
	memcpy(file + 0x1020, "_FVH", 4);
	cr_assert(image_load(&config, &guest_ram, &layout, &error), "%s", error.text);
	cr_expect_null(layout.warning);
}
