/* The kernel file: what format it has, and how it gets into RAM. */
#pragma once
#include "recorder/load/layout.h"

/* Loads config->kernel into zeroed `ram` and fills the layout's kind, entry_ipa, kernel_ipa, kernel_bytes and
 * load_offset. Takes an arm64 Image, that Image compressed by gzip or as an EFI zboot image with gzip inside, an ELF
 * (see elf_load), or a flat binary, which is anything that is not known to be something else. Returns false with
 * `error` set for an empty, damaged or unsupported file, or one that does not fit. Source:
 * Documentation/arm64/booting.rst, section 4; QEMU hw/arm/boot.c, load_aarch64_image; Linux
 * drivers/firmware/efi/libstub/zboot-header.S. */
bool image_load(const struct guest_config *config, const struct guest_ram *ram, struct guest_layout *layout,
		struct error *error);
