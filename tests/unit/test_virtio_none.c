/* An empty virtio-mmio transport: what a guest's probe must find in it. */
#include "hv/abi/machine.h"
#include "hv/dev/virtio_none.h"
#include <criterion/criterion.h>

Test(virtio_none, identifies_itself_as_qemus_legacy_transport_without_a_device)
{
	cr_assert_eq(virtio_none_read(0x0), 0x74726976);
	cr_assert_eq(virtio_none_read(0x4), 1);
	cr_assert_eq(virtio_none_read(0x8), 0);
	cr_assert_eq(virtio_none_read(0xc), 0x554d4551);
}

Test(virtio_none, everything_else_reads_zero)
{
	for (uint32_t offset = 0; offset < GUEST_VIRTIO_BYTES; offset++) {
		if (offset != 0x0 && offset != 0x4 && offset != 0xc)
			cr_assert_eq(virtio_none_read(offset), 0, "offset %#x", offset);
	}
	cr_assert_eq(virtio_none_read(UINT32_MAX), 0);
}
