/* A comma in a file's name is written twice, as QEMU's options have it. */
#include "tools/record_devices.h"
#include "hv/host/virtio_list.h"

#include <stdlib.h>
#include <string.h>

/* Cuts the next word off `*text` and makes ",," in it one comma. NULL: there is none. */
static char *word_cut(char **text)
{
	char *word = *text, *to = word;
	if (!word)
		return NULL;
	const char *from = word;
	for (; *from && (*from != ',' || from[1] == ','); from++) {
		from += *from == ',';
		*to++ = *from;
	}
	*text = *from ? word + (from - word) + 1 : NULL;
	*to = 0;
	return word;
}

static bool serial_set(struct disk_options *disk, const char *option, const char *serial, struct error *error)
{
	disk->serial = serial;
	for (const char *c = serial; *c; c++) {
		if (*c <= ' ' || *c > '~')
			return error_set(error, STATUS_FAILED,
					 "%s: a serial number has no spaces or control characters", option);
	}
	return strlen(serial) <= VIRTIO_SERIAL_BYTES ||
	       error_set(error, STATUS_FAILED, "%s: the serial number %s has more than %d characters", option, serial,
			 VIRTIO_SERIAL_BYTES);
}

static bool name_set(struct disk_options *disk, const char *option, const char *name, struct error *error)
{
	disk->name = name;
	return virtio_list_name_valid(name) ||
	       error_set(error, STATUS_FAILED, "%s: %s is no name: up to %d letters, digits, '.', '_' and '-'", option,
			 name, VIRTIO_NAME_BYTES - 1);
}

static bool word_take(struct disk_options *disk, const char *option, const char *word, struct error *error)
{
	if (strcmp(word, "ro") == 0)
		return disk->read_only = true;
	if (strcmp(word, "write") == 0)
		return disk->write = true;
	if (strncmp(word, "serial=", 7) == 0)
		return serial_set(disk, option, word + 7, error);
	if (strncmp(word, "name=", 5) == 0)
		return name_set(disk, option, word + 5, error);
	if (strncmp(word, "format=", 7) == 0) {
		disk->format = word + 7;
		return *disk->format ||
		       error_set(error, STATUS_FAILED, "%s: format= needs a name, such as raw", option);
	}
	return error_set(error, STATUS_FAILED, "%s: %s is none of ro, write, serial=TEXT, name=TEXT and format=NAME",
			 option, word);
}

bool record_disk_take(const char *option, const char *text, void *into, struct error *error)
{
	struct devices_options *devices = &((struct record_options *)into)->devices;
	if (devices->disk_count == DEVICES_DISKS_MAX)
		return error_set(error, STATUS_FAILED, "%s: a guest has up to %d disks", option, DEVICES_DISKS_MAX);
	struct disk_options *disk = &devices->disks[devices->disk_count];
	char *copy = strdup(text), *rest = copy;
	if (!copy)
		return error_set(error, STATUS_FAILED, "out of memory");
	devices->disk_count++;
	disk->path = word_cut(&rest);
	for (const char *word; (word = word_cut(&rest));) {
		if (!word_take(disk, option, word, error))
			return false;
	}
	if (disk->read_only && disk->write)
		return error_set(error, STATUS_FAILED, "%s %s: both ro and write are given", option, text);
	return *disk->path || error_set(error, STATUS_FAILED, "%s needs a file", option);
}

void record_devices_free(struct record_options *options)
{
	for (size_t i = 0; i < options->devices.disk_count; i++)
		free((char *)options->devices.disks[i].path); /* the words are in the same copy */
}
