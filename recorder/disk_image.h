/* A disk image on the host: a raw file or block device, or what qemu-nbd reads; written only if that was asked for. */
#pragma once
#include "hv/error/error.h"
#include <stdbool.h>
#include <stdint.h>

struct disk_image;

/* Opens and locks it. `format` is a name as qemu-nbd has them, or "raw"; NULL: found out by its first bytes. NULL:
 * error set. */
struct disk_image *disk_image_open(const char *path, const char *format, bool write, struct error *error);
uint64_t disk_image_bytes(const struct disk_image *image);
/* Reads `bytes` at `offset`; what is after the end is zeroes. False: the host could not; error set. */
bool disk_image_read(struct disk_image *image, uint64_t offset, void *to, uint32_t bytes, struct error *error);
/* Writes; on the medium after the next disk_image_flush. */
bool disk_image_write(struct disk_image *image, uint64_t offset, const void *from, uint32_t bytes, struct error *error);
bool disk_image_flush(struct disk_image *image, struct error *error);
/* Closes; NULL is allowed. */
void disk_image_close(struct disk_image *image);
