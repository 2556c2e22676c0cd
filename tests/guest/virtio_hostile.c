/* A driver that does anything, from a seed: `virtio_hostile SEED CASES` by its arguments. Nonsense in registers, rings
 * and descriptors of a disk and of a source of entropy; after each case a reset, and good requests that must not be
 * able to tell. Devices may write to the arena at the end of RAM alone: all other addresses that they get are outside
 * of RAM. Without a disk it does nothing. */
#include "tests/guest/lib/arguments.h"
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/virtio.h"

const char guest_name[] = "virtio_hostile";

enum { ARENA_BYTES = 32768, SECTOR = 512, GOOD_SECTOR = 8, OPERATIONS = 24, CASES = 40, IN = 0, OUT = 1 };

static struct virtio devices[2];
static volatile struct virtio_queue queue;
static volatile struct virtio_queue *bad; /* in the arena */
static uint64_t arena, random_state, digest;
static uint32_t needed_reset;

static uint64_t random_u64(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t bound)
{
	return (random_u64() >> 1) % bound;
}

static uint64_t some_address(void)
{
	const uint64_t edges[] = {
		0, RAM - 1, UINT64_MAX, (uint64_t)1 << 63, arena + ARENA_BYTES, RAM + ((uint64_t)1 << 40)};
	if (below(4) != 0)
		return arena + below(ARENA_BYTES);
	return edges[below(6)];
}

static uint32_t some_bytes(void)
{
	const uint32_t lengths[] = {0, 1, 16, SECTOR, 2 * SECTOR, 100, UINT32_MAX, 1u << 31};
	return below(2) ? lengths[below(8)] : (uint32_t)(random_u64() >> (32 + below(32)));
}

static void descriptor_scribble(void)
{
	volatile struct virtio_descriptor *to = &bad->desc[below(VIRTIO_QUEUE_SIZE)];
	to->address = some_address();
	to->bytes = below(3) ? some_bytes() % 2048 : some_bytes();
	to->flags = (uint16_t)(below(10) ? below(4) : random_u64());
	to->next = (uint16_t)(below(10) ? below(VIRTIO_QUEUE_SIZE) : random_u64());
}

/* A request that could be a good one. */
static void request_scribble(void)
{
	uint16_t at = (uint16_t)below(VIRTIO_QUEUE_SIZE - 3);
	volatile uint64_t *header = (volatile uint64_t *)(arena + sizeof(queue) + 16 * below(512));
	header[0] = below(3) ? below(2) : below(15);
	header[1] = below(64);
	bad->desc[at] = (struct virtio_descriptor){(uint64_t)header, 16, 1, (uint16_t)(at + 1)};
	for (uint16_t i = 1; i < 3; i++)
		bad->desc[at + i] = (struct virtio_descriptor){arena + below(ARENA_BYTES - SECTOR), i == 2 ? 1 : SECTOR,
							       (uint16_t)(i == 2 ? 2 : 1 + 2 * (header[0] % 2 == 0)),
							       (uint16_t)(at + i + 1)};
	bad->available.ring[bad->available.index % VIRTIO_QUEUE_SIZE] = at;
	bad->available.index = (uint16_t)(bad->available.index + 1);
}

static void available_move(void)
{
	for (uint64_t left = below(8); left > 0; left--)
		bad->available.ring[below(VIRTIO_QUEUE_SIZE)] =
			(uint16_t)(below(20) ? below(VIRTIO_QUEUE_SIZE) : random_u64());
	bad->available.index = (uint16_t)(bad->available.index + (below(12) ? below(4) : random_u64()));
}

/* Not the queue's addresses, but where they lead outside of RAM: the rest of RAM is the payload's. */
static void register_scribble(uint64_t base)
{
	static const uint16_t registers[] = {0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x64, 0x70, 0xac, 0xfc, 0x100, 0x120};
	static const uint16_t highs[] = {VIRTIO_QUEUE_DESC + 4, VIRTIO_QUEUE_DRIVER + 4, VIRTIO_QUEUE_DEVICE + 4};
	if (below(4) == 0)
		mmio_write32(base + highs[below(3)], (uint32_t)(1 + below(1000)));
	else
		mmio_write32(base + registers[below(12)], (uint32_t)(random_u64() >> below(64)));
	digest = (digest ^ mmio_read32(base + 4 * below(72))) * 0x100000001b3;
}

static void pause(void)
{
	uint64_t start = SYSREG_READ(cntvct_el0), ticks = below(SYSREG_READ(cntfrq_el0) / 8000);
	while (SYSREG_READ(cntvct_el0) - start < ticks)
		__asm__ volatile("isb");
}

static void operation(uint64_t base)
{
	switch (below(9)) {
	case 0:
		register_scribble(base);
		break;
	case 1:
	case 2:
		descriptor_scribble();
		break;
	case 3:
	case 4:
		request_scribble();
		break;
	case 5:
		available_move();
		break;
	case 6:
	case 7:
		mmio_write32(base + VIRTIO_QUEUE_NOTIFY, (uint32_t)(below(8) ? 0 : random_u64()));
		break;
	default:
		pause();
		break;
	}
}

static void nonsense(struct virtio *device)
{
	bad = (volatile struct virtio_queue *)arena;
	virtio_start(device, bad);
	for (uint64_t left = 1 + below(OPERATIONS); left > 0; left--)
		operation(device->base);
	mmio_write32(device->base + VIRTIO_QUEUE_NOTIFY, 0);
	pause();
	uint32_t status = mmio_read32(device->base + VIRTIO_STATUS);
	needed_reset += (status & VIRTIO_STATUS_NEEDS_RESET) != 0;
}

static void disk_request(struct virtio *disk, uint32_t type, volatile void *at)
{
	static volatile struct {
		uint32_t type, zero;
		uint64_t sector;
	} header;
	static volatile uint8_t status;
	header.type = type;
	header.sector = GOOD_SECTOR;
	status = 0xff;
	const struct virtio_segment segments[] = {
		{&header, sizeof(header), false}, {at, SECTOR, type == IN}, {&status, 1, true}};
	virtio_put(disk, segments, 3);
	virtio_wait(disk);
	CHECK(status == 0, "a good request fails");
}

static void good_disk(struct virtio *disk)
{
	static volatile uint8_t written[SECTOR], got[SECTOR];
	virtio_start(disk, &queue);
	for (uint32_t i = 0; i < SECTOR; i++)
		written[i] = (uint8_t)random_u64();
	disk_request(disk, OUT, written);
	disk_request(disk, IN, got);
	for (uint32_t i = 0; i < SECTOR; i++)
		CHECK(got[i] == written[i], "other bytes than were written");
}

static void good_rng(struct virtio *rng)
{
	static volatile uint64_t bytes[8];
	const struct virtio_segment segment = {bytes, sizeof(bytes), true};
	bytes[0] = bytes[7] = 0;
	virtio_start(rng, &queue);
	virtio_put(rng, &segment, 1);
	virtio_wait(rng);
	CHECK(bytes[0] != 0 && bytes[7] != 0, "random bytes are zeroes");
	digest = (digest ^ bytes[0]) * 0x100000001b3;
}

static void arena_digest(void)
{
	for (uint64_t at = arena; at < arena + ARENA_BYTES; at += 8)
		digest = (digest ^ *(volatile uint64_t *)at) * 0x100000001b3;
}

void guest_main(void)
{
	uint64_t start, bytes, cases = argument_number(1, CASES);
	if (!virtio_find(&devices[0], VIRTIO_DISK) || !virtio_find(&devices[1], VIRTIO_RNG) ||
	    !dtb_memory(&start, &bytes)) {
		print("no disk and rng\n");
		return;
	}
	arena = start + bytes - ARENA_BYTES;
	random_state = argument_number(0, 1);
	for (uint64_t i = 0; i < cases; i++) {
		uint64_t which = below(2);
		nonsense(&devices[which]);
		mmio_write32(devices[which].base + VIRTIO_STATUS, 0);
		arena_digest();
		good_disk(&devices[0]);
		good_rng(&devices[1]);
	}
	print_value("broken", needed_reset);
	print_value("digest", digest);
}
