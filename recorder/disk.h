/* A disk of the guest that is being recorded: its image, what the guest wrote over it, and which blocks the trace has.
 * The image is never changed unless that was asked for, and then where the guest flushes. */
#pragma once
#include "hv/error/error.h"
#include "recorder/devices_options.h"
#include "storage/trace.h"
#include <stdbool.h>
#include <stdint.h>

struct disk;

/* Told of the contents of `count` blocks: `event` wrote them, or 0, they are the image's. `bytes` NULL: zeroes. False:
 * out of memory. */
typedef bool disk_blocks_fn(void *context, uint64_t first, uint64_t count, uint64_t event, const uint8_t *bytes);

/* `folder` is where there is room for what the guest writes. NULL: error set. */
struct disk *disk_open(const struct disk_options *options, const char *folder, struct error *error);
/* Who is told. Call before anything is read or written. */
void disk_listen(struct disk *disk, disk_blocks_fn *tell, void *context);
uint64_t disk_bytes(const struct disk *disk);
/* Reads whole sectors as the guest is to see them; `tell` is told of blocks that are new to the trace. False: the host
 * could not read them; error set. */
bool disk_read(struct disk *disk, uint64_t offset, void *to, uint32_t bytes, struct error *error);
/* The guest's event `event` wrote whole sectors; `from` NULL: zeroes. `tell` is told of all blocks that it touched. */
bool disk_write(struct disk *disk, uint64_t event, uint64_t offset, const void *from, uint64_t bytes,
		struct error *error);
/* The guest flushes: with `write`, the image has all that was written when this returns true. */
bool disk_flush(struct disk *disk, struct error *error);
/* Closes; NULL is allowed. */
void disk_close(struct disk *disk);
