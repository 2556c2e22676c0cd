/* Writes beside the output, under another name, and renames when the file is whole. */
#include "tools/extract_disk.h"
#include "hv/host/path.h"
#include "replay/trace/disk_contents.h"
#include "replay/trace/metadata.h"
#include "replay/trace/place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool disk_find(struct trace_reader *trace, const char *name, struct disk_contents *contents, struct error *error)
{
	struct virtio_list devices;
	char names[VIRTIO_LIST_BYTES] = "";
	if (!metadata_devices(trace, &devices, error))
		return false;
	int disk = virtio_list_find(&devices, name);
	if (disk >= 0) {
		contents->disk = (uint32_t)disk;
		contents->bytes = devices.device[disk].value * VIRTIO_SECTOR_BYTES;
		return true;
	}
	for (int i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		size_t used = strlen(names);
		if (devices.device[i].type == VIRTIO_TYPE_BLOCK)
			snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "", devices.name[i]);
	}
	if (!*names)
		return error_set(error, STATUS_FAILED, "the guest of this trace has no disk");
	return error_set(error, STATUS_FAILED, "the guest has no disk %s; it has %s", name, names);
}

static bool place_get(struct trace_reader *trace, const char *at, uint64_t *n, uint64_t *before_event,
		      struct error *error)
{
	struct events *events = events_open(trace, error);
	bool good = events && (at ? place_find(at, trace, events, n, error) : place_end(events, n, error)) &&
		    place_next_event(events, *n, before_event, error);
	events_close(events);
	return good;
}

/* The size tells another image from the one that was recorded, in many cases. */
static bool image_open(const char *path, struct disk_contents *contents, struct error *error)
{
	if (!path)
		return true;
	contents->image_fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t bytes = contents->image_fd >= 0 ? lseek(contents->image_fd, 0, SEEK_END) : -1;
	if (bytes < 0)
		return error_set(error, STATUS_FAILED, "--image %s: %s", path, strerror(errno));
	return (uint64_t)bytes == contents->bytes ||
	       error_set(error, STATUS_FAILED, "--image %s has %llu bytes, but the disk has %" PRIu64, path,
			 (unsigned long long)bytes, contents->bytes);
}

static void print_count(const struct extract_disk *disk, uint64_t n, const struct disk_contents_count *count)
{
	uint64_t absent = count->blocks - count->in_trace;
	printf("%s: %s at instruction %" PRIu64 ", %" PRIu64 " of %" PRIu64 " blocks from the trace; ", disk->output,
	       disk->name, n, count->in_trace, count->blocks);
	if (disk->image)
		printf("the other %" PRIu64 " from %s\n", absent, disk->image);
	else
		printf("the other %" PRIu64 ", which the guest never used, are holes%s\n", absent,
		       absent > 0 ? " (--image FILE has them)" : "");
}

/* Into a new file, which then gets the output's name. */
static bool write_file(struct trace_reader *trace, const struct extract_disk *disk,
		       const struct disk_contents *contents, struct disk_contents_count *count, struct error *error)
{
	char *new = NULL;
	if (asprintf(&new, "%s.%ld", disk->output, (long)getpid()) < 0)
		return error_set(error, STATUS_FAILED, "out of memory");
	int fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	bool made = fd >= 0;
	bool good = made ? disk_contents_write(trace, contents, fd, count, error)
			 : error_set(error, STATUS_FAILED, "cannot write %s: %s", disk->output, strerror(errno));
	if (made && close(fd) != 0 && good)
		good = error_set(error, STATUS_FAILED, "cannot write %s: %s", disk->output, strerror(errno));
	if (good && rename(new, disk->output) != 0)
		good = error_set(error, STATUS_FAILED, "cannot write %s: %s", disk->output, strerror(errno));
	if (made && !good)
		unlink(new);
	free(new);
	return good;
}

static bool output_check(const struct extract_disk *disk, struct error *error)
{
	if (!disk->force && access(disk->output, F_OK) == 0)
		return error_set(error, STATUS_FAILED, "%s exists and is not replaced without --force", disk->output);
	if (path_same_file(disk->output, disk->image))
		return error_set(error, STATUS_FAILED, "%s is the image itself; name another file", disk->output);
	return path_replaceable(disk->output, error);
}

bool extract_disk(struct trace_reader *trace, const struct extract_disk *disk, struct error *error)
{
	struct disk_contents contents = {.image_fd = -1};
	struct disk_contents_count count = {0};
	uint64_t n;
	bool good = disk_find(trace, disk->name, &contents, error) && output_check(disk, error) &&
		    place_get(trace, disk->at, &n, &contents.before_event, error) &&
		    image_open(disk->image, &contents, error) && write_file(trace, disk, &contents, &count, error);
	if (good)
		print_count(disk, n, &count);
	if (contents.image_fd >= 0)
		close(contents.image_fd);
	return good;
}
