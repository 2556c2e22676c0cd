/* Lays a guest out in its RAM: the kernel where its format says, the initrd after it, the device tree after that.
 * Called once by the recorder before the machine starts; a replay takes the device tree from the trace and repeats it.
 *
 * RAM, from GUEST_RAM_IPA: [device tree's copy, if not Linux] kernel … [min(half, 128 MiB)] initrd, device tree.
 * Firmware is in flash, and only the device tree in RAM, at its start. */
#include "recorder/load/layout.h"

#include "hv/abi/descriptor.h"
#include "hv/error/check.h"
#include "recorder/load/dtb.h"
#include "recorder/load/firmware.h"
#include "recorder/load/image.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DTB_ALIGN_BYTES        LAYOUT_DTB_BYTES_MAX
#define INITRD_OFFSET_MAX      (UINT64_C(128) << 20)
#define ALIGN_UP(value, bytes) (((value) + (bytes)-1) & ~((bytes)-1))

static bool config_check(const struct guest_config *config, struct error *error)
{
	if (config->ram_bytes == 0 || config->ram_bytes % PAGE_BYTES != 0 || config->ram_bytes > GUEST_RAM_BYTES_MAX)
		return error_set(error, STATUS_FAILED,
				 "%s: cannot give the guest %" PRIu64 " bytes of RAM: choose a multiple of 4 KiB up to "
				 "255 GiB with --memory",
				 config->name, config->ram_bytes);
	if (config->vcpu_count == 0 || config->vcpu_count > GUEST_VCPU_MAX)
		return error_set(error, STATUS_FAILED, "%s: cannot run on %" PRIu32 " vCPUs: choose 1 to %d",
				 config->name, config->vcpu_count, GUEST_VCPU_MAX);
	return true;
}

/* Far enough from the kernel that its early boot cannot reach the initrd, but in the low memory of old kernels. */
static uint64_t initrd_place(const struct guest_config *config, const struct guest_layout *layout)
{
	uint64_t half = config->ram_bytes / 2;
	uint64_t place = GUEST_RAM_IPA + (half < INITRD_OFFSET_MAX ? half : INITRD_OFFSET_MAX);
	uint64_t kernel_end = layout->kernel_ipa + layout->kernel_bytes;
	return ALIGN_UP(place > kernel_end ? place : kernel_end, (uint64_t)PAGE_BYTES);
}

static bool initrd_load(const struct guest_config *config, const struct guest_ram *ram, struct guest_layout *layout,
			struct error *error)
{
	if (config->initrd == NULL)
		return true;
	if (config->initrd_bytes == 0)
		return error_set(error, STATUS_FAILED, "%s: empty: give an initramfs, or none", config->initrd_name);
	uint64_t ipa = initrd_place(config, layout);
	if (!layout_ram_holds(ram, ipa, config->initrd_bytes))
		return error_set(error, STATUS_FAILED,
				 "%s: the initrd's %zu bytes do not fit from 0x%" PRIx64
				 " to the end of the guest's RAM at 0x%" PRIx64 ": give it more with --memory",
				 config->initrd_name, config->initrd_bytes, ipa, GUEST_RAM_IPA + ram->bytes);
	memcpy(layout_ram_at(ram, ipa), config->initrd, config->initrd_bytes);
	layout->initrd_ipa = ipa;
	layout->initrd_bytes = config->initrd_bytes;
	return true;
}

static bool dtb_load(const struct guest_config *config, const struct guest_ram *ram, struct guest_layout *layout,
		     struct error *error)
{
	/* Early kernels map the 2 MiB block that the tree is in: it gets one of its own. */
	uint64_t above = ALIGN_UP(initrd_place(config, layout) + layout->initrd_bytes, DTB_ALIGN_BYTES);
	bool fits_above = layout_ram_holds(ram, above, layout->dtb_bytes);
	/* QEMU enters an ELF without setting x0, and such programs look at the start of RAM. Linux does not. */
	bool fits_below = layout->kind != GUEST_KIND_IMAGE && layout->dtb_bytes <= layout->kernel_ipa - GUEST_RAM_IPA;
	if (!fits_above && !fits_below)
		return error_set(error, STATUS_FAILED,
				 "%s: the device tree's %zu bytes do not fit at 0x%" PRIx64 ", RAM ends at 0x%" PRIx64
				 ": give the guest more with --memory",
				 config->name, layout->dtb_bytes, above, GUEST_RAM_IPA + ram->bytes);
	if (fits_above)
		memcpy(layout_ram_at(ram, above), layout->dtb, layout->dtb_bytes);
	if (fits_below)
		memcpy(ram->start, layout->dtb, layout->dtb_bytes);
	layout->dtb_ipa = fits_above ? above : GUEST_RAM_IPA;
	return true;
}

/* Firmware knows where a board has it; QEMU sets no register for it. */
static bool firmware_dtb_load(const struct guest_config *config, const struct guest_ram *ram,
			      struct guest_layout *layout, struct error *error)
{
	if (!layout_ram_holds(ram, GUEST_RAM_IPA, layout->dtb_bytes))
		return error_set(error, STATUS_FAILED,
				 "%s: the device tree's %zu bytes do not fit into the guest's RAM: give it more with "
				 "--memory",
				 config->name, layout->dtb_bytes);
	memcpy(ram->start, layout->dtb, layout->dtb_bytes);
	layout->dtb_ipa = GUEST_RAM_IPA;
	return true;
}

static bool firmware_lay_out(const struct guest_config *config, const struct guest_ram *ram,
			     struct guest_layout *layout, struct error *error)
{
	return firmware_load(config, layout, error) && dtb_make(config, layout, error) &&
	       firmware_dtb_load(config, ram, layout, error);
}

/* What layout.h promises of the places. */
static void places_check(const struct guest_layout *layout)
{
	uint64_t kernel_end = layout->kernel_ipa + layout->kernel_bytes;
	uint64_t dtb_end = layout->dtb_ipa + layout->dtb_bytes;
	uint64_t initrd_end = layout->initrd_bytes ? layout->initrd_ipa + layout->initrd_bytes : kernel_end;
	CHECK(layout->initrd_bytes == 0 || layout->initrd_ipa >= kernel_end);
	CHECK(layout->dtb_ipa >= initrd_end || dtb_end <= layout->kernel_ipa);
	CHECK(layout->dtb_ipa / DTB_ALIGN_BYTES == (dtb_end - 1) / DTB_ALIGN_BYTES);
}

static bool kernel_lay_out(const struct guest_config *config, const struct guest_ram *ram, struct guest_layout *layout,
			   struct error *error)
{
	if (!image_load(config, ram, layout, error) || !initrd_load(config, ram, layout, error) ||
	    !dtb_make(config, layout, error) || !dtb_load(config, ram, layout, error))
		return false;
	layout->x0 = layout->dtb_ipa;
	places_check(layout);
	return true;
}

bool layout_load(const struct guest_config *config, uint8_t *ram, struct guest_layout *layout, struct error *error)
{
	*layout = (struct guest_layout){0};
	const struct guest_ram guest_ram = {.start = ram, .bytes = config->ram_bytes};
	if (config_check(config, error) && (config->is_firmware ? firmware_lay_out(config, &guest_ram, layout, error)
								: kernel_lay_out(config, &guest_ram, layout, error)))
		return true;
	free(layout->dtb);
	layout->dtb = NULL;
	layout->dtb_bytes = 0;
	return false;
}
