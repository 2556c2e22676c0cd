/* Disk images of formats that are not raw, such as qcow2: QEMU's qemu-nbd reads them as a child, libnbd talks to it. */
#pragma once
#include "hv/error/error.h"
#include <stdbool.h>
#include <stdint.h>

struct nbd_handle;

/* The format of the image that begins with these bytes, as qemu-nbd calls it; NULL: raw. */
const char *disk_nbd_format(const uint8_t *bytes, uint64_t count);

/* Starts qemu-nbd for the image. NULL: error set. */
struct nbd_handle *disk_nbd_open(const char *path, const char *format, bool write, uint64_t *bytes,
				 struct error *error);
bool disk_nbd_read(struct nbd_handle *nbd, const char *path, uint64_t offset, void *to, uint32_t bytes,
		   struct error *error);
bool disk_nbd_write(struct nbd_handle *nbd, const char *path, uint64_t offset, const void *from, uint32_t bytes,
		    struct error *error);
bool disk_nbd_flush(struct nbd_handle *nbd, const char *path, struct error *error);
/* Ends the child; NULL is allowed. */
void disk_nbd_close(struct nbd_handle *nbd);
