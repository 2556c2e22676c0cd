/* A lock keeps hvrec's own recordings, and QEMU's advisory ones, from changing an image under the guest. */
#include "recorder/disk_image.h"
#include "recorder/disk_nbd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct disk_image {
	char *path;
	int fd;
	struct nbd_handle *nbd; /* NULL: it is raw */
	uint64_t bytes;
};

static bool size_check(const struct disk_image *image, struct error *error)
{
	return (image->bytes > 0 && image->bytes % 512 == 0) ||
	       error_set(error, STATUS_FAILED, "--disk %s has %llu bytes, which is no number of sectors of 512",
			 image->path, (unsigned long long)image->bytes);
}

static bool size_find(struct disk_image *image, struct error *error)
{
	struct stat status;
	if (fstat(image->fd, &status) != 0)
		return error_set(error, STATUS_FAILED, "--disk %s: %s", image->path, strerror(errno));
	image->bytes = (uint64_t)status.st_size;
	if (S_ISBLK(status.st_mode) && ioctl(image->fd, BLKGETSIZE64, &image->bytes) != 0)
		return error_set(error, STATUS_FAILED, "--disk %s: %s", image->path, strerror(errno));
	if (!S_ISBLK(status.st_mode) && !S_ISREG(status.st_mode))
		return error_set(error, STATUS_FAILED, "--disk %s is neither a file nor a block device", image->path);
	return size_check(image, error);
}

/* By name, or by what the image begins with. */
static bool format_open(struct disk_image *image, const char *format, bool write, struct error *error)
{
	uint8_t start[64];
	ssize_t got = pread(image->fd, start, sizeof(start), 0);
	if (!format)
		format = disk_nbd_format(start, got > 0 ? (uint64_t)got : 0);
	if (!format || strcmp(format, "raw") == 0)
		return size_find(image, error);
	image->nbd = disk_nbd_open(image->path, format, write, &image->bytes, error);
	return image->nbd && size_check(image, error);
}

static bool image_open(struct disk_image *image, const char *format, bool write, struct error *error)
{
	image->fd = open(image->path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (image->fd < 0)
		return error_set(error, STATUS_FAILED, "--disk %s: %s", image->path, strerror(errno));
	if (flock(image->fd, (write ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return error_set(error, STATUS_FAILED, "--disk %s is in use by another recording%s", image->path,
				 write ? "" : " that writes to it");
	return format_open(image, format, write, error);
}

struct disk_image *disk_image_open(const char *path, const char *format, bool write, struct error *error)
{
	struct disk_image *image = calloc(1, sizeof(*image));
	if (image)
		image->fd = -1;
	if (image)
		image->path = strdup(path);
	if (image && image->path && image_open(image, format, write, error))
		return image;
	error_set(error, STATUS_FAILED, "out of memory");
	disk_image_close(image);
	return NULL;
}

uint64_t disk_image_bytes(const struct disk_image *image)
{
	return image->bytes;
}

bool disk_image_read(struct disk_image *image, uint64_t offset, void *to, uint32_t bytes, struct error *error)
{
	uint64_t left = offset < image->bytes ? image->bytes - offset : 0;
	uint32_t done = 0, inside = left < bytes ? (uint32_t)left : bytes;
	if (image->nbd && inside > 0 && !disk_nbd_read(image->nbd, image->path, offset, to, inside, error))
		return false;
	if (image->nbd)
		done = inside;
	while (!image->nbd && done < bytes) {
		ssize_t got = pread(image->fd, (uint8_t *)to + done, bytes - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(error, STATUS_FAILED, "%s: cannot be read at byte %llu: %s", image->path,
					 (unsigned long long)offset + done, strerror(errno));
		if (got == 0)
			break;
		done += (uint32_t)got;
	}
	memset((uint8_t *)to + done, 0, bytes - done);
	return true;
}

bool disk_image_write(struct disk_image *image, uint64_t offset, const void *from, uint32_t bytes, struct error *error)
{
	if (image->nbd)
		return disk_nbd_write(image->nbd, image->path, offset, from, bytes, error);
	for (uint32_t done = 0; done < bytes;) {
		ssize_t put = pwrite(image->fd, (const uint8_t *)from + done, bytes - done, (off_t)(offset + done));
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return error_set(error, STATUS_FAILED, "%s: cannot be written at byte %llu: %s", image->path,
					 (unsigned long long)offset + done, strerror(put < 0 ? errno : ENOSPC));
		done += (uint32_t)put;
	}
	return true;
}

bool disk_image_flush(struct disk_image *image, struct error *error)
{
	if (image->nbd)
		return disk_nbd_flush(image->nbd, image->path, error);
	return fdatasync(image->fd) == 0 ||
	       error_set(error, STATUS_FAILED, "%s: cannot be flushed: %s", image->path, strerror(errno));
}

void disk_image_close(struct disk_image *image)
{
	if (!image)
		return;
	disk_nbd_close(image->nbd);
	if (image->fd >= 0)
		close(image->fd);
	free(image->path);
	free(image);
}
