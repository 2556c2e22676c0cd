/* A disk of a recording against a model: what the guest reads, what the image has in the end, and that what the trace
 * was told gives a replay the same bytes at every event. */
#include "recorder/disk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(recorder_disk, .timeout = 300);

enum { SECTOR = 512, BLOCK = TRACE_BLOCK_BYTES, BYTES_MAX = 10 * BLOCK, TOLD_MAX = 20000, TURNS = 400 };

static char folder[64], path[128];
static uint8_t model[BYTES_MAX], image[BYTES_MAX], bytes[BYTES_MAX];
static uint64_t disk_size, random_state;
static bool fails; /* the trace has no room */

static struct told {
	uint64_t block, event;
	uint8_t bytes[BLOCK];
} told[TOLD_MAX];
static size_t told_count, zero_runs;

static uint64_t below(uint64_t bound)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (random_state >> 33) % bound;
}

static void tell_one(uint64_t block, uint64_t event, const uint8_t *contents)
{
	struct told *one = &told[told_count++];
	cr_assert_leq(told_count, TOLD_MAX);
	*one = (struct told){.block = block, .event = event};
	if (contents)
		memcpy(one->bytes, contents, BLOCK);
}

static bool tell(void *context, uint64_t first, uint64_t count, uint64_t event, const uint8_t *contents)
{
	(void)context;
	zero_runs += !contents;
	for (uint64_t i = 0; i < count && !fails; i++)
		tell_one(first + i, event, contents ? contents + i * BLOCK : NULL);
	return !fails;
}

/* What a replay has of the block at an event. */
static const uint8_t *replayed(uint64_t block, uint64_t event)
{
	const struct told *newest = NULL;
	for (size_t i = 0; i < told_count; i++) {
		if (told[i].block == block && told[i].event < event && (!newest || told[i].event >= newest->event))
			newest = &told[i];
	}
	cr_assert(newest, "the trace does not have block %zu", (size_t)block);
	return newest->bytes;
}

static struct disk *open_disk(uint64_t size, bool write)
{
	struct error error = {.status = STATUS_OK};
	struct disk_options options = {.path = path, .write = write};
	strcpy(folder, "/tmp/hvrec-test-disk-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/image", folder);
	FILE *file = fopen(path, "wb");
	for (uint64_t i = 0; i < size; i++)
		image[i] = model[i] =
			i / BLOCK % 2 ? 0 : (uint8_t)(i * 7 + i / SECTOR); /* every second block is empty */
	cr_assert(file && fwrite(image, 1, size, file) == size && fclose(file) == 0);
	disk_size = size;
	told_count = 0;
	struct disk *disk = disk_open(&options, folder, &error);
	cr_assert(disk, "%s", error.text);
	disk_listen(disk, tell, NULL);
	return disk;
}

static void close_disk(struct disk *disk, const uint8_t *expected)
{
	disk_close(disk);
	FILE *file = fopen(path, "rb");
	cr_assert(file && fread(bytes, 1, disk_size + 1, file) == disk_size && fclose(file) == 0, "the image's size");
	cr_assert_eq(memcmp(bytes, expected, disk_size), 0, "the image");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(rmdir(folder), 0);
}

static void read_and_compare(struct disk *disk, uint64_t event, uint64_t sector, uint64_t sectors)
{
	struct error error = {.status = STATUS_OK};
	uint64_t offset = sector * SECTOR, count = sectors * SECTOR;
	cr_assert(disk_read(disk, offset, bytes, (uint32_t)count, &error), "%s", error.text);
	cr_assert_eq(memcmp(bytes, model + offset, count), 0);
	for (uint64_t at = offset; at < offset + count; at += SECTOR)
		cr_assert_eq(memcmp(replayed(at / BLOCK, event) + at % BLOCK, model + at, SECTOR), 0);
}

static void write_some(struct disk *disk, uint64_t event, uint64_t sector, uint64_t sectors, bool zeroes)
{
	struct error error = {.status = STATUS_OK};
	uint64_t offset = sector * SECTOR, count = sectors * SECTOR;
	for (uint64_t i = 0; i < count; i++)
		model[offset + i] = zeroes ? 0 : (uint8_t)(event * 13 + i / 3);
	cr_assert(disk_write(disk, event, offset, zeroes ? NULL : model + offset, count, &error), "%s", error.text);
}

static void turns(struct disk *disk)
{
	struct error error = {.status = STATUS_OK};
	for (uint64_t event = 1; event < TURNS; event++) {
		uint64_t sector = below(disk_size / SECTOR), sectors = 1 + below(disk_size / SECTOR - sector);
		uint64_t what = below(8);
		if (what < 4)
			read_and_compare(disk, event, sector, sectors);
		else if (what < 7)
			write_some(disk, event, sector, 1 + below(sectors), what == 6);
		else
			cr_assert(disk_flush(disk, &error));
	}
	read_and_compare(disk, TURNS, 0, disk_size / SECTOR);
	cr_assert(disk_flush(disk, &error));
}

Test(recorder_disk, any_order_of_requests_is_as_the_model_says)
{
	for (uint64_t more = 0; more < 8; more++) {
		for (int write = 0; write < 2; write++) {
			random_state = more * 2 + (uint64_t)write;
			struct disk *disk = open_disk((1 + more) * BLOCK + more * SECTOR, write);
			turns(disk);
			close_disk(disk, write ? model : image);
		}
	}
}

Test(recorder_disk, zeroed_blocks_are_told_of_as_one)
{
	struct error error = {.status = STATUS_OK};
	struct disk *disk = open_disk(8 * BLOCK, true);
	write_some(disk, 1, 1, 7 * BLOCK / SECTOR, true); /* a part of the first and of the last one */
	cr_assert_eq(zero_runs, 1);
	read_and_compare(disk, 3, 0, 8 * BLOCK / SECTOR);
	cr_assert(disk_flush(disk, &error));
	close_disk(disk, model);
}

Test(recorder_disk, a_block_that_the_trace_had_no_room_for_is_told_later)
{
	struct error error = {.status = STATUS_OK};
	struct disk *disk = open_disk(2 * BLOCK, false);
	fails = true;
	cr_assert_not(disk_read(disk, 0, bytes, BLOCK, &error));
	fails = false;
	read_and_compare(disk, 5, 0, 2 * BLOCK / SECTOR);
	close_disk(disk, image);
}
