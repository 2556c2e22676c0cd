/* A disk that is written and flushed without end: round K fills the first AREA_SECTORS sectors with K in many requests,
 * flushes, and says so. Whoever ends it can tell by the image what was flushed. Without a disk it does nothing. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/virtio.h"

const char guest_name[] = "virtio_flush";

enum { OUT = 1, FLUSH = 4, OK = 0, SECTOR = 512, AREA_SECTORS = 2048, AT_ONCE = 8, REQUEST_SECTORS = 32 };

struct header {
	uint32_t type, zero;
	uint64_t sector;
};

static struct virtio disk;
static struct virtio_queue queue;
static volatile struct header headers[AT_ONCE];
static volatile uint8_t statuses[AT_ONCE];
static uint32_t data[REQUEST_SECTORS * SECTOR / sizeof(uint32_t)];

static void put(uint32_t slot, uint32_t type, uint64_t sector, uint32_t bytes)
{
	headers[slot] = (struct header){type, 0, sector};
	statuses[slot] = 0xff;
	const struct virtio_segment segments[3] = {
		{&headers[slot], sizeof(struct header), false}, {data, bytes, false}, {&statuses[slot], 1, true}};
	const struct virtio_segment bare[2] = {segments[0], segments[2]};
	virtio_put(&disk, bytes ? segments : bare, bytes ? 3 : 2);
}

static void wait(uint32_t count)
{
	virtio_wait(&disk);
	for (uint32_t i = 0; i < count; i++)
		CHECK(statuses[i] == OK, "a request fails");
}

static void round(uint32_t k)
{
	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		data[i] = k;
	for (uint64_t sector = 0; sector < AREA_SECTORS; sector += AT_ONCE * REQUEST_SECTORS) {
		for (uint32_t i = 0; i < AT_ONCE; i++)
			put(i, OUT, sector + i * REQUEST_SECTORS, sizeof(data));
		wait(AT_ONCE);
	}
	put(0, FLUSH, 0, 0);
	wait(1);
	print_value("flushed", k);
}

void guest_main(void)
{
	if (!virtio_find(&disk, VIRTIO_DISK)) {
		print("no disk\n");
		return;
	}
	virtio_start(&disk, &queue);
	for (uint32_t k = 1;; k++)
		round(k);
}
