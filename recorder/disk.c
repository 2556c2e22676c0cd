/* What the guest writes goes into a file without a name, as large as the disk and sparse; a bit for each block says
 * where the newest contents are. The trace is told of whole blocks, so a write of a part of one reads the rest. */
#include "recorder/disk.h"
#include "recorder/disk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = TRACE_BLOCK_BYTES, RUN_BLOCKS = 256 };

struct disk {
	struct disk_image *image;
	bool write;
	int overlay_fd;
	disk_blocks_fn *tell;
	void *context;
	uint64_t bytes, block_count;
	/* a bit for each block */
	uint64_t *written; /* its contents are in the overlay */
	uint64_t *known;   /* the trace has it */
	uint64_t *dirty;   /* with `write`: the image does not have it */
};

static bool bit_get(const uint64_t *bits, uint64_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void bit_set(uint64_t *bits, uint64_t i)
{
	bits[i / 64] |= UINT64_C(1) << i % 64;
}

static void bit_clear(uint64_t *bits, uint64_t i)
{
	bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static int overlay_open(const char *folder, struct error *error)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		FILE *file = tmpfile(); /* a file system without O_TMPFILE */
		fd = file ? fcntl(fileno(file), F_DUPFD_CLOEXEC, 0) : -1;
		if (file)
			fclose(file);
	}
	if (fd < 0)
		error_set(error, STATUS_FAILED, "%s: no file can be made for what the guest writes to its disk: %s",
			  folder, strerror(errno));
	return fd;
}

struct disk *disk_open(const struct disk_options *options, const char *folder, struct error *error)
{
	struct disk *disk = calloc(1, sizeof(*disk));
	if (!disk)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	disk->overlay_fd = -1;
	disk->write = options->write;
	disk->image = disk_image_open(options->path, options->format, options->write, error);
	if (disk->image)
		disk->overlay_fd = overlay_open(folder, error);
	if (disk->overlay_fd < 0) {
		disk_close(disk);
		return NULL;
	}
	disk->bytes = disk_image_bytes(disk->image);
	disk->block_count = (disk->bytes + BLOCK - 1) / BLOCK;
	size_t words = disk->block_count / 64 + 1;
	disk->written = calloc(words, sizeof(uint64_t));
	disk->known = calloc(words, sizeof(uint64_t));
	disk->dirty = calloc(words, sizeof(uint64_t));
	if (disk->written && disk->known && disk->dirty)
		return disk;
	error_set(error, STATUS_FAILED, "out of memory");
	disk_close(disk);
	return NULL;
}

void disk_listen(struct disk *disk, disk_blocks_fn *tell, void *context)
{
	disk->tell = tell;
	disk->context = context;
}

uint64_t disk_bytes(const struct disk *disk)
{
	return disk->bytes;
}

static bool overlay_read(struct disk *disk, uint64_t offset, uint8_t *to, uint32_t bytes, struct error *error)
{
	for (uint32_t done = 0; done < bytes;) {
		ssize_t got = pread(disk->overlay_fd, to + done, bytes - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(error, STATUS_FAILED, "cannot read what the guest wrote to its disk: %s",
					 strerror(errno));
		if (got == 0) { /* a block at the end that is not whole */
			memset(to + done, 0, bytes - done);
			break;
		}
		done += (uint32_t)got;
	}
	return true;
}

static bool overlay_write(struct disk *disk, uint64_t offset, const uint8_t *from, uint64_t bytes, struct error *error)
{
	for (uint64_t done = 0; done < bytes;) {
		ssize_t put = pwrite(disk->overlay_fd, from + done, bytes - done, (off_t)(offset + done));
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return error_set(error, STATUS_FAILED, "cannot keep what the guest writes to its disk: %s",
					 strerror(put < 0 ? errno : ENOSPC));
		done += (uint64_t)put;
	}
	return true;
}

/* A hole, where the file system can make one. */
static bool overlay_zero(struct disk *disk, uint64_t offset, uint64_t bytes, struct error *error)
{
	static const uint8_t zeroes[RUN_BLOCKS * BLOCK];
	if (fallocate(disk->overlay_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes) == 0)
		return true;
	for (uint64_t done = 0, part; done < bytes; done += part) {
		part = bytes - done < sizeof(zeroes) ? bytes - done : sizeof(zeroes);
		if (!overlay_write(disk, offset + done, zeroes, part, error))
			return false;
	}
	return true;
}

/* Blocks [first, first + count), which are all in the overlay, or none is. */
static bool run_read(struct disk *disk, uint64_t first, uint64_t count, uint8_t *to, struct error *error)
{
	uint32_t bytes = (uint32_t)(count * BLOCK);
	return bit_get(disk->written, first) ? overlay_read(disk, first * BLOCK, to, bytes, error)
					     : disk_image_read(disk->image, first * BLOCK, to, bytes, error);
}

static bool blocks_read(struct disk *disk, uint64_t first, uint64_t count, uint8_t *to, struct error *error)
{
	for (uint64_t done = 0, run; done < count; done += run) {
		bool written = bit_get(disk->written, first + done);
		for (run = 1; done + run < count && bit_get(disk->written, first + done + run) == written;)
			run++;
		if (!run_read(disk, first + done, run, to + done * BLOCK, error))
			return false;
	}
	return true;
}

/* Tells of those that the trace does not have, run by run. */
static bool unknown_tell(struct disk *disk, uint64_t first, uint64_t count, const uint8_t *bytes)
{
	for (uint64_t done = 0, run; done < count; done += run) {
		bool known = bit_get(disk->known, first + done);
		for (run = 1; done + run < count && bit_get(disk->known, first + done + run) == known;)
			run++;
		if (!known && !disk->tell(disk->context, first + done, run, 0, bytes + done * BLOCK))
			return false;
	}
	for (uint64_t i = 0; i < count; i++)
		bit_set(disk->known, first + i);
	return true;
}

/* Whole blocks. */
static bool whole_read(struct disk *disk, uint64_t first, uint64_t count, uint8_t *to, struct error *error)
{
	return blocks_read(disk, first, count, to, error) &&
	       (unknown_tell(disk, first, count, to) || error_set(error, STATUS_FAILED, "out of memory"));
}

bool disk_read(struct disk *disk, uint64_t offset, void *to, uint32_t bytes, struct error *error)
{
	uint8_t whole[BLOCK], *at = to;
	for (uint64_t left = bytes; left > 0;) {
		uint64_t start = offset % BLOCK, count = start == 0 ? left / BLOCK : 0, part = count * BLOCK;
		if (count > 0) {
			if (!whole_read(disk, offset / BLOCK, count, at, error))
				return false;
		} else {
			part = BLOCK - start < left ? BLOCK - start : left;
			if (!whole_read(disk, offset / BLOCK, 1, whole, error))
				return false;
			memcpy(at, whole + start, part);
		}
		at += part;
		offset += part;
		left -= part;
	}
	return true;
}

static bool whole_write(struct disk *disk, uint64_t event, uint64_t first, uint64_t count, const uint8_t *bytes,
			struct error *error)
{
	if (!(bytes ? overlay_write(disk, first * BLOCK, bytes, count * BLOCK, error)
		    : overlay_zero(disk, first * BLOCK, count * BLOCK, error)))
		return false;
	for (uint64_t i = first; i < first + count; i++) {
		bit_set(disk->written, i);
		bit_set(disk->known, i);
		bit_set(disk->dirty, i);
	}
	return disk->tell(disk->context, first, count, event, bytes) ||
	       error_set(error, STATUS_FAILED, "out of memory");
}

/* A part of one block; `data` NULL: zeroes. */
static bool part_write(struct disk *disk, uint64_t event, uint64_t offset, const uint8_t *data, uint64_t bytes,
		       struct error *error)
{
	uint8_t whole[BLOCK];
	if (!run_read(disk, offset / BLOCK, 1, whole, error))
		return false;
	if (data)
		memcpy(whole + offset % BLOCK, data, bytes);
	else
		memset(whole + offset % BLOCK, 0, bytes);
	return whole_write(disk, event, offset / BLOCK, 1, whole, error);
}

bool disk_write(struct disk *disk, uint64_t event, uint64_t offset, const void *from, uint64_t bytes,
		struct error *error)
{
	const uint8_t *data = from;
	while (bytes > 0) {
		uint64_t start = offset % BLOCK, count = start == 0 ? bytes / BLOCK : 0;
		uint64_t part = count > 0 ? count * BLOCK : BLOCK - start < bytes ? BLOCK - start : bytes;
		if (!(count > 0 ? whole_write(disk, event, offset / BLOCK, count, data, error)
				: part_write(disk, event, offset, data, part, error)))
			return false;
		data = data ? data + part : NULL;
		offset += part;
		bytes -= part;
	}
	return true;
}

static bool block_flush(struct disk *disk, uint64_t index, struct error *error)
{
	uint8_t bytes[BLOCK];
	uint64_t left = disk->bytes - index * BLOCK;
	if (!run_read(disk, index, 1, bytes, error) ||
	    !disk_image_write(disk->image, index * BLOCK, bytes, left < BLOCK ? (uint32_t)left : BLOCK, error))
		return false;
	bit_clear(disk->dirty, index);
	return true;
}

bool disk_flush(struct disk *disk, struct error *error)
{
	if (!disk->write)
		return true;
	for (uint64_t word = 0; word * 64 < disk->block_count; word++) {
		while (disk->dirty[word] != 0) {
			uint64_t index = word * 64 + (unsigned)__builtin_ctzll(disk->dirty[word]);
			if (!block_flush(disk, index, error))
				return false;
		}
	}
	return disk_image_flush(disk->image, error);
}

void disk_close(struct disk *disk)
{
	if (!disk)
		return;
	disk_image_close(disk->image);
	if (disk->overlay_fd >= 0)
		close(disk->overlay_fd);
	free(disk->written);
	free(disk->known);
	free(disk->dirty);
	free(disk);
}
