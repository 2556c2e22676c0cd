/* First the image, if there is one, then the trace's blocks over it. What is zeroes is a hole where that is possible.
 */
#include "replay/trace/disk_contents.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = TRACE_BLOCK_BYTES, COPY_BYTES = 1 << 20 };

struct writing {
	const struct disk_contents *contents;
	int fd;
	struct disk_contents_count *count;
};

static bool is_zero(const uint8_t *bytes, size_t count)
{
	return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

static bool put(int fd, uint64_t offset, const uint8_t *from, size_t bytes, struct error *error)
{
	while (bytes > 0) {
		ssize_t done = pwrite(fd, from, bytes, (off_t)offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return error_set(error, STATUS_FAILED, "the disk cannot be written: %s",
					 strerror(done < 0 ? errno : ENOSPC));
		from += done;
		offset += (uint64_t)done;
		bytes -= (size_t)done;
	}
	return true;
}

/* A piece of the image, block by block, so that its zeroes stay holes. */
static bool put_image(int fd, uint64_t offset, const uint8_t *from, size_t bytes, struct error *error)
{
	for (size_t at = 0; at < bytes; at += BLOCK) {
		size_t part = bytes - at < BLOCK ? bytes - at : BLOCK;
		if (!is_zero(from + at, part) && !put(fd, offset + at, from + at, part, error))
			return false;
	}
	return true;
}

/* Where the image has data from `offset` on; its end without any more. A file system that knows no holes, and a block
 * device, have data everywhere. */
static uint64_t data_after(const struct disk_contents *contents, uint64_t offset)
{
	off_t data = lseek(contents->image_fd, (off_t)offset, SEEK_DATA);
	if (data >= 0)
		return (uint64_t)data;
	return errno == ENXIO ? contents->bytes : offset;
}

static bool copy_image(const struct writing *writing, uint8_t *buffer, struct error *error)
{
	const struct disk_contents *contents = writing->contents;
	uint64_t offset = data_after(contents, 0) / BLOCK * BLOCK;
	while (offset < contents->bytes) {
		uint64_t left = contents->bytes - offset;
		ssize_t got = pread(contents->image_fd, buffer, left < COPY_BYTES ? left : COPY_BYTES, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_set(error, STATUS_FAILED, "the image cannot be read at byte %" PRIu64 ": %s",
					 offset, got < 0 ? strerror(errno) : "it has become shorter");
		if (!put_image(writing->fd, offset, buffer, (size_t)got, error))
			return false;
		uint64_t next = data_after(contents, offset + (uint64_t)got) / BLOCK * BLOCK;
		offset = next > offset ? next : offset + (uint64_t)got;
	}
	return true;
}

static bool put_zeroes(const struct writing *writing, uint64_t offset, uint64_t bytes, struct error *error)
{
	static const uint8_t zeroes[BLOCK];
	if (writing->contents->image_fd < 0 ||
	    fallocate(writing->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes) == 0)
		return true;
	for (uint64_t at = 0; at < bytes; at += BLOCK) {
		if (!put(writing->fd, offset + at, zeroes, bytes - at < BLOCK ? bytes - at : BLOCK, error))
			return false;
	}
	return true;
}

static bool put_blocks(uint64_t block, uint64_t count, const uint8_t *bytes, void *context, struct error *error)
{
	struct writing *writing = context;
	uint64_t blocks = writing->count->blocks;
	if (block >= blocks || count > blocks - block)
		return error_set(error, STATUS_FAILED,
				 "the trace is damaged: block %" PRIu64 " is behind the disk's end", block + count - 1);
	uint64_t offset = block * BLOCK, left = writing->contents->bytes - offset;
	uint64_t part = left < count * BLOCK ? left : count * BLOCK;
	writing->count->in_trace += count;
	return bytes && !is_zero(bytes, part) ? put(writing->fd, offset, bytes, part, error)
					      : put_zeroes(writing, offset, part, error);
}

bool disk_contents_write(struct trace_reader *trace, const struct disk_contents *contents, int fd,
			 struct disk_contents_count *count, struct error *error)
{
	struct writing writing = {contents, fd, count};
	*count = (struct disk_contents_count){.blocks = (contents->bytes + BLOCK - 1) / BLOCK};
	if (ftruncate(fd, (off_t)contents->bytes) != 0)
		return error_set(error, STATUS_FAILED, "the disk cannot be written: %s", strerror(errno));
	uint8_t *buffer = contents->image_fd >= 0 ? malloc(COPY_BYTES) : NULL;
	if (contents->image_fd >= 0 && !buffer)
		return error_set(error, STATUS_FAILED, "out of memory");
	bool good = !buffer || copy_image(&writing, buffer, error);
	free(buffer);
	return good && trace_each_block(trace, contents->disk, contents->before_event, put_blocks, &writing, error);
}
