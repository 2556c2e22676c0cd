/* Finds out what the kernel file is, unpacks it if it is compressed, and puts it where its format says.
 * Called by layout_load.
 *
 * 1. Every read of the file is behind a check of its length.
 * 2. Unpacking stops at the size of the guest's RAM: a small file cannot take all of the host's memory. */
#include "recorder/load/image.h"

#include "recorder/load/elf.h"
#include "recorder/load/firmware.h"
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

/* Where a flat binary goes, and an Image from before Linux 3.17 that does not say. */
#define FLAT_OFFSET UINT64_C(0x80000)
/* QEMU keeps its boot stub in the first page of RAM, so an Image for that page goes one 2 MiB block higher; so here. */
#define STUB_BYTES      UINT64_C(0x1000)
#define PLACEMENT_BYTES (UINT64_C(2) << 20)

enum { IMAGE_HEADER_BYTES = 64, IMAGE_FLAG_BIG_ENDIAN = 1 };
enum { IMAGE_TEXT_OFFSET = 8, IMAGE_SIZE = 16, IMAGE_FLAGS = 24, IMAGE_MAGIC = 56 };
enum { ZBOOT_HEADER_BYTES = 64, ZBOOT_PAYLOAD = 8, ZBOOT_PAYLOAD_BYTES = 12, ZBOOT_TYPE = 24, ZBOOT_TYPE_BYTES = 32 };
enum { PE_POINTER = 0x3c };

/* zlib counts in unsigned int. */
static const size_t inflate_step_bytes_max = (size_t)1 << 30;

struct buffer {
	uint8_t *data;
	size_t bytes;
	size_t capacity_bytes;
	uint64_t bytes_max;
};

/* What would hang at once if it were run as a flat binary. */
static const struct {
	const char *magic;
	size_t bytes;
	const char *what;
	const char *remedy;
} refused[] = {
	{"\x1f\x8b", 2, "compressed twice", "unpack it with gunzip first"},
	{"\x28\xb5\x2f\xfd", 4, "compressed by zstd", "unpack it with unzstd first"},
	{"\xfd\x37zXZ", 6, "compressed by xz", "unpack it with unxz first"},
	{"BZh", 3, "compressed by bzip2", "unpack it with bunzip2 first"},
	{"\x04\x22\x4d\x18", 4, "compressed by lz4", "unpack it with unlz4 first"},
	{"\x02\x21\x4c\x18", 4, "compressed by lz4", "unpack it with unlz4 first"},
	{"\x27\x05\x19\x56", 4, "a U-Boot uImage", "give the Image that is inside"},
	{"\xd0\x0d\xfe\xed", 4, "a device tree or FIT image", "give a kernel, and a device tree with --dtb"},
	{"!<arch>\n", 8, "a library", "link it into a program"},
	{"#!", 2, "a script", "give a kernel or a bare-metal program"},
};

static uint64_t get_u64(const struct guest_file *file, size_t offset)
{
	uint64_t value;
	memcpy(&value, file->data + offset, sizeof(value));
	return le64toh(value);
}

static uint32_t get_u32(const struct guest_file *file, size_t offset)
{
	uint32_t value;
	memcpy(&value, file->data + offset, sizeof(value));
	return le32toh(value);
}

static bool has(const struct guest_file *file, size_t offset, const char *magic, size_t bytes)
{
	return offset <= file->bytes && bytes <= file->bytes - offset && memcmp(file->data + offset, magic, bytes) == 0;
}

static bool is_pe(const struct guest_file *file)
{
	return file->bytes >= IMAGE_HEADER_BYTES && has(file, 0, "MZ", 2) &&
	       has(file, get_u32(file, PE_POINTER), "PE\0", 4);
}

static bool buffer_grow(struct buffer *buffer)
{
	uint64_t capacity = buffer->capacity_bytes == 0 ? 1 << 16 : (uint64_t)buffer->capacity_bytes * 2;
	if (capacity > buffer->bytes_max)
		capacity = buffer->bytes_max;
	uint8_t *data = realloc(buffer->data, capacity);
	if (data == NULL)
		return false;
	buffer->data = data;
	buffer->capacity_bytes = capacity;
	return true;
}

/* zlib's codes, and Z_ERRNO when the output would pass bytes_max. Ends: each turn takes input or makes output. */
static int inflate_all(z_stream *stream, const struct guest_file *file, struct buffer *out)
{
	size_t taken = 0;
	int code = Z_OK;
	while (code == Z_OK) {
		if (stream->avail_in == 0) {
			size_t left = file->bytes - taken;
			size_t step = left < inflate_step_bytes_max ? left : inflate_step_bytes_max;
			stream->next_in = file->data + taken;
			stream->avail_in = (uInt)step;
			taken += step;
		}
		if (out->bytes == out->bytes_max)
			return Z_ERRNO;
		if (out->bytes == out->capacity_bytes && !buffer_grow(out))
			return Z_MEM_ERROR;
		size_t room = out->capacity_bytes - out->bytes;
		size_t step = room < inflate_step_bytes_max ? room : inflate_step_bytes_max;
		stream->next_out = out->data + out->bytes;
		stream->avail_out = (uInt)step;
		code = inflate(stream, Z_NO_FLUSH);
		out->bytes += step - stream->avail_out;
	}
	return code;
}

static bool gunzip_error(const struct guest_file *file, int code, const char *message, struct error *error)
{
	if (code == Z_ERRNO)
		return error_set(error, STATUS_FAILED,
				 "%s: unpacks to more than the guest's RAM: give it more with --memory", file->name);
	if (code == Z_MEM_ERROR)
		return error_set(error, STATUS_FAILED, "%s: no memory to unpack it: free some", file->name);
	if (code == Z_BUF_ERROR)
		return error_set(error, STATUS_FAILED, "%s: the gzip data ends early: get the file again", file->name);
	return error_set(error, STATUS_FAILED, "%s: damaged gzip data (%s): get the file again", file->name,
			 message != NULL ? message : "unknown reason");
}

/* Replaces `file` by what is packed in it, in out->data, which the caller frees in any case. */
static bool gunzip(struct guest_file *file, struct buffer *out, struct error *error)
{
	z_stream stream = {0};
	const int gzip_only = 16;
	if (inflateInit2(&stream, MAX_WBITS + gzip_only) != Z_OK)
		return gunzip_error(file, Z_MEM_ERROR, NULL, error);
	int code = inflate_all(&stream, file, out);
	if (code != Z_STREAM_END)
		gunzip_error(file, code, stream.msg, error);
	inflateEnd(&stream);
	if (code != Z_STREAM_END)
		return false;
	file->data = out->data;
	file->bytes = out->bytes;
	return true;
}

/* Narrows `file` to the compressed kernel inside an EFI zboot image. */
static bool zboot_open(struct guest_file *file, struct error *error)
{
	if (file->bytes < ZBOOT_HEADER_BYTES)
		return error_set(error, STATUS_FAILED, "%s: the EFI zboot header ends early: get the file again",
				 file->name);
	char type[ZBOOT_TYPE_BYTES + 1] = {0};
	memcpy(type, file->data + ZBOOT_TYPE, ZBOOT_TYPE_BYTES);
	for (size_t i = 0; type[i] != '\0'; i++)
		if (type[i] < ' ' || type[i] > '~')
			type[i] = '?';
	if (strcmp(type, "gzip") != 0)
		return error_set(
			error, STATUS_FAILED,
			"%s: an EFI zboot image compressed by \"%s\", and only gzip is supported: unpack it, or "
			"give the plain Image",
			file->name, type);
	uint64_t offset = get_u32(file, ZBOOT_PAYLOAD);
	uint64_t bytes = get_u32(file, ZBOOT_PAYLOAD_BYTES);
	if (offset > file->bytes || bytes > file->bytes - offset)
		return error_set(error, STATUS_FAILED,
				 "%s: the EFI zboot payload is outside the file of %zu bytes: get the file again",
				 file->name, file->bytes);
	file->data += offset;
	file->bytes = (size_t)bytes;
	return true;
}

static bool unpack(struct guest_file *file, struct buffer *out, struct error *error)
{
	bool zboot = has(file, 0, "MZ", 2) && has(file, 4, "zimg", 4);
	if (zboot && !zboot_open(file, error))
		return false;
	if (zboot || has(file, 0, "\x1f\x8b", 2))
		return gunzip(file, out, error);
	return true;
}

/* Copies the file to `offset` in RAM, where it takes `bytes` of memory, and enters it at its first byte. */
static bool place_at(const struct guest_file *file, uint64_t offset, uint64_t bytes, const struct guest_ram *ram,
		     struct guest_layout *layout, struct error *error)
{
	if (offset > ram->bytes || bytes > ram->bytes - offset)
		return error_set(error, STATUS_FAILED,
				 "%s: needs %" PRIu64 " bytes from offset 0x%" PRIx64
				 " of RAM, and the guest has %" PRIu64 ": give it more with --memory",
				 file->name, bytes, offset, ram->bytes);
	memcpy(ram->start + offset, file->data, file->bytes);
	layout->kernel_ipa = GUEST_RAM_IPA + offset;
	layout->kernel_bytes = bytes;
	layout->entry_ipa = layout->kernel_ipa;
	return true;
}

static bool image_place(const struct guest_file *file, const struct guest_ram *ram, struct guest_layout *layout,
			struct error *error)
{
	uint64_t image_bytes = get_u64(file, IMAGE_SIZE);
	/* Before Linux 3.17 image_size was zero, and the other fields' byte order is then unknown. */
	uint64_t offset = image_bytes != 0 ? get_u64(file, IMAGE_TEXT_OFFSET) : FLAT_OFFSET;
	if (image_bytes != 0 && (get_u64(file, IMAGE_FLAGS) & IMAGE_FLAG_BIG_ENDIAN) != 0)
		return error_set(error, STATUS_FAILED,
				 "%s: a big-endian kernel, and only little-endian is supported: build it without "
				 "CONFIG_CPU_BIG_ENDIAN",
				 file->name);
	if (offset % 4 != 0)
		return error_set(error, STATUS_FAILED,
				 "%s: the Image header's text_offset 0x%" PRIx64
				 " is not a multiple of 4: get the file again",
				 file->name, offset);
	if (offset < STUB_BYTES)
		offset += PLACEMENT_BYTES;
	layout->kind = GUEST_KIND_IMAGE;
	return place_at(file, offset, image_bytes > file->bytes ? image_bytes : file->bytes, ram, layout, error);
}

static const char *flat_warning(const struct guest_file *file)
{
	if (firmware_is_uefi(file))
		return "UEFI firmware (EDK2): it runs from flash at 0, and needs flash that can be written, fw_cfg and "
		       "PCI, none of which hvrec has";
	if (file->bytes == GUEST_FLASH_BANK_BYTES)
		return "64 MiB, as an image of QEMU's flash: hvrec runs it from RAM, as a flat program, and from flash "
		       "with --firmware";
	return NULL;
}

static bool flat_place(const struct guest_file *file, const struct guest_ram *ram, struct guest_layout *layout,
		       struct error *error)
{
	if (is_pe(file))
		return error_set(error, STATUS_FAILED,
				 "%s: an EFI program or a kernel for another machine: give an arm64 Image", file->name);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (has(file, 0, refused[i].magic, refused[i].bytes))
			return error_set(error, STATUS_FAILED, "%s: %s: %s", file->name, refused[i].what,
					 refused[i].remedy);
	layout->kind = GUEST_KIND_FLAT;
	layout->warning = flat_warning(file);
	return place_at(file, FLAT_OFFSET, file->bytes, ram, layout, error);
}

static bool place(const struct guest_file *file, const struct guest_ram *ram, struct guest_layout *layout,
		  struct error *error)
{
	if (file->bytes == 0)
		return error_set(error, STATUS_FAILED, "%s: empty: give a kernel or a bare-metal program", file->name);
	if (has(file, 0, "\177ELF", 4))
		return elf_load(file, ram, layout, error);
	if (file->bytes >= IMAGE_HEADER_BYTES && has(file, IMAGE_MAGIC, "ARM\x64", 4))
		return image_place(file, ram, layout, error);
	return flat_place(file, ram, layout, error);
}

bool image_load(const struct guest_config *config, const struct guest_ram *ram, struct guest_layout *layout,
		struct error *error)
{
	struct guest_file file = {.data = config->kernel, .bytes = config->kernel_bytes, .name = config->name};
	struct buffer unpacked = {.bytes_max = ram->bytes};
	bool ok = unpack(&file, &unpacked, error) && place(&file, ram, layout, error);
	free(unpacked.data);
	return ok;
}
