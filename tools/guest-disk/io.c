/* io FILE COUNT: random reads and writes of 4 KiB past the page cache, COUNT by each of WORKERS processes, so that as
 * many requests may be at the disk at once. Makes the file first. Status 0 if every block read was the one written
 * last.
 *
 * A block is filled with its own number and how often it was written. Each process has a part of the file to itself. */
#include "tools/guest-init/linux.h"

enum { WORKERS = 4, BLOCKS_EACH = 512, BLOCK_WORDS = PAGE_BYTES / 8 };
enum { AT_FDCWD = -100, O_RDWR = 2, O_CREAT = 0x40, O_DIRECT = 0x10000 }; /* arch/arm64/include/uapi/asm/fcntl.h */

const char linux_program[] = "io";

static long file;
static uint64_t *block; /* O_DIRECT wants it aligned: a page of its own */
static uint64_t written[BLOCKS_EACH];

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void block_write(uint64_t worker, uint64_t index)
{
	uint64_t number = worker * BLOCKS_EACH + index;
	written[index]++;
	for (uint64_t i = 0; i < BLOCK_WORDS; i++)
		block[i] = number << 32 | written[index];
	CHECK(CALL6(SYS_PWRITE64, file, block, PAGE_BYTES, number * PAGE_BYTES, 0, 0) == PAGE_BYTES, "not written");
}

static void block_check(uint64_t worker, uint64_t index)
{
	uint64_t number = worker * BLOCKS_EACH + index;
	CHECK(CALL6(SYS_PREAD64, file, block, PAGE_BYTES, number * PAGE_BYTES, 0, 0) == PAGE_BYTES, "not read");
	for (uint64_t i = 0; i < BLOCK_WORDS; i++)
		CHECK(block[i] == (number << 32 | written[index]), "another block");
}

static void work(uint64_t worker, uint64_t count)
{
	uint64_t state = worker + 1;
	block = linux_map(PAGE_BYTES, MAP_PRIVATE);
	for (uint64_t i = 0; i < BLOCKS_EACH; i++)
		block_write(worker, i);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t index = random_next(&state) >> 32 & (BLOCKS_EACH - 1);
		if (random_next(&state) >> 63)
			block_write(worker, index);
		else
			block_check(worker, index);
		if (i % 256 == 255)
			CHECK(CALL(SYS_FSYNC, file, 0, 0) == 0, "not flushed");
	}
	for (uint64_t i = 0; i < BLOCKS_EACH; i++)
		block_check(worker, i);
}

static uint64_t number_of(const char *text)
{
	uint64_t number = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	return number;
}

int linux_main(int count, char **arguments)
{
	CHECK(count == 3, "usage: io FILE COUNT");
	file = CALL6(SYS_OPENAT, AT_FDCWD, arguments[1], O_RDWR | O_CREAT | O_DIRECT, 0600, 0, 0);
	CHECK(file >= 0, "no file");
	long children[WORKERS];
	for (uint64_t i = 0; i < WORKERS; i++) {
		children[i] = linux_fork();
		if (children[i] == 0) {
			work(i, number_of(arguments[2]));
			CALL(SYS_EXIT_GROUP, 0, 0, 0);
		}
	}
	for (uint64_t i = 0; i < WORKERS; i++)
		CHECK(linux_wait(children[i]) == 0, "a worker failed");
	return 0;
}
