/* A disk by an orderly driver, once polling and once with interrupts: identity, reads and writes of any size, several
 * at once, one beyond the disk, flush, discard and zeroes, and that what was written is read back. Without a disk it
 * does nothing. What the disk has before is no matter: the digest is of what is read from its first sectors. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/virtio.h"

const char guest_name[] = "virtio_disk";

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
enum { OK = 0, IO_ERROR = 1, SECTOR = 512, BIG_SECTORS = 4200, AT_ONCE = 8, ID_BYTES = 20, TEST_SECTOR = 64 };

struct header {
	uint32_t type, zero;
	uint64_t sector;
};

struct range {
	uint64_t sector;
	uint32_t sectors, flags;
};

static struct virtio disk;
static struct virtio_queue queue;
static volatile struct header headers[AT_ONCE];
static volatile uint8_t statuses[AT_ONCE];
static uint8_t data[BIG_SECTORS * SECTOR], before[BIG_SECTORS * SECTOR];
static volatile uint32_t interrupts;

static void take_disk(uint32_t intid)
{
	CHECK(intid == disk.intid, "another interrupt");
	CHECK(virtio_answer(&disk) == 1, "an interrupt without used buffers");
	interrupts++;
}

static void put(uint32_t slot, uint32_t type, uint64_t sector, void *at, uint32_t bytes)
{
	headers[slot] = (struct header){type, 0, sector};
	statuses[slot] = 0xff;
	const struct virtio_segment segments[3] = {{&headers[slot], sizeof(struct header), false},
						   {at, bytes, type == IN || type == GET_ID},
						   {&statuses[slot], 1, true}};
	const struct virtio_segment bare[2] = {segments[0], segments[2]};
	virtio_put(&disk, bytes ? segments : bare, bytes ? 3 : 2);
}

static void request(uint32_t type, uint64_t sector, void *at, uint32_t bytes, uint8_t status)
{
	put(0, type, sector, at, bytes);
	virtio_wait(&disk);
	CHECK(statuses[0] == status, "a request has another status");
}

static uint64_t digest(const uint8_t *at, size_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ at[i]) * 0x100000001b3;
	return hash;
}

static void fill(uint8_t *at, size_t bytes, uint8_t seed)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(seed + 7 * i + (i >> 9));
}

static void expect_fill(const uint8_t *at, size_t bytes, uint8_t seed, const char *why)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(at[i] == (uint8_t)(seed + 7 * i + (i >> 9)), why);
}

static void expect_zeroes(const uint8_t *at, size_t bytes, const char *why)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(at[i] == 0, why);
}

static void identity(void)
{
	char id[ID_BYTES + 1] = {0};
	request(GET_ID, 0, id, ID_BYTES, OK);
	print("serial ");
	print(id);
	print("\n");
}

/* Larger than one transfer of hv, in one request. */
static void big(uint8_t seed)
{
	request(IN, TEST_SECTOR, before, sizeof(before), OK);
	fill(data, sizeof(data), seed);
	request(OUT, TEST_SECTOR, data, sizeof(data), OK);
	memset(data, 0, sizeof(data));
	request(IN, TEST_SECTOR, data, sizeof(data), OK);
	CHECK(virtio_bytes_used(&disk, (uint16_t)(disk.taken - 1)) == sizeof(data) + 1, "another length was read");
	expect_fill(data, sizeof(data), seed, "other bytes than were written");
}

/* In order: each read comes behind the write before it. */
static void several(uint8_t seed)
{
	for (uint32_t i = 0; i < AT_ONCE; i += 2) {
		fill(data + i * SECTOR, SECTOR, (uint8_t)(seed + i));
		put(i, OUT, TEST_SECTOR + 3, data + i * SECTOR, SECTOR);
		put(i + 1, IN, TEST_SECTOR + 3, data + (i + 1) * SECTOR, SECTOR);
	}
	virtio_wait(&disk);
	for (uint32_t i = 0; i < AT_ONCE; i++) {
		CHECK(statuses[i] == OK, "one of several requests fails");
		expect_fill(data + i * SECTOR, SECTOR, (uint8_t)(seed + i / 2 * 2), "requests out of order");
	}
}

static void zeroes(uint32_t type, uint64_t sector)
{
	struct range range = {sector, 8, 0};
	request(type, 0, &range, sizeof(range), OK);
	request(IN, sector - 1, data, 10 * SECTOR, OK);
	CHECK(data[7] != 0 || data[8] != 0, "too much is zero");
	expect_zeroes(data + SECTOR, 8 * SECTOR, "a sector is not zero");
}

static uint64_t all(uint8_t seed)
{
	uint64_t sectors = mmio_read32(disk.base + VIRTIO_CONFIG);
	virtio_start(&disk, &queue);
	CHECK(sectors >= TEST_SECTOR + BIG_SECTORS, "the disk is too small");
	identity();
	request(IN, 0, data, 8 * SECTOR, OK);
	uint64_t hash = digest(data, 8 * SECTOR);
	big(seed);
	several(seed);
	request(FLUSH, 0, NULL, 0, OK);
	zeroes(ZEROES, TEST_SECTOR + 16);
	zeroes(DISCARD, TEST_SECTOR + 40);
	request(IN, sectors, data, SECTOR, IO_ERROR);
	request(OUT, sectors - 1, data, 2 * SECTOR, IO_ERROR);
	request(OUT, TEST_SECTOR, before, sizeof(before), OK);
	return hash;
}

void guest_main(void)
{
	if (!virtio_find(&disk, VIRTIO_DISK)) {
		print("no disk\n");
		return;
	}
	uint64_t hash = all(1);
	exception_on_irq = take_disk;
	gic_init();
	gic_enable(disk.intid);
	irq_unmask();
	disk.waits = true;
	CHECK(all(100) == hash, "the disk changes where nothing was written");
	CHECK(interrupts > 0, "no interrupt came");
	print_value("digest", hash);
}
