/* A disk at a position: where the place is among the events, what is in the blocks, what is a hole. */
#include "replay/trace/disk_contents.h"
#include "replay/trace/place.h"
#include "tests/unit/device_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

TestSuite(disk_contents, .init = fixture_setup, .fini = fixture_teardown);

enum { BYTES = DEVICE_SECTORS * 512 };

static int file_make(const char *name)
{
	char file[160];
	snprintf(file, sizeof(file), "%s/%s", folder, name);
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert(fd >= 0);
	return fd;
}

/* The disk before event `before`, over the image if there is one. */
static struct disk_contents_count write_disk(struct trace_reader *trace, uint64_t before, int image_fd,
					     uint8_t bytes[BYTES])
{
	struct error error = {0};
	struct disk_contents contents = {.disk = 0, .bytes = BYTES, .before_event = before, .image_fd = image_fd};
	struct disk_contents_count count;
	struct stat status;
	int fd = file_make("disk");
	cr_assert(disk_contents_write(trace, &contents, fd, &count, &error), "%s", error.text);
	cr_expect(fstat(fd, &status) == 0 && status.st_size == BYTES);
	cr_assert_eq(pread(fd, bytes, BYTES, 0), BYTES);
	close(fd);
	return count;
}

Test(disk_contents, what_a_place_has_passed)
{
	static const struct {
		uint64_t n, next;
		const char *what;
	} cases[] = {
		{0, 0, "before everything"},
		{10, 0, "before the instruction that traps"},
		{11, 1, "behind it"},
		{100, 5, "with the exit and its notes, not with a further exit"},
		{101, 7, "behind all"},
		{150, 8, "with the notes behind a trap"},
		{200, 8, "before it goes idle"},
		{201, 12, "behind that"},
		{400, 15, "the end is behind everything"},
	};
	struct error error = {0};
	struct trace_reader *trace = device_open();
	struct events *events = events_open(trace, &error);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t next;
		cr_assert(place_next_event(events, cases[i].n, &next, &error), "%s", error.text);
		cr_expect_eq(next, cases[i].next, "n %d, %s: %d", (int)cases[i].n, cases[i].what, (int)next);
	}
	events_close(events);
	trace_close(trace);
}

Test(disk_contents, each_version_at_its_time)
{
	struct trace_reader *trace = device_open();
	uint8_t bytes[BYTES];
	const struct {
		uint64_t before;
		char first, second;
	} cases[] = {{0, 'i', 'i'},
		     {DEVICE_WRITE, 'i', 'i'},
		     {DEVICE_WRITE + 1, 'w', 'w'},
		     {DEVICE_REWRITE + 1, 'r', 'w'},
		     {DEVICE_ZERO, 'r', 'w'}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct disk_contents_count count = write_disk(trace, cases[i].before, -1, bytes);
		cr_expect(count.blocks == 2 && count.in_trace == 1);
		cr_expect(bytes[0] == cases[i].first && bytes[512] == cases[i].second, "case %zu", i);
		for (int at = 4096; at < BYTES; at++)
			cr_assert_eq(bytes[at], 0, "a block that was never used is a hole");
	}
	struct disk_contents_count count = write_disk(trace, UINT64_MAX, -1, bytes);
	cr_expect(count.in_trace == 2 && bytes[0] == 0 && bytes[512] == 0);
	trace_close(trace);
}

Test(disk_contents, the_image_is_under_what_the_trace_has)
{
	struct trace_reader *trace = device_open();
	uint8_t image[BYTES], bytes[BYTES];
	memset(image, 'x', sizeof(image));
	int fd = file_make("image");
	cr_assert_eq(pwrite(fd, image, BYTES, 0), BYTES);
	struct disk_contents_count count = write_disk(trace, DEVICE_WRITE + 1, fd, bytes);
	cr_expect(count.in_trace == 1 && bytes[0] == 'w' && bytes[4095] == 'w' && bytes[4096] == 'x' &&
		  bytes[BYTES - 1] == 'x');
	write_disk(trace, UINT64_MAX, fd, bytes);
	cr_expect(bytes[0] == 0 && bytes[4096] == 0 && bytes[BYTES - 1] == 0, "zeroes of the trace cover it");
	close(fd);
	trace_close(trace);
}

/* A large image with a little data here and there: all of it comes over, and its holes stay holes. */
Test(disk_contents, a_sparse_image)
{
	enum { LARGE = 64 << 20 };
	static const off_t places[] = {0, 5 << 20, (5 << 20) + 8192, LARGE - 512};
	struct error error = {0};
	struct trace_reader *trace = device_open();
	struct disk_contents contents = {
		.disk = 1, .bytes = LARGE, .before_event = UINT64_MAX, .image_fd = file_make("image")};
	struct disk_contents_count count;
	struct stat status;
	char sector[512], read[512];
	memset(sector, 's', sizeof(sector));
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		cr_assert_eq(pwrite(contents.image_fd, sector, sizeof(sector), places[i]), 512);
	int fd = file_make("disk");
	cr_assert(disk_contents_write(trace, &contents, fd, &count, &error), "%s", error.text);
	cr_expect_eq(count.in_trace, 0, "no other disk's blocks");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		cr_expect(pread(fd, read, sizeof(read), places[i]) == 512 && memcmp(read, sector, 512) == 0);
	cr_expect(fstat(fd, &status) == 0 && status.st_size == LARGE && status.st_blocks < 1000);
	close(contents.image_fd);
	close(fd);
	trace_close(trace);
}

Test(disk_contents, what_cannot_be_is_an_error)
{
	struct error error = {0};
	struct trace_reader *trace = device_open();
	struct disk_contents contents = {.bytes = 4096, .before_event = UINT64_MAX, .image_fd = -1};
	struct disk_contents_count count;
	int fd = file_make("disk");
	cr_expect_not(disk_contents_write(trace, &contents, fd, &count, &error), "block 1 is behind the end");
	cr_expect(strstr(error.text, "damaged"), "%s", error.text);
	error = (struct error){0};
	contents = (struct disk_contents){.bytes = BYTES, .before_event = UINT64_MAX, .image_fd = file_make("image")};
	cr_assert_eq(pwrite(contents.image_fd, "x", 1, 100), 1);
	cr_expect_not(disk_contents_write(trace, &contents, fd, &count, &error), "the image is too short");
	cr_expect(strstr(error.text, "shorter"), "%s", error.text);
	close(contents.image_fd);
	close(fd);
	trace_close(trace);
}
