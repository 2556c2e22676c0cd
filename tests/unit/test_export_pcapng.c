/* The packets of a trace as pcapng, read by a reader of the test's own, after draft-ietf-opsawg-pcapng. */
#include "tests/unit/device_fixture.h"
#include "tools/report/export_pcapng.h"

TestSuite(export_pcapng, .init = fixture_setup, .fini = fixture_teardown);

/* What is written, block by block. */
struct reading {
	uint8_t *data;
	size_t bytes, at;
};

static uint32_t u32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static struct reading exported(struct trace_reader *trace)
{
	struct error error = {0};
	struct reading reading = {0};
	FILE *to = open_memstream((char **)&reading.data, &reading.bytes);
	cr_assert(export_pcapng_write(trace, to, &error), "%s", error.text);
	fclose(to);
	return reading;
}

/* The next block's body; NULL at the end. Both lengths must agree, and be multiples of 4. */
static const uint8_t *block_next(struct reading *reading, uint32_t *type, uint32_t *body_bytes)
{
	if (reading->at == reading->bytes)
		return NULL;
	const uint8_t *block = reading->data + reading->at;
	cr_assert_geq(reading->bytes - reading->at, 12);
	uint32_t length = u32(block + 4);
	cr_assert(length % 4 == 0 && length >= 12 && length <= reading->bytes - reading->at);
	cr_assert_eq(u32(block + length - 4), length);
	*type = u32(block);
	*body_bytes = length - 12;
	reading->at += length;
	return block + 8;
}

/* The value of an option; NULL: it is not there. The list must end with its end. */
static const uint8_t *option(const uint8_t *options, uint32_t bytes, unsigned code, unsigned *value_bytes)
{
	const uint8_t *found = NULL;
	for (uint32_t at = 0;;) {
		cr_assert_leq(at + 4, bytes);
		unsigned this = options[at] | (unsigned)options[at + 1] << 8;
		unsigned length = options[at + 2] | (unsigned)options[at + 3] << 8;
		if (this == 0) {
			cr_assert(length == 0 && at + 4 == bytes, "the end is at the end");
			return found;
		}
		if (this == code) {
			found = options + at + 4;
			*value_bytes = length;
		}
		at += 4 + (length + 3) / 4 * 4;
	}
}

static void expect_text(const uint8_t *options, uint32_t bytes, unsigned code, const char *text)
{
	unsigned length = 0;
	const uint8_t *value = option(options, bytes, code, &length);
	cr_assert(value, "option %u", code);
	cr_expect(length == strlen(text) && memcmp(value, text, length) == 0, "%.*s", (int)length, (const char *)value);
}

static void expect_head(struct reading *reading)
{
	static const uint8_t mac[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
	uint32_t type, bytes;
	unsigned length = 0;
	const uint8_t *body = block_next(reading, &type, &bytes);
	cr_assert(body && type == 0x0a0d0d0a);
	cr_expect(u32(body) == 0x1a2b3c4d && u32(body + 4) == 1, "little-endian, version 1.0");
	option(body + 16, bytes - 16, 4, &length);
	cr_expect_gt(length, 0);
	body = block_next(reading, &type, &bytes);
	cr_assert(body && type == 1);
	cr_expect(u32(body) == 1 && u32(body + 4) == 0, "Ethernet, not cut");
	expect_text(body + 8, bytes - 8, 2, "virtio3");
	const uint8_t *value = option(body + 8, bytes - 8, 6, &length);
	cr_expect(value && length == 6 && memcmp(value, mac, 6) == 0);
	value = option(body + 8, bytes - 8, 9, &length);
	cr_expect(value && length == 1 && *value == 9, "nanoseconds");
}

static void expect_packet(struct reading *reading, uint64_t time_ns, uint32_t flags, const uint8_t *data,
			  uint32_t count, const char *comment)
{
	uint32_t type, bytes, padded = (count + 3) / 4 * 4;
	unsigned length = 0;
	const uint8_t *body = block_next(reading, &type, &bytes);
	cr_assert(body && type == 6);
	cr_expect_eq(u32(body), 0, "the first interface");
	cr_expect_eq((uint64_t)u32(body + 4) << 32 | u32(body + 8), DEVICE_RTC_S * UINT64_C(1000000000) + time_ns);
	cr_expect(u32(body + 12) == count && u32(body + 16) == count);
	cr_expect_eq(memcmp(body + 20, data, count), 0);
	const uint8_t *options = body + 20 + padded;
	const uint8_t *value = option(options, bytes - 20 - padded, 2, &length);
	cr_expect(value && length == 4 && u32(value) == flags);
	expect_text(options, bytes - 20 - padded, 1, comment);
}

Test(export_pcapng, each_packet_with_time_direction_and_place)
{
	struct trace_reader *trace = device_open();
	struct reading reading = exported(trace);
	uint32_t type, bytes;
	expect_head(&reading);
	expect_packet(&reading, 150, 2, device_udp, sizeof(device_udp), "n 150, event 7; monitor seek event 7");
	expect_packet(&reading, 200 + DEVICE_IDLE_NS, 1, device_tcp, sizeof(device_tcp),
		      "n 200, event 9; monitor seek event 9");
	expect_packet(&reading, 301 + DEVICE_IDLE_NS, 2, device_short, sizeof(device_short),
		      "n 301, event 13; monitor seek event 13");
	cr_expect_null(block_next(&reading, &type, &bytes));
	free(reading.data);
	trace_close(trace);
}

/* A trace with these events and devices, and no payloads. */
static struct trace_reader *trace_of(const char *devices, const struct event *events, size_t count)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w && trace_put_text(w, TRACE_META_DEVICES, devices, &error) &&
			  trace_append(w, events, count, &error) && trace_finish(w, &error),
		  "%s", error.text);
	trace_writer_free(w);
	struct trace_reader *trace = trace_open(path, &error);
	cr_assert(trace, "%s", error.text);
	return trace;
}

Test(export_pcapng, several_cards_and_lost_bytes)
{
	static const struct event events[] = {
		{.kind = EVENT_PACKET_IN, .n = 5, .address = 4, .value = DEVICE_DATA(77)},
		{.kind = EVENT_PACKET_IN, .n = 6, .address = 2, .value = DEVICE_DATA(78)},
	};
	struct trace_reader *trace = trace_of("1 rng\n2 net 00:00:00:00:00:01\n4 net 00:00:00:00:00:02\n", events, 2);
	struct reading reading = exported(trace);
	uint32_t type, bytes;
	for (int i = 0; i < 3; i++)
		cr_assert(block_next(&reading, &type, &bytes));
	for (uint32_t i = 0; i < 2; i++) {
		const uint8_t *body = block_next(&reading, &type, &bytes);
		cr_assert(body && type == 6);
		cr_expect_eq(u32(body), 1 - i);
		cr_expect(u32(body + 12) == 0 && u32(body + 16) == 77 + i, "its length is known, not its bytes");
	}
	free(reading.data);
	trace_close(trace);
}

Test(export_pcapng, a_packet_of_no_card_is_damage)
{
	struct error error = {0};
	static const struct event event = {.kind = EVENT_PACKET_IN, .address = 1};
	struct trace_reader *trace = trace_of("1 rng\n", &event, 1);
	char *data = NULL;
	size_t bytes = 0;
	FILE *to = open_memstream(&data, &bytes);
	cr_expect_not(export_pcapng_write(trace, to, &error));
	cr_expect(strstr(error.text, "event 0 is a packet of virtio1"), "%s", error.text);
	fclose(to);
	free(data);
	trace_close(trace);
}
