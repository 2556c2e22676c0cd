/* The file's pages come by pread, because a bad disk is an error there and a signal with mmap. The -wal is read once
 * from its start, as sqlite's recovery does it: a frame counts if its salts and its running checksum are right, and if
 * a commit follows. */
#include "storage/trace_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PAGE_BYTES_DEFAULT = 4096,
	HEADER_BYTES = 32, /* as much of the database's header as is used, and the whole of the -wal's */
	HEADER_PAGE_BYTES = 16,
	FRAME_HEADER_BYTES = 24,
	WAL_PAGE_BYTES = 8,
	WAL_SALTS = 16,
	WAL_CHECKSUM = 24,
	FRAME_COMMIT_PAGES = 4,
	FRAME_SALTS = 8,
	FRAME_CHECKSUM = 16,
};
#define WAL_MAGIC 0x377f0682u /* the lowest bit: checksum words are big-endian */

struct frame {
	uint32_t page;
	uint64_t offset; /* of its data in the -wal */
};

struct trace_pages {
	int fd, wal_fd;
	size_t page_bytes;
	uint64_t file_pages;
	uint64_t limit;       /* pages after it are no part of the database */
	struct frame *frames; /* sorted by page, the newest of each last */
	size_t frame_count, frame_room;
	uint8_t *page;
	uint32_t page_number; /* of what `page` holds; 0: nothing */
};

void trace_pages_wal_checksum(bool big, const uint8_t *data, size_t bytes, uint32_t sum[2])
{
	for (size_t i = 0; i + 8 <= bytes; i += 8) {
		uint32_t a = trace_pages_u32(data + i), b = trace_pages_u32(data + i + 4);
		sum[0] += (big ? a : __builtin_bswap32(a)) + sum[1];
		sum[1] += (big ? b : __builtin_bswap32(b)) + sum[0];
	}
}

static bool page_bytes_valid(uint64_t bytes)
{
	return bytes >= 512 && bytes <= 65536 && (bytes & (bytes - 1)) == 0;
}

/* Reads up to `bytes`; what the file does not have, or the disk does not give, is zeroes. */
static void read_at(int fd, void *to, size_t bytes, uint64_t offset)
{
	size_t done = 0;
	while (done < bytes) {
		ssize_t got = pread(fd, (uint8_t *)to + done, bytes - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	memset((uint8_t *)to + done, 0, bytes - done);
}

static bool frame_add(struct trace_pages *p, uint32_t page, uint64_t offset)
{
	if (p->frame_count == p->frame_room) {
		size_t room = p->frame_room * 2 + 64;
		struct frame *frames = realloc(p->frames, room * sizeof(*frames));
		if (!frames)
			return false;
		p->frames = frames;
		p->frame_room = room;
	}
	p->frames[p->frame_count++] = (struct frame){page, offset};
	return true;
}

static int frame_compare(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;
	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Takes the frames up to the last sound commit. False without memory. */
static bool frames_read(struct trace_pages *p, const uint8_t *header, uint8_t *frame)
{
	bool big = trace_pages_u32(header) & 1;
	uint32_t sum[2] = {0, 0};
	size_t committed = 0;
	trace_pages_wal_checksum(big, header, WAL_CHECKSUM, sum);
	uint64_t offset = HEADER_BYTES;
	for (;;) {
		size_t bytes = FRAME_HEADER_BYTES + p->page_bytes;
		if (pread(p->wal_fd, frame, bytes, (off_t)offset) != (ssize_t)bytes)
			break;
		trace_pages_wal_checksum(big, frame, FRAME_SALTS, sum);
		trace_pages_wal_checksum(big, frame + FRAME_HEADER_BYTES, p->page_bytes, sum);
		if (memcmp(frame + FRAME_SALTS, header + WAL_SALTS, 8) != 0 || trace_pages_u32(frame) == 0 ||
		    trace_pages_u32(frame + FRAME_CHECKSUM) != sum[0] ||
		    trace_pages_u32(frame + FRAME_CHECKSUM + 4) != sum[1])
			break;
		if (!frame_add(p, trace_pages_u32(frame), offset + FRAME_HEADER_BYTES))
			return false;
		if (trace_pages_u32(frame + FRAME_COMMIT_PAGES) != 0) {
			committed = p->frame_count;
			p->limit = trace_pages_u32(frame + FRAME_COMMIT_PAGES);
		}
		offset += bytes;
	}
	p->frame_count = committed;
	if (committed > 0)
		qsort(p->frames, committed, sizeof(*p->frames), frame_compare);
	return true;
}

/* Whether the -wal has a sound header; takes the page size from it if the file itself does not say. */
static bool wal_header_read(struct trace_pages *p, uint8_t *header)
{
	uint32_t sum[2] = {0, 0};
	if (p->wal_fd < 0 || pread(p->wal_fd, header, HEADER_BYTES, 0) != HEADER_BYTES)
		return false;
	uint32_t page_bytes = trace_pages_u32(header + WAL_PAGE_BYTES);
	trace_pages_wal_checksum(trace_pages_u32(header) & 1, header, WAL_CHECKSUM, sum);
	if ((trace_pages_u32(header) & ~1u) != WAL_MAGIC || trace_pages_u32(header + WAL_CHECKSUM) != sum[0] ||
	    trace_pages_u32(header + WAL_CHECKSUM + 4) != sum[1] || !page_bytes_valid(page_bytes))
		return false;
	p->page_bytes = page_bytes;
	return true;
}

static bool sizes_read(struct trace_pages *p, uint64_t file_bytes)
{
	uint8_t header[HEADER_BYTES];
	read_at(p->fd, header, sizeof(header), 0);
	uint64_t page_bytes = trace_pages_u32(header + HEADER_PAGE_BYTES) >> 16;
	p->page_bytes = page_bytes == 1 ? 65536 : page_bytes_valid(page_bytes) ? page_bytes : PAGE_BYTES_DEFAULT;
	bool wal = wal_header_read(p, header);
	p->file_pages = (file_bytes + p->page_bytes - 1) / p->page_bytes;
	p->limit = UINT32_MAX;
	p->page = malloc(FRAME_HEADER_BYTES + p->page_bytes);
	return p->page && (!wal || frames_read(p, header, p->page));
}

static bool open_files(struct trace_pages *p, const char *path, uint64_t *file_bytes, struct error *error)
{
	struct stat status;
	char *wal = NULL;
	p->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (p->fd < 0 || fstat(p->fd, &status) != 0)
		return error_set(error, STATUS_FAILED, "%s: %s; name a trace", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return error_set(error, STATUS_FAILED, "%s: is not a regular file; name a trace", path);
	if (flock(p->fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return error_set(error, STATUS_FAILED, "%s: is being recorded by another hvrec; end that first", path);
	*file_bytes = (uint64_t)status.st_size;
	if (asprintf(&wal, "%s-wal", path) < 0)
		return error_set(error, STATUS_FAILED, "%s: no memory", path);
	p->wal_fd = open(wal, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	free(wal);
	return true;
}

struct trace_pages *trace_pages_open(const char *path, struct error *error)
{
	struct trace_pages *p = calloc(1, sizeof(*p));
	uint64_t file_bytes = 0;
	if (!p) {
		error_set(error, STATUS_FAILED, "%s: no memory", path);
		return NULL;
	}
	p->fd = p->wal_fd = -1;
	if (open_files(p, path, &file_bytes, error)) {
		if (sizes_read(p, file_bytes))
			return p;
		error_set(error, STATUS_FAILED, "%s: no memory", path);
	}
	trace_pages_close(p);
	return NULL;
}

void trace_pages_close(struct trace_pages *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	if (p->wal_fd >= 0)
		close(p->wal_fd);
	free(p->frames);
	free(p->page);
	free(p);
}

size_t trace_pages_bytes(const struct trace_pages *p)
{
	return p->page_bytes;
}

/* The index of the first frame after all of page `page`. */
static size_t frame_after(const struct trace_pages *p, uint32_t page)
{
	size_t low = 0, high = p->frame_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->frames[middle].page <= page)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t trace_pages_next(const struct trace_pages *p, uint32_t after)
{
	if (after >= p->limit)
		return 0;
	if (after < p->file_pages)
		return after + 1;
	size_t next = frame_after(p, after);
	return next < p->frame_count && p->frames[next].page <= p->limit ? p->frames[next].page : 0;
}

const uint8_t *trace_pages_get(struct trace_pages *p, uint32_t number)
{
	if (number == 0 || number > p->limit)
		return NULL;
	if (number == p->page_number) /* row after row of it */
		return p->page;
	size_t next = frame_after(p, number);
	if (next > 0 && p->frames[next - 1].page == number)
		read_at(p->wal_fd, p->page, p->page_bytes, p->frames[next - 1].offset);
	else if (number <= p->file_pages)
		read_at(p->fd, p->page, p->page_bytes, (uint64_t)(number - 1) * p->page_bytes);
	else
		return NULL;
	p->page_number = number;
	return p->page;
}

uint64_t trace_pages_total_bytes(const struct trace_pages *p)
{
	return (p->file_pages + p->frame_count) * p->page_bytes;
}
