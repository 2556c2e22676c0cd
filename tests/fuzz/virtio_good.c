/* What a request is to do is worked out when it is made: devices do requests in their order. RAM is compared as a
 * whole: nothing but the buffers and the device's own words of the rings may change. */
#include "tests/fuzz/virtio_good.h"
#include "hv/dev/virtio.h"
#include "tests/fuzz/random.h"
#include "tests/fuzz/virtio_host.h"
#include "tests/unit/virtio_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PENDING_MAX = 64, DATA_BYTES_MAX = 6 * 512, BATCHES_MAX = 6 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13, TYPES = 15 };
enum { SEGMENTS_MIN = 3, SEGMENTS_LEFT = 4 }; /* of a request; for what is still to be added to one */
enum { OK = 0, IO_ERROR = 1, UNSUPPORTED = 2, STATUS_BEFORE = 0xee };

/* A request on its way, and what is to come of it. */
struct pending {
	uint16_t head;
	uint32_t written; /* what the used ring is to say */
};

static struct driver driver;
static struct pending pending[PENDING_MAX];
static size_t pending_first, pending_count;
static uint64_t buffers;                          /* the next free byte of RAM */
static uint8_t expected_ram[HOST_RAM_BYTES];      /* what RAM is to be, but for the rings */
static uint8_t expected_disk[2][HOST_DISK_BYTES]; /* … and the disks */
static uint64_t expected_random, expected_packet, expected_sent;

static void demand(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "virtio_good: %s\n", what);
	abort();
}

static bool coin(void)
{
	return random_below(2) == 0;
}

static uint64_t ram_end(void)
{
	return GUEST_RAM_IPA + HOST_RAM_BYTES;
}

static void expect_byte(uint64_t ipa, uint8_t byte)
{
	expected_ram[ipa - GUEST_RAM_IPA] = byte;
}

static void ram_put(uint64_t ipa, uint8_t byte)
{
	*(uint8_t *)driver_ram(ipa, 1) = byte;
	expect_byte(ipa, byte);
}

/* A request that is being put together. */
struct request {
	struct driver_segment segments[DRIVER_SEGMENTS_MAX];
	size_t count, room;
	uint64_t table; /* indirect; 0: it is not */
};

/* Bytes at the end of the request, in segments as chance has it; returns where they are, which is one piece of RAM. */
static uint64_t bytes_add(struct request *request, uint32_t bytes, bool writable)
{
	uint64_t at = buffers;
	buffers += bytes;
	for (uint32_t left = bytes; left > 0;) {
		bool more = request->count + SEGMENTS_LEFT < request->room;
		uint32_t part = more && random_below(3) == 0 ? 1 + (uint32_t)random_below(left) : left;
		if (more && random_below(6) == 0)
			part = 1;
		if (more && random_below(20) == 0) /* nothing at all, nowhere */
			request->segments[request->count++] = (struct driver_segment){0, 0, writable};
		request->segments[request->count++] = (struct driver_segment){at + (bytes - left), part, writable};
		left -= part;
	}
	return at;
}

static bool request_fits(void)
{
	bool indirect = driver.features & VIRTIO_F_INDIRECT_DESC;
	return pending_count < PENDING_MAX && buffers + 3 * DATA_BYTES_MAX < ram_end() &&
	       driver.free_count >= (indirect ? 1 : SEGMENTS_MIN);
}

static struct request request_begin(void)
{
	struct request request = {.room = driver.free_count};
	if (driver.features & VIRTIO_F_INDIRECT_DESC && (coin() || driver.free_count < SEGMENTS_MIN)) {
		request.table = buffers;
		request.room = DRIVER_SEGMENTS_MAX;
		buffers += (uint64_t)DRIVER_SEGMENTS_MAX * DRIVER_DESCRIPTOR_BYTES;
	}
	request.room = request.room < DRIVER_SEGMENTS_MAX ? request.room : DRIVER_SEGMENTS_MAX;
	return request;
}

static void request_make(const struct request *request, uint32_t written)
{
	uint16_t head = driver_put(&driver, request->segments, request->count, request->table);
	uint64_t table_bytes = request->count * DRIVER_DESCRIPTOR_BYTES;
	if (request->table)
		memcpy(expected_ram + (request->table - GUEST_RAM_IPA), driver_ram(request->table, table_bytes),
		       table_bytes);
	pending[(pending_first + pending_count++) % PENDING_MAX] = (struct pending){head, written};
}

static void u64_put(uint64_t ipa, uint64_t value, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		ram_put(ipa + i, (uint8_t)(value >> 8 * i));
}

/* ---- disks ---- */

static uint64_t some_sector(void)
{
	return random_below(16) == 0 ? random_u64() >> random_below(60) : random_below(HOST_DISK_SECTORS + 2);
}

static bool in_disk(uint64_t sector, uint64_t bytes)
{
	return bytes % 512 == 0 && sector <= HOST_DISK_SECTORS && bytes / 512 <= HOST_DISK_SECTORS - sector;
}

static uint8_t read_add(struct request *request, uint64_t sector, uint32_t *written)
{
	uint32_t bytes = (uint32_t)random_below(7) * 512 + (random_below(12) == 0 ? 1 : 0);
	uint64_t at = bytes_add(request, bytes, true);
	if (!in_disk(sector, bytes))
		return IO_ERROR;
	for (uint32_t i = 0; i < bytes; i++)
		expect_byte(at + i, expected_disk[driver.transport][sector * 512 + i]);
	*written = bytes;
	return OK;
}

static uint8_t write_add(struct request *request, uint64_t sector)
{
	uint32_t bytes = (uint32_t)random_below(7) * 512 + (random_below(12) == 0 ? 1 : 0);
	uint64_t at = bytes_add(request, bytes, false);
	uint8_t seed = (uint8_t)random_u64();
	for (uint32_t i = 0; i < bytes; i++)
		ram_put(at + i, (uint8_t)(seed + 3 * i));
	if (!in_disk(sector, bytes) || driver.transport == HOST_DISK_READ_ONLY)
		return IO_ERROR;
	memcpy(&expected_disk[driver.transport][sector * 512], driver_ram(at, bytes), bytes);
	return OK;
}

static uint8_t id_add(struct request *request, uint32_t *written)
{
	static const char *const serials[] = {"serial of 20 letters", "ro"};
	char serial[VIRTIO_SERIAL_BYTES] = {0};
	uint32_t bytes = coin() ? VIRTIO_SERIAL_BYTES : (uint32_t)random_below(40);
	uint64_t at = bytes_add(request, bytes, true);
	*written = bytes < VIRTIO_SERIAL_BYTES ? bytes : VIRTIO_SERIAL_BYTES;
	memcpy(serial, serials[driver.transport], strlen(serials[driver.transport]));
	for (uint32_t i = 0; i < *written; i++)
		expect_byte(at + i, (uint8_t)serial[i]);
	return OK;
}

struct range {
	uint64_t sector;
	uint32_t sectors, flags;
};

static struct range some_range(void)
{
	struct range range = {random_below(HOST_DISK_SECTORS - 20), (uint32_t)random_below(20), 0};
	if (random_below(20) == 0)
		range.sector = some_sector();
	if (random_below(30) == 0)
		range.sectors = (uint32_t)random_u64();
	if (random_below(12) == 0)
		range.flags = 1u << random_below(random_below(2) ? 1 : 32);
	return range;
}

static uint8_t range_check(const struct range *range, uint32_t type)
{
	if (range->flags & ~(type == ZEROES ? 1u : 0u))
		return UNSUPPORTED;
	return range->sectors <= 1 << 16 && in_disk(range->sector, (uint64_t)range->sectors * 512) ? OK : IO_ERROR;
}

static uint8_t zero_add(struct request *request, uint32_t type)
{
	struct range ranges[20];
	uint32_t count = (uint32_t)random_below(random_below(8) == 0 ? 20 : 5), odd = random_below(20) == 0;
	uint64_t at = bytes_add(request, count * (uint32_t)sizeof(ranges[0]) + odd, false);
	uint8_t status = count > 16 || odd || driver.transport == HOST_DISK_READ_ONLY ? IO_ERROR : OK;
	for (uint32_t i = 0; i < count; i++) {
		ranges[i] = some_range();
		u64_put(at + 16 * i, ranges[i].sector, 8);
		u64_put(at + 16 * i + 8, ranges[i].sectors, 4);
		u64_put(at + 16 * i + 12, ranges[i].flags, 4);
		if (status == OK)
			status = range_check(&ranges[i], type);
	}
	for (uint32_t i = 0; i < count && status == OK; i++)
		memset(&expected_disk[driver.transport][ranges[i].sector * 512], 0, ranges[i].sectors * 512);
	return status;
}

static void disk_request(void)
{
	static const uint32_t types[TYPES] = {IN,    IN,     IN,      IN,     OUT,    OUT, OUT, OUT,
					      FLUSH, GET_ID, DISCARD, ZEROES, ZEROES, 2,   77};
	struct request request = request_begin();
	uint32_t type = types[random_below(TYPES)], written = 0;
	uint64_t sector = some_sector(), header = bytes_add(&request, 16, false);
	uint8_t status = OK;
	u64_put(header, type, 8);
	u64_put(header + 8, sector, 8);
	if (type == IN)
		status = read_add(&request, sector, &written);
	else if (type == OUT)
		status = write_add(&request, sector);
	else if (type == GET_ID)
		status = id_add(&request, &written);
	else if (type == DISCARD || type == ZEROES)
		status = zero_add(&request, type);
	else if (type != FLUSH)
		status = UNSUPPORTED;
	uint32_t data = 0;
	for (size_t i = 0; i < request.count; i++)
		data += request.segments[i].writable ? request.segments[i].bytes : 0;
	uint64_t at = bytes_add(&request, 1, true);
	ram_put(at, STATUS_BEFORE);
	expect_byte(at, status);
	request_make(&request, written + (written == data));
}

/* ---- entropy and network ---- */

static void rng_request(void)
{
	struct request request = request_begin();
	uint32_t bytes = 1 + (uint32_t)random_below(random_below(10) == 0 ? 5000 : 100);
	uint64_t at = bytes_add(&request, bytes, true);
	bytes = bytes < 4096 ? bytes : 4096;
	for (uint32_t i = 0; i < bytes; i++)
		expect_byte(at + i, host_random_byte(expected_random++));
	request_make(&request, bytes);
}

static void send_request(void)
{
	struct request request = request_begin();
	uint32_t bytes = 12 + (uint32_t)random_below(1600);
	uint64_t at = bytes_add(&request, bytes, false);
	for (uint32_t i = 12; i < bytes; i++)
		ram_put(at + i, (uint8_t)(expected_sent + i));
	expected_sent++;
	request_make(&request, 0);
}

static void receive_request(void)
{
	struct request request = request_begin();
	uint32_t bytes = 12 + (uint32_t)random_below(2000), packet = host_packet_bytes(expected_packet);
	uint64_t at = bytes_add(&request, bytes, true);
	packet = packet < bytes - 12 ? packet : bytes - 12;
	for (uint32_t i = 0; i < 12; i++)
		expect_byte(at + i, i == 10);
	for (uint32_t i = 0; i < packet; i++)
		expect_byte(at + 12 + i, host_packet_byte(expected_packet, i));
	expected_packet++;
	request_make(&request, 12 + packet);
}

static void request(void)
{
	if (driver.transport <= HOST_DISK_READ_ONLY)
		disk_request();
	else if (driver.transport == HOST_RNG)
		rng_request();
	else if (driver.queue == 0)
		receive_request();
	else
		send_request();
}

/* ---- rounds ---- */

static bool receives(void)
{
	return driver.transport == HOST_NET && driver.queue == 0;
}

static void results_take(void)
{
	uint16_t head;
	uint32_t written;
	while (driver_take(&driver, &head, &written)) {
		const struct pending *first = &pending[pending_first];
		demand(pending_count > 0 && head == first->head, "chains come back out of order");
		demand(written == first->written, "the used length is not what was written");
		pending_first = (pending_first + 1) % PENDING_MAX;
		pending_count--;
	}
}

static void everything_compare(void)
{
	uint64_t rings = driver.rings - GUEST_RAM_IPA, end = rings + driver_bytes(driver.size);
	demand(pending_count == 0, "a request is lost");
	demand(memcmp(host.ram, expected_ram, rings) == 0 &&
		       memcmp(host.ram + end, expected_ram + end, HOST_RAM_BYTES - end) == 0,
	       "RAM is not as it should be");
	demand(memcmp(host.disk, expected_disk, sizeof(expected_disk)) == 0, "the disk is not as it should be");
	demand(host.sent == expected_sent, "packets are lost");
	demand(driver_get(&driver, DRIVER_STATUS) == 15, "the device is broken");
	expected_random = host.random_at;
}

static void interrupt_check(bool wanted)
{
	demand(driver_get(&driver, DRIVER_INTERRUPT) == wanted, "an interrupt too few, or too many");
	driver_set(&driver, DRIVER_ACK, 1);
	demand(driver_get(&driver, DRIVER_INTERRUPT) == 0, "an interrupt that does not go");
}

static void batch(void)
{
	uint16_t before = driver.put;
	bool interrupts = coin();
	driver_interrupt_after(&driver, interrupts);
	buffers = driver.rings + driver_bytes(driver.size);
	for (uint64_t left = 1 + random_below(8); left > 0 && request_fits(); left--) {
		request();
		if (random_below(4) == 0)
			driver_kick(&driver);
		if (random_below(4) == 0)
			host_settle();
	}
	if (driver.put == before)
		return;
	if (interrupts)
		driver_interrupt_after(&driver, (uint16_t)(driver.put - driver.taken));
	driver_kick(&driver);
	host.packets = receives() ? (uint32_t)pending_count : 0;
	host_settle();
	while (host_time_passes())
		;
	results_take();
	interrupt_check(interrupts);
	everything_compare();
}

static void driver_choose(void)
{
	driver = (struct driver){.transport = (uint32_t)random_below(HOST_EMPTY)};
	driver.queue = driver.transport == HOST_NET ? (uint32_t)random_below(2) : 0;
	driver.size = (uint16_t)(1u << random_below(9));
	driver.start = (uint16_t)(coin() ? random_u64() : UINT64_C(0) - random_below(20));
	driver.features = (coin() ? VIRTIO_F_EVENT_IDX : 0) | (coin() ? VIRTIO_F_INDIRECT_DESC : 0);
	driver.rings = GUEST_RAM_IPA + 16 * random_below(64);
}

void good_case(void)
{
	driver_choose();
	memcpy(expected_ram, host.ram, sizeof(expected_ram));
	memcpy(expected_disk, host.disk, sizeof(expected_disk));
	expected_random = host.random_at;
	expected_packet = host.packet_at;
	expected_sent = host.sent;
	pending_first = pending_count = 0;
	driver_start(&driver);
	for (uint64_t left = 1 + random_below(BATCHES_MAX); left > 0; left--)
		batch();
}
