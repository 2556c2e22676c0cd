/* The chunk codec: everything comes back, nothing malformed crashes (the suite runs under ASan and UBSan), and a Linux
 * console stays as small as promised. */
#include "hv/abi/machine.h"
#include "storage/bytes.h"
#include "storage/chunk.h"

#include <criterion/criterion.h>
#include <lz4hc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 1;

static uint64_t random_u64(void)
{
	random_state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = random_state;
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t random_below(uint64_t bound)
{
	return random_u64() % bound;
}

/* Encodes, decodes into a heap array of the exact size, compares; returns the raw size and, if wanted, the bytes. */
static size_t round_trip(const struct event *events, size_t count, uint64_t start_idle_ns, uint8_t **keep)
{
	struct error error = {0};
	uint8_t *raw = NULL;
	size_t raw_bytes = 0;
	cr_assert(chunk_encode(events, count, start_idle_ns, &raw, &raw_bytes, &error), "%s", error.text);
	cr_assert_leq(raw_bytes, (size_t)CHUNK_RAW_BYTES_MAX);
	struct event *back = malloc(count * sizeof(*back));
	struct chunk_events decoded = {.at = back, .count = count, .start_idle_ns = ~start_idle_ns};
	memset(back, 0xa5, count * sizeof(*back));
	cr_assert(chunk_decode(raw, raw_bytes, &decoded, &error), "%s", error.text);
	cr_assert_eq(decoded.start_idle_ns, start_idle_ns);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(memcmp(&back[i], &events[i], sizeof(*back)), 0, "event %zu of %zu differs", i, count);
	free(back);
	if (keep)
		*keep = raw;
	else
		free(raw);
	return raw_bytes;
}

static struct event random_event(bool any_kind)
{
	return (struct event){
		.n = random_u64() >> random_below(64),
		.pc = random_u64() >> random_below(64),
		.address = random_u64() >> random_below(64),
		.value = random_u64() >> random_below(64),
		.kind = (uint16_t)(any_kind ? random_u64() : random_below(EVENT_KIND_MAX + 2)),
		.vcpu = (uint8_t)random_u64(),
		.size = (uint8_t)random_u64(),
	};
}

/* A loop of events with a little noise, so that hits, misses and all modes occur. */
static void patterned_events(struct event *events, size_t count)
{
	uint64_t n = 1000;
	for (size_t i = 0; i < count; i++) {
		uint64_t spot = random_below(10) ? i % 3 : random_below(8);
		n += random_below(5) ? 17 + spot : random_below(1 << 20);
		events[i] = (struct event){.n = n,
					   .pc = 0xffff800010000000 + spot * 64,
					   .address = 0x09000000 + spot * 4,
					   .value = spot == 1 ? 'a' + random_below(26) : spot * (random_below(9) == 0),
					   .kind = (uint16_t)(1 + spot % EVENT_KIND_MAX),
					   .size = 4};
		if (random_below(20) == 0)
			events[i] = (struct event){.n = n,
						   .pc = random_u64(),
						   .address = EXIT_REASON_VTIMER,
						   .value = (uint32_t)random_u64(),
						   .kind = EVENT_EXIT};
		else if (random_below(30) == 0)
			events[i] = (struct event){
				.n = n, .pc = 0x1234, .address = n + 5, .value = random_below(9), .kind = EVENT_IDLE};
	}
}

Test(chunk, any_events_come_back)
{
	for (unsigned round = 0; round < 200; round++) {
		size_t count = 1 + (size_t)random_below(round % 10 ? 50 : 3000);
		struct event *events = calloc(count, sizeof(*events));
		for (size_t i = 0; i < count; i++) {
			events[i] = random_event(round % 2);
			if (i && random_below(2))
				events[i] = events[random_below(i)];
		}
		round_trip(events, count, random_u64() >> random_below(64), NULL);
		free(events);
	}
}

Test(chunk, patterned_events_come_back)
{
	static struct event events[5000];
	for (unsigned round = 0; round < 20; round++) {
		patterned_events(events, 5000);
		round_trip(events, 5000, random_below(1 << 30), NULL);
	}
}

Test(chunk, extremes_come_back)
{
	static const uint64_t extreme[] = {0, 1, 0x7f, 0x80, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
	enum { EXTREME_COUNT = 7 };
	static struct event events[CHUNK_EVENTS_MAX];
	for (size_t i = 0; i < CHUNK_EVENTS_MAX; i++)
		events[i] = (struct event){.n = extreme[random_below(EXTREME_COUNT)],
					   .pc = extreme[random_below(EXTREME_COUNT)],
					   .address = extreme[random_below(EXTREME_COUNT)],
					   .value = extreme[random_below(EXTREME_COUNT)],
					   .kind = (uint16_t)(random_below(2) ? random_below(16) : UINT16_MAX),
					   .vcpu = (uint8_t)extreme[random_below(EXTREME_COUNT)],
					   .size = (uint8_t)extreme[random_below(EXTREME_COUNT)]};
	round_trip(events, 1, UINT64_MAX, NULL);
	round_trip(events, 1000, 0, NULL);
	round_trip(events, CHUNK_EVENTS_MAX, UINT64_MAX, NULL);
}

Test(chunk, worst_events_stay_below_the_raw_limit)
{
	static struct event events[CHUNK_EVENTS_MAX];
	for (unsigned kind = 0; kind <= EVENT_KIND_MAX + 1; kind++) {
		for (size_t i = 0; i < CHUNK_EVENTS_MAX; i++) {
			events[i] = random_event(true);
			events[i].n = random_u64();
			events[i].pc = random_u64();
			events[i].address = random_u64();
			events[i].value = random_u64();
			events[i].kind = (uint16_t)kind;
		}
		round_trip(events, CHUNK_EVENTS_MAX, UINT64_MAX, NULL);
	}
}

Test(chunk, refuses_what_it_cannot_keep)
{
	static struct event events[CHUNK_EVENTS_MAX + 1];
	uint8_t *raw = NULL;
	size_t raw_bytes = 0;
	struct error error = {0};
	cr_assert_not(chunk_encode(events, 0, 0, &raw, &raw_bytes, &error));
	cr_assert_eq(error.status, STATUS_FAILED);
	error = (struct error){0};
	cr_assert_not(chunk_encode(events, CHUNK_EVENTS_MAX + 1, 0, &raw, &raw_bytes, &error));
	cr_assert_eq(error.status, STATUS_FAILED);
	error = (struct error){0};
	events[3].zero = 1;
	cr_assert_not(chunk_encode(events, 5, 0, &raw, &raw_bytes, &error));
	cr_assert(strstr(error.text, "event 3"));
}

/* Decodes from a heap copy of the exact size, so that ASan sees one byte too many. */
static bool decodes(const uint8_t *raw, size_t raw_bytes, size_t count)
{
	struct error error = {0};
	uint8_t *copy = malloc(raw_bytes ? raw_bytes : 1);
	if (raw_bytes)
		memcpy(copy, raw, raw_bytes);
	struct event *events = malloc((count ? count : 1) * sizeof(*events));
	bool good = chunk_decode(copy, raw_bytes, &(struct chunk_events){.at = events, .count = count}, &error);
	cr_assert_eq(good, error.status == STATUS_OK);
	free(events);
	free(copy);
	return good;
}

Test(chunk, truncated_and_extended_chunks_are_errors)
{
	enum { COUNT = 300 };
	static struct event events[COUNT];
	patterned_events(events, COUNT);
	uint8_t *raw = NULL;
	size_t raw_bytes = round_trip(events, COUNT, 7, &raw);
	for (size_t bytes = 0; bytes < raw_bytes; bytes++)
		cr_assert_not(decodes(raw, bytes, COUNT), "%zu of %zu bytes decoded", bytes, raw_bytes);
	cr_assert_not(decodes(raw, raw_bytes, COUNT - 1));
	cr_assert_not(decodes(raw, raw_bytes, COUNT + 1));
	cr_assert_not(decodes(raw, raw_bytes, 0));
	cr_assert_not(decodes(raw, raw_bytes, CHUNK_EVENTS_MAX + 1));
	raw = realloc(raw, raw_bytes + 1);
	raw[raw_bytes] = 0;
	cr_assert_not(decodes(raw, raw_bytes + 1, COUNT));
	free(raw);
}

/* One event, by hand from docs/TRACE-FORMAT.md: an MMIO_READ of 4 bytes at site 0, n 5, value 0. */
Test(chunk, a_chunk_made_by_hand)
{
	enum { SITE_MISS = 30, N_LAST_RUN = 32, N_MISS = 33 };
	uint8_t raw[] = {
		1, 0, 1,                                                 /* events, idle, sites */
		1, 1, 1, 1, 1, 1, 2, 1, 2, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, /* column sizes */
		1, 0, 4, 0, 2, 4, /* site: kind, vcpu, size, mode, pc 1, address 2 */
		0, 0,             /* site runs */
		0,                /* site misses: the next new site */
		0, 0, 5,          /* n runs, misses */
		0, 1, 0,          /* address, value, pc runs */
	};
	const struct event expected = {.n = 5, .pc = 1, .address = 2, .kind = EVENT_MMIO_READ, .size = 4};
	struct error error = {0};
	struct event event;
	cr_assert(chunk_decode(raw, sizeof(raw), &(struct chunk_events){.at = &event, .count = 1}, &error), "%s",
		  error.text);
	cr_assert_eq(memcmp(&event, &expected, sizeof(event)), 0);
	cr_assert_eq(raw[N_MISS], 5);
	raw[SITE_MISS] = 1; /* site 0 by number */
	cr_assert(decodes(raw, sizeof(raw), 1));
	raw[SITE_MISS] = 2; /* one beyond the last */
	cr_assert_not(decodes(raw, sizeof(raw), 1));
	raw[SITE_MISS] = 0;
	raw[N_LAST_RUN] = 1; /* a right prediction more than there are events */
	cr_assert_not(decodes(raw, sizeof(raw), 1));
}

Test(chunk, varints_have_an_end)
{
	static const uint8_t most[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
	static const uint8_t wide[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
	static const uint8_t longer[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	struct cursor c = {most, most + sizeof(most), false};
	cr_assert_eq(cursor_get_varint(&c), UINT64_MAX);
	cr_assert_not(c.failed);
	c = (struct cursor){wide, wide + sizeof(wide), false};
	cursor_get_varint(&c);
	cr_assert(c.failed);
	c = (struct cursor){longer, longer + sizeof(longer), false};
	cursor_get_varint(&c);
	cr_assert(c.failed);
	c = (struct cursor){most, most + 9, false};
	cursor_get_varint(&c);
	cr_assert(c.failed);
	cr_assert_eq(cursor_get_varint(&c), 0u);
}

Test(chunk, mutated_chunks_never_crash)
{
	enum { COUNT = 300 };
	static struct event events[COUNT];
	patterned_events(events, COUNT);
	uint8_t *raw = NULL;
	size_t raw_bytes = round_trip(events, COUNT, 7, &raw);
	unsigned refused = 0;
	for (size_t at = 0; at < raw_bytes; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			raw[at] ^= (uint8_t)(1 << bit);
			refused += !decodes(raw, raw_bytes, COUNT);
			raw[at] ^= (uint8_t)(1 << bit);
		}
	}
	cr_assert_gt(refused, 0u);
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t *copy = malloc(raw_bytes);
		memcpy(copy, raw, raw_bytes);
		for (uint64_t changes = 1 + random_below(8); changes; changes--)
			copy[random_below(round % 2 ? 40 : raw_bytes)] = (uint8_t)random_u64();
		decodes(copy, raw_bytes, COUNT);
		free(copy);
	}
	free(raw);
}

Test(chunk, random_bytes_never_crash)
{
	uint8_t raw[400];
	for (unsigned round = 0; round < 20000; round++) {
		size_t bytes = 22 + (size_t)random_below(sizeof(raw) - 22);
		for (size_t i = 0; i < bytes; i++)
			raw[i] = (uint8_t)(random_below(3) ? random_below(6) : random_u64());
		uint64_t count = 1 + random_below(100);
		raw[0] = (uint8_t)count;
		decodes(raw, bytes, (size_t)count);
	}
}

/* What a Linux boot does: pl011_console_write for each line of its log, a timer tick every 4 ms, now and then an idle
 * jump. Positions inside the loop repeat; what is between lines does not. */
struct stream {
	struct event *events;
	size_t count;
	uint64_t n;
	uint64_t idle_ns;
	uint64_t tick_ns;
};

enum { STREAM_EVENTS_MAX = 120000, STREAM_PERIOD_NS = 4000000 };

static void stream_put(struct stream *s, uint16_t kind, uint64_t n, uint64_t pc, uint64_t address, uint64_t value,
		       uint8_t size)
{
	cr_assert_lt(s->count, (size_t)STREAM_EVENTS_MAX);
	s->n = n;
	s->events[s->count++] =
		(struct event){.n = n, .pc = pc, .address = address, .value = value, .kind = kind, .size = size};
}

/* Runs the guest on; on the way the timer ticks. */
static void stream_run(struct stream *s, uint64_t instructions)
{
	uint64_t end_n = s->n + instructions;
	while (s->tick_ns <= end_n + s->idle_ns) {
		uint64_t at_n = s->tick_ns - s->idle_ns;
		uint64_t pc = 0xffff800008000000 + random_below(1 << 22) * 4;
		stream_put(s, EVENT_EXIT, at_n, pc, EXIT_REASON_VTIMER, (uint32_t)random_u64(), 0);
		stream_put(s, EVENT_INJECT, at_n, pc, GUEST_INTID_VTIMER, 0xa0, 0);
		s->tick_ns += STREAM_PERIOD_NS + 16 * random_below(30);
		end_n += 5000;
	}
	s->n = end_n;
}

static void stream_mmio(struct stream *s, uint16_t kind, uint64_t distance, unsigned place, unsigned reg,
			uint64_t value)
{
	stream_run(s, distance);
	stream_put(s, kind, s->n, 0xffff800008712340 + place * 20, 0x09000000 + reg, value, 2);
}

static void stream_line(struct stream *s, const char *line)
{
	stream_mmio(s, EVENT_MMIO_READ, 20000 + random_below(90000), 0, 0x30, 0x301);
	stream_mmio(s, EVENT_MMIO_WRITE, 12, 1, 0x30, 0x101);
	for (const char *c = line; *c; c++) {
		if (*c == '\n') {
			stream_mmio(s, EVENT_MMIO_READ, 31, 2, 0x18, 0x90);
			stream_mmio(s, EVENT_MMIO_WRITE, 11, 3, 0, '\r');
		}
		stream_mmio(s, EVENT_MMIO_READ, c == line ? 44 : 27, 2, 0x18, 0x90);
		stream_mmio(s, EVENT_MMIO_WRITE, 11, 3, 0, (uint64_t)*c);
	}
	stream_mmio(s, EVENT_MMIO_READ, 36, 2, 0x18, 0x90);
	stream_mmio(s, EVENT_MMIO_WRITE, 14, 1, 0x30, 0x301);
	if (random_below(4) == 0) {
		stream_put(s, EVENT_IDLE, s->n + 300, 0xffff800008abcdec, s->tick_ns,
			   s->tick_ns - s->idle_ns - s->n - 300, 0);
		s->idle_ns = s->tick_ns - s->n;
		stream_put(s, EVENT_INJECT, s->n, 0xffff800008abcdec, GUEST_INTID_VTIMER, 0xa0, 0);
		s->tick_ns += STREAM_PERIOD_NS;
	}
	stream_run(s, random_below(8000000));
}

/* Lines as random as a boot log's: words from a small stock, numbers that are new. */
static void stream_boot(struct stream *s)
{
	static const char *const words[] = {"CPU",   "pci",   "driver", "registered", "memory", "device",
					    "using", "cache", "init",   "hashed",     "table",  "entries",
					    "order", "bytes", "virtio", "loaded"};
	while (s->n < UINT64_C(2000000000)) {
		char line[160];
		int bytes = snprintf(line, sizeof(line), "[%5u.%06u]", (unsigned)(s->n / 1000000000),
				     (unsigned)(s->n / 1000 % 1000000));
		for (uint64_t count = 3 + random_below(7); count; count--)
			bytes += snprintf(line + bytes, sizeof(line) - (size_t)bytes, " %s", words[random_below(16)]);
		snprintf(line + bytes, sizeof(line) - (size_t)bytes, " %u\n", (unsigned)random_below(100000));
		stream_line(s, line);
	}
}

Test(chunk, linux_console_is_small)
{
	struct stream s = {.events = calloc(STREAM_EVENTS_MAX, sizeof(struct event)), .tick_ns = STREAM_PERIOD_NS};
	stream_boot(&s);
	size_t raw_bytes = 0;
	size_t stored_bytes = 0;
	uint64_t idle_ns = 0;
	for (size_t at = 0; at < s.count; at += CHUNK_EVENTS_MAX) {
		size_t count = s.count - at < CHUNK_EVENTS_MAX ? s.count - at : CHUNK_EVENTS_MAX;
		uint8_t *raw = NULL;
		size_t bytes = round_trip(s.events + at, count, idle_ns, &raw);
		int bound = LZ4_compressBound((int)bytes);
		char *stored = malloc((size_t)bound);
		stored_bytes += (size_t)LZ4_compress_HC((const char *)raw, stored, (int)bytes, bound, LZ4HC_CLEVEL_MAX);
		raw_bytes += bytes;
		for (size_t i = 0; i < count; i++)
			idle_ns += s.events[at + i].kind == EVENT_IDLE ? s.events[at + i].value : 0;
		free(stored);
		free(raw);
	}
	cr_log_info("%zu events, %zu raw, %zu stored bytes, %llu instructions", s.count, raw_bytes, stored_bytes,
		    (unsigned long long)s.n);
	cr_assert_gt(s.count, (size_t)50000);
	cr_assert_leq(raw_bytes, s.count); /* the promise is 5 bytes an event; this holds what is reached */
	cr_assert_leq(raw_bytes * 5, s.n / 1000);
	cr_assert_leq(stored_bytes * 100, s.n / 1000);
	free(s.events);
}

/* Each INJECT is a site of its own; the one MMIO_READ comes first. */
Test(chunk, bytes_are_weighed_by_kind)
{
	enum { COUNT = 201 };
	struct event events[COUNT], decoded[COUNT];
	struct chunk_weights weights = {0};
	struct error error = {0};
	struct chunk_events room = {.at = decoded, .count = COUNT};
	uint64_t sum = 0;
	uint8_t *raw = NULL;
	size_t raw_bytes = 0;
	for (uint64_t i = 0; i < COUNT; i++)
		events[i] =
			(struct event){.n = i * 10, .kind = i ? EVENT_INJECT : EVENT_MMIO_READ, .address = i * 7777};
	cr_assert(chunk_encode(events, COUNT, 0, &raw, &raw_bytes, &error), "%s", error.text);
	cr_assert(chunk_weigh(raw, raw_bytes, &room, &weights, &error), "%s", error.text);
	cr_expect_eq(memcmp(events, decoded, sizeof(events)), 0);
	for (int kind = 0; kind <= EVENT_KIND_MAX; kind++)
		sum += weights.raw_bytes[kind];
	cr_expect_eq(sum, raw_bytes);
	/* a site alone takes 6 bytes at least */
	cr_expect_geq(weights.raw_bytes[EVENT_INJECT], 6 * (COUNT - 1));
	cr_expect_geq(weights.raw_bytes[EVENT_MMIO_READ], 6);
	cr_expect_leq(weights.raw_bytes[EVENT_MMIO_READ], 32);
	cr_expect_geq(weights.raw_bytes[0], 22);
	cr_expect_leq(weights.raw_bytes[0], 64);
	free(raw);
}

/* What a chunk that could not be decoded left behind is not weighed with the next one. */
Test(chunk, a_damaged_chunk_weighs_nothing_in_the_next)
{
	enum { COUNT = 50 };
	static struct event events[COUNT], decoded[COUNT];
	uint8_t *raw = NULL;
	size_t raw_bytes = 0;
	struct chunk_events room = {.at = decoded, .count = COUNT};
	struct error error = {0};
	struct chunk_weights damaged = {0}, weights = {0}, expected = {0};
	patterned_events(events, COUNT);
	cr_assert(chunk_encode(events, COUNT, 0, &raw, &raw_bytes, &error), "%s", error.text);
	cr_assert(chunk_weigh(raw, raw_bytes, &room, &expected, &error), "%s", error.text);
	for (size_t i = 0; i < raw_bytes; i++) {
		raw[i] ^= 0x15;
		chunk_weigh(raw, raw_bytes, &room, &damaged, &error);
		raw[i] ^= 0x15;
		weights = (struct chunk_weights){0};
		cr_assert(chunk_weigh(raw, raw_bytes, &room, &weights, &error));
		cr_assert_eq(memcmp(&weights, &expected, sizeof(weights)), 0, "after damage at byte %zu", i);
	}
	free(raw);
}
