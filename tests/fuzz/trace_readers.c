/* The functions that read a trace, on the one reader that all of a file's share; then the commands. Each stops at the
 * first error, as hvrec does. Of a share see trace_readers.h. */
#include "tests/fuzz/trace_readers.h"
#include "replay/run/guest.h"
#include "replay/trace/event_text.h"
#include "replay/trace/events.h"
#include "replay/trace/place.h"
#include "replay/travel/page_source.h"
#include "storage/trace.h"
#include "tests/fuzz/random.h"
#include "tests/fuzz/trace_commands.h"
#include "tests/fuzz/trace_seeds.h"
#include "tests/fuzz/trace_shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_EVENTS = 512, TEXTS_MAX = 100, GROUPS_MAX = 8, RAM_PAGES = SEED_RAM_BYTES / TRACE_PAGE_BYTES };

static struct guest_state state;

static bool file_read(const char *name, void *context, struct error *error)
{
	void *data = NULL;
	size_t bytes = 0;
	if (trace_get_file(context, name, &data, &bytes, error) == TRACE_FOUND)
		free(data);
	return true;
}

static void read_files(struct trace_reader *trace, struct error *error)
{
	trace_each_file(trace, file_read, trace, error);
}

/* Reads all of both. */
static bool meta_read(const char *key, const char *text, uint64_t number, void *context, struct error *error)
{
	(void)number, (void)context, (void)error;
	return strlen(key) + (text ? strlen(text) : 0) < SIZE_MAX;
}

static void metas_get(struct trace_reader *trace, struct error *error)
{
	uint64_t value = 0;
	for (unsigned text = 0; text < TRACE_META_TEXT_COUNT; text++) {
		char *copy = NULL;
		if (trace_get_text(trace, (enum trace_meta_text)text, &copy, error) == TRACE_FOUND)
			free(copy);
	}
	for (unsigned number = 0; number < TRACE_META_NUMBER_COUNT; number++)
		trace_get_u64(trace, (enum trace_meta_number)number, &value, error);
}

static void read_metadata(struct trace_reader *trace, struct error *error)
{
	uint64_t value = 0;
	trace_each_meta(trace, meta_read, trace, error);
	metas_get(trace, error);
	trace_get_bytes(trace, &value, error);
}

static void read_events(struct trace_reader *trace, struct error *error)
{
	static struct event events[BATCH_EVENTS];
	struct trace_cursor *cursor = random_below(2) ? trace_seek(trace, random_below(2) * random_below(400), error)
						      : trace_seek_n(trace, random_below(20000), error);
	int64_t got = cursor ? 1 : 0;
	for (unsigned texts = 0; got > 0;) {
		char text[EVENT_TEXT_BYTES];
		got = trace_next(cursor, events, 1 + random_below(BATCH_EVENTS), error);
		for (int64_t i = 0; i < got && texts < TEXTS_MAX; i++, texts++)
			event_text_line(&events[i], NULL, text, sizeof(text));
	}
	if (cursor)
		trace_cursor_idle_ns(cursor);
	trace_cursor_free(cursor);
}

static void read_window(struct trace_reader *trace, struct error *error)
{
	struct events *events = events_open(trace, error);
	if (!events)
		return;
	uint64_t count = events_count(events);
	if (random_below(2))
		events_find(events, random_below(100000), error);
	else if (count > 0)
		events_get(events, random_below(count), error);
	events_close(events);
}

/* As --at does, before the machine starts. */
static void read_place(struct trace_reader *trace, struct error *error)
{
	static const char *const places[] = {"start",    "end",       "50%",           "4000",
					     "event 12", "event 100", "time 0.000002", "time 1"};
	struct events *events = events_open(trace, error);
	uint64_t n;
	if (events)
		place_find(places[random_below(sizeof(places) / sizeof(places[0]))], trace, events, &n, error);
	events_close(events);
}

static void read_keyframes(struct trace_reader *trace, struct error *error)
{
	struct trace_keyframe *keyframes = NULL;
	size_t count = 0, same_count = 0;
	if (!trace_get_keyframes(trace, &keyframes, &count, error))
		return;
	for (size_t i = 0; i < count; i++) {
		uint64_t *same = NULL;
		struct error why = {.status = STATUS_OK};
		trace_get_keyframe_state(trace, &keyframes[i], &state, sizeof(state), &why);
		why.status = STATUS_OK;
		trace_get_keyframe_same(trace, &keyframes[i], &same, &same_count, &why);
		free(same);
	}
	free(keyframes);
}

static void read_groups(struct trace_reader *trace, struct error *error)
{
	static uint8_t pages[TRACE_GROUP_PAGES_MAX * TRACE_PAGE_BYTES];
	uint64_t indexes[TRACE_GROUP_PAGES_MAX], *ids = NULL;
	size_t count = 0;
	if (!trace_get_groups(trace, random_below(4) ? INT64_MAX : random_below(20), &ids, &count, error))
		return;
	for (size_t i = 0; i < count && i < GROUPS_MAX; i++) {
		struct error why = {.status = STATUS_OK};
		trace_get_group_indexes(trace, ids[i], indexes, &why);
		trace_get_group(trace, ids[i], pages, &why);
	}
	free(ids);
}

/* As a replay from a keyframe, and the way there from another one. */
static void read_keyframe_index(struct trace_reader *trace, struct error *error)
{
	static uint8_t ram[SEED_RAM_BYTES];
	struct keyframe_index index;
	if (keyframe_index_open(&index, trace, RAM_PAGES, error) && index.count > 0) {
		size_t count = 0;
		size_t from = keyframe_index_before(&index, random_below(20000)), to = random_below(index.count);
		if (from == SIZE_MAX || from <= to)
			free(keyframe_index_newest(&index, from, to, &count));
		if (keyframe_index_state(&index, to, &state, error))
			keyframe_index_ram(&index, to, ram, error);
	}
	keyframe_index_close(&index);
}

/* As checkpoints do. */
static void read_pages(struct trace_reader *trace, struct error *error)
{
	struct page_source source = {.trace = trace, .ram_bytes = SEED_RAM_BYTES};
	page_source_start(&source, random_below(RAM_PAGES), error);
	page_source_kept(&source, random_below(8), 0, error);
	page_source_kept(&source, random_below(8), 0, error);
	page_source_trim(&source);
	page_source_close(&source);
}

static bool block_seen(uint64_t block, uint64_t count, const uint8_t *bytes, void *context, struct error *error)
{
	(void)block, (void)count, (void)bytes, (void)error;
	return ++*(unsigned *)context < TEXTS_MAX;
}

/* As a replay does, and `hvrec extract --disk`. */
static void read_blocks(struct trace_reader *trace, struct error *error)
{
	uint8_t bytes[TRACE_BLOCK_BYTES];
	unsigned seen = 0;
	for (int i = 0; i < 8 && error->status == STATUS_OK; i++)
		trace_get_block(trace, (uint32_t)random_below(3), random_below(100), random_below(80), bytes, error);
	trace_each_block(trace, (uint32_t)random_below(3), random_below(80), block_seen, &seen, error);
}

static void read_payloads(struct trace_reader *trace, struct error *error)
{
	for (int i = 0; i < 8; i++) {
		void *payload = NULL;
		size_t bytes = 0;
		if (trace_get_payload(trace, random_below(80), &payload, &bytes, error) == TRACE_FOUND)
			free(payload);
	}
}

/* Up to where a replay would start the machine. */
static void read_guest(struct trace_reader *trace, struct error *error)
{
	struct machine_config config = {.mode = HV_MODE_REPLAY};
	machine_destroy(guest_restore(trace, &config, error));
}

struct reader {
	const char *name;
	void (*run)(struct trace_reader *trace, struct error *error);
	unsigned share;
};

static const struct reader readers[] = {
	{"files", read_files, 1},        {"metadata", read_metadata, 1},
	{"events", read_events, 1},      {"window", read_window, 2},
	{"place", read_place, 8},        {"keyframes", read_keyframes, 1},
	{"page groups", read_groups, 1}, {"keyframe index", read_keyframe_index, 1},
	{"pages", read_pages, 4},        {"guest", read_guest, 16},
	{"blocks", read_blocks, 1},      {"payloads", read_payloads, 1},
};

enum { READER_COUNT = sizeof(readers) / sizeof(readers[0]) };

static uint64_t reader_runs[READER_COUNT];

void trace_readers_run(const struct trace_readers_paths *paths)
{
	struct error error = {.status = STATUS_OK};
	trace_shared_start(paths->trace);
	struct trace_reader *trace = trace_open(paths->trace, &error);
	for (size_t i = 0; trace && i < READER_COUNT; i++) {
		error = (struct error){.status = STATUS_OK};
		if (random_below(readers[i].share) == 0) {
			readers[i].run(trace, &error);
			reader_runs[i]++;
		}
	}
	trace_commands_run(paths);
	trace_close(trace);
	trace_shared_end();
}

void trace_readers_report(FILE *out)
{
	const char *separator = "read by";
	for (size_t i = 0; i < READER_COUNT; i++, separator = ",")
		fprintf(out, "%s %s %" PRIu64, separator, readers[i].name, reader_runs[i]);
	trace_commands_report(out);
	fputc('\n', out);
}
