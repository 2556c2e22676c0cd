/* What goes into flash is flat and stays as it is, so there is little to look at; but what was meant for another option
 * should not be run. Called by layout_load. */
#include "recorder/load/firmware.h"

#include <string.h>

enum { SIGNATURE = 40, BLOCK_BYTES = 0x1000, SEARCH_BYTES = 1 << 20, IMAGE_MAGIC = 56 };

static const struct {
	size_t at;
	const char *magic;
	size_t bytes;
	const char *what;
} refused[] = {
	{0, "\177ELF", 4, "an ELF file, and flash takes a flat image: give the one that objcopy -O binary makes"},
	{0, "\x1f\x8b", 2, "compressed, and it is run in place: unpack it with gunzip first"},
	{IMAGE_MAGIC, "ARM\x64", 4, "a Linux Image: give it with --kernel"},
};

static bool has(const struct guest_file *file, size_t offset, const char *magic, size_t bytes)
{
	return offset <= file->bytes && bytes <= file->bytes - offset && memcmp(file->data + offset, magic, bytes) == 0;
}

/* A firmware volume (Platform Initialization Specification 1.8, volume 3, 3.2.1) begins at a block of the file. */
bool firmware_is_uefi(const struct guest_file *file)
{
	for (size_t at = 0; at < SEARCH_BYTES && at < file->bytes; at += BLOCK_BYTES)
		if (has(file, at + SIGNATURE, "_FVH", 4))
			return true;
	return false;
}

static bool check(const struct guest_file *file, struct error *error)
{
	if (file->bytes == 0)
		return error_set(error, STATUS_FAILED, "%s: empty: give a firmware image, such as U-Boot's u-boot.bin",
				 file->name);
	if (file->bytes > GUEST_FLASH_BANK_BYTES)
		return error_set(error, STATUS_FAILED, "%s: %zu bytes, and a bank of flash has 64 MiB", file->name,
				 file->bytes);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (has(file, refused[i].at, refused[i].magic, refused[i].bytes))
			return error_set(error, STATUS_FAILED, "%s: %s", file->name, refused[i].what);
	return true;
}

bool firmware_load(const struct guest_config *config, struct guest_layout *layout, struct error *error)
{
	const struct guest_file file = {.data = config->kernel, .bytes = config->kernel_bytes, .name = config->name};
	if (!check(&file, error))
		return false;
	layout->kind = GUEST_KIND_FIRMWARE;
	layout->entry_ipa = layout->kernel_ipa = GUEST_FLASH_IPA;
	layout->kernel_bytes = file.bytes;
	if (firmware_is_uefi(&file))
		layout->warning = "UEFI firmware (EDK2): it needs flash that can be written, fw_cfg and PCI, none of "
				  "which hvrec has";
	return true;
}
