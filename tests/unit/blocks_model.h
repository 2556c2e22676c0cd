/* What disks and packets hold, beside a trace: a model that keeps every block before every event and every payload, a
 * recording of random events that writes both, and the comparison of the two. */
#pragma once
#include "storage/trace_format.h"
#include "tests/unit/trace_fixture.h"

enum { DISKS = 3, BLOCKS = 40, EVENTS = 400, CONTENTS = 90, NO_CONTENT = -1 };

/* The content of every block after each event, and of the image; NO_CONTENT: the trace has none. Content 0: zeroes. */
struct model {
	uint64_t seed;
	int image[DISKS][BLOCKS];
	int after[EVENTS][DISKS][BLOCKS];
	size_t payload_bytes[EVENTS]; /* + 1; 0: none */
	uint64_t event_count;
	struct trace_writer *w;
};

static const uint32_t disk_numbers[DISKS] = {0, 7, TRACE_DISKS_MAX - 1};
/* Neighbours, and some far from each other. */
static inline uint64_t block_number(uint64_t index)
{
	return index < 30 ? index : index == BLOCKS - 1 ? TRACE_BLOCKS_MAX - 1 : index << 40;
}

static inline uint64_t next_random(struct model *m, uint64_t below)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (m->seed >> 33) % below;
}

static inline void content_fill(int content, uint8_t bytes[TRACE_BLOCK_BYTES])
{
	memset(bytes, 0, TRACE_BLOCK_BYTES);
	for (size_t i = 0; content > 0 && i < TRACE_BLOCK_BYTES; i++)
		bytes[i] = (uint8_t)((i * i >> (content % 5)) + (size_t)content * 7 + i / 100);
	memcpy(bytes, &content, sizeof(content));
}

static inline void payload_fill(uint64_t event, uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(i * event >> 3);
}

static inline void model_open(struct model *m, uint64_t seed)
{
	struct error error = {0};
	*m = (struct model){.seed = seed};
	for (size_t disk = 0; disk < DISKS; disk++) {
		for (size_t block = 0; block < BLOCKS; block++)
			m->image[disk][block] = NO_CONTENT;
	}
	m->w = trace_create(path, &error);
	cr_assert(m->w, "%s", error.text);
}

static inline void block_put(struct model *m, size_t disk, size_t block, uint64_t event, int content)
{
	struct error error = {0};
	uint8_t bytes[TRACE_BLOCK_BYTES];
	content_fill(content, bytes);
	bool good = content == 0 && block % 2 == 0
			    ? trace_put_zeroes(m->w, disk_numbers[disk], block_number(block), 1, event, &error)
			    : trace_put_block(m->w, disk_numbers[disk], block_number(block), event, bytes, &error);
	cr_assert(good, "%s", error.text);
}

static inline int content_random(struct model *m)
{
	return next_random(m, 5) == 0 ? 0 : (int)next_random(m, CONTENTS);
}

/* A block that the guest needs for the first time, if it does. */
static inline void image_put(struct model *m, size_t disk, size_t block)
{
	if (m->image[disk][block] != NO_CONTENT)
		return;
	m->image[disk][block] = content_random(m);
	for (uint64_t event = 0; event < m->event_count; event++) {
		if (m->after[event][disk][block] == NO_CONTENT)
			m->after[event][disk][block] = m->image[disk][block];
	}
	block_put(m, disk, block, 0, m->image[disk][block]);
}

static inline void event_random(struct model *m)
{
	struct error error = {0};
	uint64_t event = m->event_count++;
	memcpy(m->after[event], event ? m->after[event - 1] : m->image, sizeof(m->image));
	size_t disk = next_random(m, DISKS), first = next_random(m, BLOCKS), count = next_random(m, 12);
	bool image = next_random(m, 3) == 0;
	for (size_t block = first; block < BLOCKS && block < first + count && event > 0; block++) {
		if (image && m->image[disk][block] == NO_CONTENT) {
			image_put(m, disk, block);
			if (m->after[event][disk][block] == NO_CONTENT)
				m->after[event][disk][block] = m->image[disk][block];
		} else {
			m->after[event][disk][block] = content_random(m);
			block_put(m, disk, block, event, m->after[event][disk][block]);
		}
	}
	if (next_random(m, 3) == 0) {
		static uint8_t bytes[70000];
		size_t size = next_random(m, 4) ? next_random(m, 200) : next_random(m, sizeof(bytes));
		payload_fill(event, bytes, size);
		m->payload_bytes[event] = size + 1;
		cr_assert(trace_put_payload(m->w, event, bytes, size, &error), "%s", error.text);
	}
	struct event as_event = fixture_event(event);
	cr_assert(trace_append(m->w, &as_event, 1, &error), "%s", error.text);
}

static inline void record(struct model *m, uint64_t seed, uint64_t commit_every)
{
	struct error error = {0};
	model_open(m, seed);
	for (uint64_t event = 0; event < EVENTS; event++) {
		event_random(m);
		if (commit_every && next_random(m, commit_every) == 0)
			cr_assert(trace_commit(m->w, &error), "%s", error.text);
	}
}

static inline void finish(struct model *m)
{
	struct error error = {0};
	cr_assert(trace_finish(m->w, &error), "%s", error.text);
	trace_writer_free(m->w);
	m->w = NULL;
}

static inline void expect_block(struct trace_reader *r, uint32_t disk, uint64_t block, uint64_t before_event,
				int content)
{
	struct error error = {0};
	uint8_t bytes[TRACE_BLOCK_BYTES], expected[TRACE_BLOCK_BYTES];
	enum trace_found found = trace_get_block(r, disk, block, before_event, bytes, &error);
	cr_assert_eq(found, content == NO_CONTENT ? TRACE_ABSENT : TRACE_FOUND, "disk %u block %zu before %zu: %d %s",
		     disk, (size_t)block, (size_t)before_event, found, error.text);
	if (content == NO_CONTENT)
		return;
	content_fill(content, expected);
	cr_assert_eq(memcmp(bytes, expected, sizeof(bytes)), 0, "disk %u block %zu before %zu", disk, (size_t)block,
		     (size_t)before_event);
}

/* Every block before event `before`, one by one and all in order. */
struct listing {
	const int *contents;
	size_t at;
};

static inline bool block_seen(uint64_t block, uint64_t count, const uint8_t *bytes, void *context, struct error *error)
{
	struct listing *listing = context;
	uint8_t expected[TRACE_BLOCK_BYTES];
	(void)error;
	for (uint64_t i = 0; i < count; i++) {
		while (listing->at < BLOCKS && listing->contents[listing->at] == NO_CONTENT)
			listing->at++;
		cr_assert_lt(listing->at, BLOCKS);
		cr_assert_eq(block + i, block_number(listing->at));
		content_fill(listing->contents[listing->at], expected);
		cr_assert(bytes ? memcmp(bytes, expected, sizeof(expected)) == 0 : listing->contents[listing->at] == 0);
		listing->at++;
	}
	return true;
}

static inline void expect_blocks(const struct model *m, struct trace_reader *r, uint64_t before_event)
{
	struct error error = {0};
	for (size_t disk = 0; disk < DISKS; disk++) {
		const int *contents = before_event > 0 ? m->after[before_event - 1][disk] : m->image[disk];
		struct listing listing = {contents, 0};
		for (size_t block = 0; block < BLOCKS; block++)
			expect_block(r, disk_numbers[disk], block_number(block), before_event, contents[block]);
		cr_assert(trace_each_block(r, disk_numbers[disk], before_event, block_seen, &listing, &error), "%s",
			  error.text);
		while (listing.at < BLOCKS && contents[listing.at] == NO_CONTENT)
			listing.at++;
		cr_assert_eq(listing.at, BLOCKS);
	}
	expect_block(r, disk_numbers[1], 31, before_event, NO_CONTENT);
	expect_block(r, disk_numbers[1] + 1, 0, before_event, NO_CONTENT);
}

static inline void expect_payload(const struct model *m, struct trace_reader *r, uint64_t event)
{
	struct error error = {0};
	static uint8_t expected[70000];
	void *data = NULL;
	size_t bytes = 0;
	enum trace_found found = trace_get_payload(r, event, &data, &bytes, &error);
	size_t size = event < m->event_count ? m->payload_bytes[event] : 0;
	cr_assert_eq(found, size ? TRACE_FOUND : TRACE_ABSENT, "event %zu: %d %s", (size_t)event, found, error.text);
	if (size == 0)
		return;
	payload_fill(event, expected, size - 1);
	cr_assert_eq(bytes, size - 1);
	cr_assert_eq(memcmp(data, expected, bytes), 0, "event %zu", (size_t)event);
	free(data);
}

/* All from event `first` on, in a random order. */
static inline void expect_all_with(struct model *m, struct trace_reader *r, uint64_t first, uint64_t end)
{
	expect_blocks(m, r, end); /* first: what is newer than the index makes the reader read it again */
	expect_blocks(m, r, first);
	for (int i = 0; i < 12; i++)
		expect_blocks(m, r, first + next_random(m, end + 1 - first));
	for (uint64_t event = first; event < end + 2; event++)
		expect_payload(m, r, event);
	for (int i = 0; i < 30; i++)
		expect_payload(m, r, first + next_random(m, end + 1 - first));
}

static inline struct trace_reader *reader(void)
{
	struct error error = {0};
	struct trace_reader *r = trace_open(path, &error);
	cr_assert(r, "%s", error.text);
	return r;
}

static inline void expect_all(struct model *m, uint64_t first)
{
	struct trace_reader *r = reader();
	expect_all_with(m, r, first, m->event_count);
	trace_close(r);
}
