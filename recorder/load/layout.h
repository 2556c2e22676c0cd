/* Where everything of a guest goes in its RAM before its first instruction: kernel, initrd, device tree.
 *
 * The placement is QEMU's (hw/arm/boot.c, arm_setup_direct_kernel_boot), so that what boots on its virt board boots
 * here.
 * 1. The result is a function of the guest_config alone: no clock, no entropy, no environment.
 * 2. Kernel, initrd and device tree never overlap, and the device tree never crosses a 2 MiB boundary.
 * 3. Nothing in the files is trusted; whatever is wrong with one is an error that names it. */
#pragma once
#include "hv/abi/machine.h"
#include "hv/error/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The arm64 boot protocol maps the device tree with one block (Documentation/arm64/booting.rst, section 2). */
#define LAYOUT_DTB_BYTES_MAX (UINT64_C(2) << 20)

enum { LAYOUT_SEED_BYTES = 64, LAYOUT_KASLR_SEED_BYTES = 8, LAYOUT_RNG_SEED_BYTES = 32 };

enum guest_kind {
	GUEST_KIND_IMAGE,    /* a Linux arm64 Image: has the 64-byte header */
	GUEST_KIND_FLAT,     /* bytes to run from the first one */
	GUEST_KIND_ELF,      /* ET_EXEC */
	GUEST_KIND_ELF_PIE,  /* ET_DYN, relocated */
	GUEST_KIND_FIRMWARE, /* bytes to run from the first one, in flash */
};

/* What to lay out. Nothing is kept after the call. */
struct guest_config {
	const void *kernel; /* the file's contents, as the three below */
	size_t kernel_bytes;
	bool is_firmware;   /* it goes into flash, and there is no initrd */
	const char *name;   /* the kernel's file name, for errors */
	const void *initrd; /* or NULL */
	size_t initrd_bytes;
	const char *initrd_name; /* set if initrd is */
	const void *dtb;         /* the user's own device tree, or NULL: one is built */
	size_t dtb_bytes;
	const char *dtb_name;            /* set if dtb is */
	const char *bootargs;            /* or NULL */
	uint64_t ram_bytes;              /* a multiple of 4 KiB */
	uint32_t vcpu_count;             /* 1 to GUEST_VCPU_MAX */
	uint32_t virtio;                 /* a bit for each virtio transport with a device */
	uint8_t seed[LAYOUT_SEED_BYTES]; /* entropy: first kaslr-seed, then rng-seed */
};

/* Where it went. */
struct guest_layout {
	enum guest_kind kind;
	uint64_t entry_ipa; /* the guest's first pc */
	uint64_t x0;        /* the guest's first: dtb_ipa, or 0 for firmware */
	uint64_t dtb_ipa;
	uint64_t kernel_ipa;   /* lowest byte that the kernel occupies */
	uint64_t kernel_bytes; /* up to its highest, zero-initialised memory and gaps included */
	uint64_t initrd_ipa;   /* 0 without an initrd */
	uint64_t initrd_bytes;
	uint64_t load_offset; /* what a debugger adds to the ELF's addresses; 0 for other kinds */
	const char *warning;  /* a sentence about a file that hardly runs here, or NULL; static */
	void *dtb;            /* the device tree as the guest gets it; the caller frees it */
	size_t dtb_bytes;
};

/* The guest's RAM as the host maps it: start[0] is at GUEST_RAM_IPA. */
struct guest_ram {
	uint8_t *start;
	uint64_t bytes;
};

/* A file that was read whole. */
struct guest_file {
	const uint8_t *data;
	size_t bytes;
	const char *name;
};

/* Whether [ipa, ipa + bytes) is inside RAM, for any values. Cannot fail. */
static inline bool layout_ram_holds(const struct guest_ram *ram, uint64_t ipa, uint64_t bytes)
{
	return ipa >= GUEST_RAM_IPA && ipa - GUEST_RAM_IPA <= ram->bytes && bytes <= ram->bytes - (ipa - GUEST_RAM_IPA);
}

/* The host's address of `ipa`, which must be inside RAM. Cannot fail. */
static inline uint8_t *layout_ram_at(const struct guest_ram *ram, uint64_t ipa)
{
	return ram->start + (ipa - GUEST_RAM_IPA);
}

/* Writes the guest into `ram`, which is zeroed and has config->ram_bytes bytes, and fills `layout`. The device tree
 * goes above the kernel and the initrd; programs that are not Linux find a copy at the start of RAM too if it fits
 * below them, and dtb_ipa names that copy if there is no room above. Returns false with `error` set and layout->dtb
 * NULL for anything that is malformed, unsupported or does not fit; RAM is then partly written. Source:
 * Documentation/arm64/booting.rst; QEMU hw/arm/boot.c. */
bool layout_load(const struct guest_config *config, uint8_t *ram, struct guest_layout *layout, struct error *error);
