/* Three constants of an empty virtio-mmio transport. Offsets match exactly, as in QEMU: an access inside a register
 * that does not start at its first byte reads 0. */
#include "hv/dev/virtio_none.h"

enum { REG_MAGIC = 0x00, REG_VERSION = 0x04, REG_VENDOR_ID = 0x0c };

enum { MAGIC_VIRT = 0x74726976, VERSION_LEGACY = 1, VENDOR_QEMU = 0x554d4551 };

uint64_t virtio_none_read(uint32_t offset)
{
	switch (offset) {
	case REG_MAGIC:
		return MAGIC_VIRT;
	case REG_VERSION:
		return VERSION_LEGACY;
	case REG_VENDOR_ID:
		return VENDOR_QEMU;
	default:
		return 0;
	}
}
