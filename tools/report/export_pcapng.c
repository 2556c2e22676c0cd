/* The format: draft-ietf-opsawg-pcapng, little-endian. One section: its header, a description of each network card, a
 * block for each packet. libpcap reads the format but does not write it (its issue 1321).
 *
 * 1. A packet's comment has its position and event, and the line that goes there in gdb.
 * 2. A packet whose bytes an incomplete trace has lost is there with its length and no bytes. */
#include "tools/report/export_pcapng.h"
#include "hv/abi/types.h"
#include "replay/trace/event_stream.h"
#include "replay/trace/metadata.h"
#include "tools/commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum block_type { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6 };
enum { BYTE_ORDER_MAGIC = 0x1a2b3c4d, VERSION_MAJOR = 1, LINKTYPE_ETHERNET = 1 };
/* Options; those above the first are of their block. */
enum {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2,
	INTERFACE_MAC = 6,
	INTERFACE_RESOLUTION = 9,
	PACKET_FLAGS = 2,
};
enum { RESOLUTION_NS = 9 /* 10^-9 s */, FLAG_INBOUND = 1, FLAG_OUTBOUND = 2, MAC_BYTES = 6 };
/* A block's type and its length, which stands at both ends. */
enum { FRAME_BYTES = 12, COMMENT_BYTES = 128 };

struct export
{
	struct trace_reader *trace;
	FILE *to;
	struct virtio_list devices;
	uint64_t rtc_base_s;
};

static void put_bytes(struct export *e, const void *data, size_t bytes)
{
	if (bytes > 0)
		fwrite(data, 1, bytes, e->to);
}

static void put(struct export *e, uint64_t value, unsigned bytes)
{
	uint8_t data[8];
	for (unsigned i = 0; i < bytes; i++)
		data[i] = (uint8_t)(value >> 8 * i);
	put_bytes(e, data, bytes);
}

static uint32_t padding(uint32_t bytes)
{
	return (4 - bytes % 4) % 4;
}

static void put_padded(struct export *e, const void *data, uint32_t bytes)
{
	put_bytes(e, data, bytes);
	put(e, 0, padding(bytes));
}

static uint32_t option_bytes(size_t bytes)
{
	return 4 + (uint32_t)bytes + padding((uint32_t)bytes);
}

static void put_option(struct export *e, unsigned code, const void *data, size_t bytes)
{
	put(e, code, 2);
	put(e, bytes, 2);
	put_padded(e, data, (uint32_t)bytes);
}

/* Returns the block's length, which is put once more at its end. */
static uint32_t block_begin(struct export *e, enum block_type type, uint32_t body_bytes)
{
	put(e, (uint32_t)type, 4);
	put(e, body_bytes + FRAME_BYTES, 4);
	return body_bytes + FRAME_BYTES;
}

static void put_section(struct export *e)
{
	static const char application[] = "hvrec " HVREC_VERSION;
	size_t bytes = strlen(application);
	uint32_t length = block_begin(e, BLOCK_SECTION, 16 + option_bytes(bytes) + option_bytes(0));
	put(e, BYTE_ORDER_MAGIC, 4);
	put(e, VERSION_MAJOR, 2);
	put(e, 0, 2);
	put(e, UINT64_MAX, 8); /* the section's length is not known yet */
	put_option(e, SECTION_APPLICATION, application, bytes);
	put_option(e, OPTION_END, NULL, 0);
	put(e, length, 4);
}

static void put_interface(struct export *e, unsigned transport)
{
	char name[VIRTIO_NAME_BYTES];
	uint8_t mac[MAC_BYTES], resolution = RESOLUTION_NS;
	virtio_list_name(&e->devices, transport, name);
	for (unsigned i = 0; i < MAC_BYTES; i++)
		mac[i] = (uint8_t)(e->devices.device[transport].value >> 8 * i);
	uint32_t options = option_bytes(strlen(name)) + option_bytes(sizeof(mac)) + option_bytes(1) + option_bytes(0);
	uint32_t length = block_begin(e, BLOCK_INTERFACE, 8 + options);
	put(e, LINKTYPE_ETHERNET, 2);
	put(e, 0, 2);
	put(e, 0, 4); /* packets are not cut */
	put_option(e, INTERFACE_NAME, name, strlen(name));
	put_option(e, INTERFACE_MAC, mac, sizeof(mac));
	put_option(e, INTERFACE_RESOLUTION, &resolution, 1);
	put_option(e, OPTION_END, NULL, 0);
	put(e, length, 4);
}

/* The number of a network card among the interfaces, which are in the order of transports. */
static uint32_t interface_of(const struct export *e, uint64_t transport)
{
	uint32_t number = 0;
	for (unsigned i = 0; i < transport; i++)
		number += e->devices.device[i].type == VIRTIO_TYPE_NET;
	return number;
}

static void put_packet(struct export *e, const struct event_at *at, const void *data, size_t bytes)
{
	const struct event *event = &at->event;
	char comment[COMMENT_BYTES];
	uint64_t time_ns = e->rtc_base_s * NS_PER_S + at->guest_ns;
	uint8_t flags[4] = {event->kind == EVENT_PACKET_IN ? FLAG_INBOUND : FLAG_OUTBOUND};
	snprintf(comment, sizeof(comment), "n %" PRIu64 ", event %" PRIu64 "; monitor seek event %" PRIu64, event->n,
		 at->index, at->index);
	uint32_t count = (uint32_t)bytes, options = option_bytes(sizeof(flags)) + option_bytes(strlen(comment));
	uint32_t length = block_begin(e, BLOCK_PACKET, 20 + count + padding(count) + options + option_bytes(0));
	put(e, interface_of(e, event->address), 4);
	put(e, time_ns >> 32, 4);
	put(e, time_ns, 4);
	put(e, count, 4);
	put(e, event_data_bytes(event), 4);
	put_padded(e, data, count);
	put_option(e, PACKET_FLAGS, flags, sizeof(flags));
	put_option(e, OPTION_COMMENT, comment, strlen(comment));
	put_option(e, OPTION_END, NULL, 0);
	put(e, length, 4);
}

static bool take_packet(struct export *e, const struct event_at *at, struct error *error)
{
	void *data = NULL;
	size_t bytes = 0;
	uint64_t transport = at->event.address;
	if (transport >= GUEST_VIRTIO_COUNT || e->devices.device[transport].type != VIRTIO_TYPE_NET)
		return error_set(error, STATUS_FAILED,
				 "event %" PRIu64 " is a packet of virtio%" PRIu64
				 ", which is no network card: the trace is damaged",
				 at->index, transport);
	if (trace_get_payload(e->trace, at->index, &data, &bytes, error) == TRACE_FAILED)
		return false;
	put_packet(e, at, data, bytes);
	free(data);
	return true;
}

static bool put_head(struct export *e, struct error *error)
{
	if (!metadata_devices(e->trace, &e->devices, error) ||
	    trace_get_u64(e->trace, TRACE_META_RTC_BASE_S, &e->rtc_base_s, error) == TRACE_FAILED)
		return false;
	put_section(e);
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (e->devices.device[i].type == VIRTIO_TYPE_NET)
			put_interface(e, i);
	}
	return true;
}

bool export_pcapng_write(struct trace_reader *trace, FILE *to, struct error *error)
{
	struct export e = {.trace = trace, .to = to};
	struct event_at at;
	if (!put_head(&e, error))
		return false;
	struct event_stream *stream = event_stream_open(trace_seek(trace, 0, error), error);
	bool good = stream != NULL;
	while (good && !ferror(to) && event_stream_next(stream, &at, error)) {
		if (at.event.kind == EVENT_PACKET_IN || at.event.kind == EVENT_PACKET_OUT)
			good = take_packet(&e, &at, error);
	}
	event_stream_free(stream);
	return error->status == STATUS_OK;
}
