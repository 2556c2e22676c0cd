/* A comma in a file's name is written twice, as QEMU's options have it. */
#include "tools/record_devices.h"
#include "hv/host/virtio_list.h"
#include "tools/options.h"

#include <arpa/inet.h>
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

/* What is before the first `end` in it, cut off; NULL: there is none. */
static char *part_cut(char **text, char end)
{
	char *part = *text, *at = strchr(part, end);
	if (!at)
		return NULL;
	*at = 0;
	*text = at + 1;
	return part;
}

static bool port_read(const char *text, uint16_t *port)
{
	uint64_t value = 0;
	struct error ignored = {.status = STATUS_OK};
	if (!options_count("", text, &value, &ignored) || value == 0 || value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool address_read(const char *text, uint32_t otherwise, struct in_addr *address)
{
	address->s_addr = htonl(otherwise);
	return *text == 0 || inet_pton(AF_INET, text, address) == 1;
}

static bool forward_read(struct net_forward *forward, char *text)
{
	const char *protocol = part_cut(&text, ':'), *host = protocol ? part_cut(&text, ':') : NULL;
	const char *host_port = host ? part_cut(&text, '-') : NULL, *guest = host_port ? part_cut(&text, ':') : NULL;
	if (!guest)
		return false;
	forward->is_udp = strcmp(protocol, "udp") == 0;
	return (forward->is_udp || strcmp(protocol, "tcp") == 0) &&
	       address_read(host, INADDR_LOOPBACK, &forward->host) && port_read(host_port, &forward->host_port) &&
	       address_read(guest, NET_GUEST_ADDRESS, &forward->guest) && port_read(text, &forward->guest_port);
}

static bool forward_take(struct net_options *net, const char *option, char *text, struct error *error)
{
	char *copy = strdup(text);
	bool good = copy || error_set(error, STATUS_FAILED, "out of memory");
	if (good && net->forward_count == NET_FORWARDS_MAX)
		good = error_set(error, STATUS_FAILED, "%s: up to %d ports can be forwarded", option, NET_FORWARDS_MAX);
	if (good && !forward_read(&net->forwards[net->forward_count++], text))
		good = error_set(error, STATUS_FAILED,
				 "%s: hostfwd=%s is not tcp or udp, an address and a port of the host, and those of "
				 "the guest, as in hostfwd=tcp:127.0.0.1:2222-:22",
				 option, copy);
	free(copy);
	return good;
}

static bool net_word_take(struct net_options *net, const char *option, char *word, struct error *error)
{
	if (strcmp(word, "restrict") == 0)
		return net->is_closed = true;
	if (strncmp(word, "hostfwd=", 8) == 0)
		return forward_take(net, option, word + 8, error);
	return error_set(error, STATUS_FAILED, "%s: %s is neither restrict nor hostfwd=…", option, word);
}

bool record_net_take(const char *option, const char *text, void *into, struct error *error)
{
	struct net_options *net = &((struct record_options *)into)->devices.net;
	char *copy = strdup(text), *rest = copy;
	if (!copy)
		return error_set(error, STATUS_FAILED, "out of memory");
	const char *kind = word_cut(&rest);
	*net = (struct net_options){.user = strcmp(kind, "user") == 0};
	bool good = net->user || (strcmp(kind, "none") == 0 && !rest) ||
		    error_set(error, STATUS_FAILED, "%s %s is neither none nor user[,hostfwd=…]", option, text);
	for (char *word; good && (word = word_cut(&rest));)
		good = net_word_take(net, option, word, error);
	free(copy);
	return good;
}

void record_devices_free(struct record_options *options)
{
	for (size_t i = 0; i < options->devices.disk_count; i++)
		free((char *)options->devices.disks[i].path); /* the words are in the same copy */
}
