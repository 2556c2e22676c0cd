/* The MMIO transport by its registers (VIRTIO 1.2, 4.2.2): empty ones, the driver's way through initialization, and
 * what a driver may not do. */
#include "hv/dev/virtio.h"
#include "hv/dev/virtqueue.h"

#include <criterion/criterion.h>

enum { STATUS = 0x70, FEATURES = 0x10, FEATURES_SEL = 0x14, DRIVER = 0x20, DRIVER_SEL = 0x24, QUEUE_SEL = 0x30 };
enum { SIZE_MAX_REG = 0x34, SIZE = 0x38, READY = 0x44, NOTIFY = 0x50, DESC = 0x80, INTERRUPT = 0x60, ACK = 0x64 };
enum { ACKNOWLEDGE = 1, DRIVER_KNOWN = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };

static const struct virtio_model none = {0};
static const struct virtio_model entropy = {.type = VIRTIO_TYPE_ENTROPY,
					    .queue_count = 1,
					    .features = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX,
					    .config = {1, 2, 3, 4, 5, 6, 7, 8}};
static struct virtio_state state;

static uint64_t get(uint32_t offset)
{
	return virtio_read(&state, &entropy, offset, 4);
}

static int put(uint32_t offset, uint32_t value)
{
	return virtio_write(&state, &entropy, offset, 4, value);
}

Test(virtio, an_empty_transport_is_qemus_legacy_one)
{
	for (uint32_t offset = 0; offset < GUEST_VIRTIO_BYTES; offset++) {
		uint64_t expected = offset == 0 ? 0x74726976 : offset == 4 ? 1 : offset == 0xc ? 0x554d4551 : 0;
		cr_assert_eq(virtio_read(&state, &none, offset, 4), expected, "offset %#x", offset);
		cr_assert_eq(virtio_write(&state, &none, offset, 4, UINT32_MAX), -1);
	}
	cr_assert_eq(state.status, 0);
}

Test(virtio, a_device_says_what_it_is)
{
	cr_assert_eq(get(0), 0x74726976);
	cr_assert_eq(get(4), 2);
	cr_assert_eq(get(8), VIRTIO_TYPE_ENTROPY);
	cr_assert_eq(get(FEATURES), VIRTIO_F_EVENT_IDX);
	put(FEATURES_SEL, 1);
	cr_assert_eq(get(FEATURES), 1);
	put(FEATURES_SEL, 2);
	cr_assert_eq(get(FEATURES), 0);
	cr_assert_eq(get(0xb0), UINT32_MAX, "a shared memory region that is not there");
	cr_assert_eq(virtio_read(&state, &entropy, 0x100, 8), UINT64_C(0x0807060504030201));
	cr_assert_eq(virtio_read(&state, &entropy, 0x103, 1), 4);
	cr_assert_eq(virtio_read(&state, &entropy, 0x1fc, 4), 0);
}

Test(virtio, features_are_agreed_on_once)
{
	put(STATUS, ACKNOWLEDGE | DRIVER_KNOWN);
	put(STATUS, ACKNOWLEDGE | DRIVER_KNOWN | FEATURES_OK);
	cr_assert_eq(get(STATUS), ACKNOWLEDGE | DRIVER_KNOWN, "without VERSION_1");
	put(DRIVER_SEL, 1);
	put(DRIVER, 1);
	put(DRIVER_SEL, 0);
	put(DRIVER, 1); /* the device does not offer it */
	put(STATUS, ACKNOWLEDGE | DRIVER_KNOWN | FEATURES_OK);
	cr_assert_eq(get(STATUS) & FEATURES_OK, 0);
	put(DRIVER, (uint32_t)VIRTIO_F_EVENT_IDX);
	put(STATUS, ACKNOWLEDGE | DRIVER_KNOWN | FEATURES_OK);
	cr_assert_neq(get(STATUS) & FEATURES_OK, 0);
	put(DRIVER, 0);
	cr_assert_eq(state.driver_features, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX, "they change no more");
}

Test(virtio, a_queue_is_set_up_before_it_is_ready)
{
	cr_assert_eq(get(SIZE_MAX_REG), VIRTQUEUE_SIZE_MAX);
	put(SIZE, 100);
	put(READY, 1);
	cr_assert_eq(get(READY), 0, "its size is no power of two");
	put(SIZE, 128);
	put(DESC, 0x40001000);
	put(DESC + 4, 1);
	put(READY, 1);
	cr_assert_eq(get(READY), 1);
	put(DESC, 0);
	cr_assert_eq(state.queue[0].desc, UINT64_C(0x140001000));
	put(QUEUE_SEL, 1);
	cr_assert_eq(get(SIZE_MAX_REG), 0, "there is no second one");
	put(SIZE, 8);
	cr_assert_eq(state.queue[1].size, 0);
	cr_assert_eq(put(NOTIFY, 1), -1);
	cr_assert_eq(put(NOTIFY, 0), 0);
}

Test(virtio, it_works_from_driver_ok_until_it_is_broken_or_reset)
{
	put(SIZE, 8);
	put(READY, 1);
	cr_assert_not(virtio_is_live(&state, 0));
	put(STATUS, DRIVER_OK);
	cr_assert(virtio_is_live(&state, 0));
	virtio_interrupt(&state);
	cr_assert(virtio_line(&state));
	cr_assert_eq(get(INTERRUPT), 1);
	put(ACK, 1);
	cr_assert_not(virtio_line(&state));
	virtio_break(&state);
	cr_assert_not(virtio_is_live(&state, 0));
	cr_assert_eq(get(STATUS), DRIVER_OK | NEEDS_RESET);
	cr_assert_eq(get(INTERRUPT), 2, "the driver is told by a change of the configuration");
	put(STATUS, DRIVER_OK);
	cr_assert_eq(get(STATUS), DRIVER_OK | NEEDS_RESET, "the driver cannot take that back");
	put(STATUS, 0);
	cr_assert_eq(get(STATUS), 0);
	cr_assert_eq(state.queue[0].ready, 0);
	cr_assert_eq(state.queue[0].size, 0);
}
