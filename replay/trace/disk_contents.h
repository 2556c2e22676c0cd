/* A disk of the guest as it was at a place of the recording, as a sparse file. */
#pragma once
#include "storage/trace.h"

struct disk_contents {
	uint32_t disk;         /* its transport */
	uint64_t bytes;        /* of the disk: a number of sectors of 512 */
	uint64_t before_event; /* as it was before this one; UINT64_MAX: at the end */
	int image_fd;          /* of a file or block device with what is under the guest's writes; -1: there is none */
};

struct disk_contents_count {
	uint64_t blocks;   /* of the disk, of TRACE_BLOCK_BYTES; the last one may be cut */
	uint64_t in_trace; /* the others the guest had neither read nor written: they are the image's, or holes */
};

/* Writes the disk into `fd`, an empty regular file. False: it could not be written, or the trace or the image not be
 * read; error set. */
bool disk_contents_write(struct trace_reader *trace, const struct disk_contents *contents, int fd,
			 struct disk_contents_count *count, struct error *error);
