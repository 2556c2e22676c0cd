/* What the tests of damaged traces and disks share: a folder for each test, a small trace in it, and reading one. */
#pragma once
#include "storage/trace.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static char path[128];

static inline void fixture_setup(void)
{
	strcpy(folder, "/tmp/hvrec-test-trace-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.hvrec", folder);
}

static inline void fixture_teardown(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

/* Event `i` of every recording. */
static inline struct event fixture_event(uint64_t i)
{
	return (struct event){.n = i * 50,
			      .pc = 0x1000 + i % 7 * 4,
			      .address = i % 9 == 5 ? i * 61 : 0x09000000,
			      .value = i * i % 251,
			      .kind = i % 9 == 5 ? EVENT_IDLE : EVENT_MMIO_WRITE,
			      .size = 4};
}

/* Appends events [first, first + count) and commits. */
static inline bool fixture_commit(struct trace_writer *w, uint64_t first, uint64_t count, struct error *error)
{
	for (uint64_t i = first; i < first + count; i++) {
		struct event event = fixture_event(i);
		if (!trace_append(w, &event, 1, error))
			return false;
	}
	return trace_commit(w, error);
}

/* Reads all events and compares them. Returns how many there are; fails the test if one cannot be read. */
static inline uint64_t fixture_read(const char *trace)
{
	struct error error = {0};
	struct trace_reader *r = trace_open(trace, &error);
	struct trace_cursor *c = r ? trace_seek(r, 0, &error) : NULL;
	struct event event;
	uint64_t count = 0;
	while (c && trace_next(c, &event, 1, &error) == 1) {
		struct event expected = fixture_event(count++);
		cr_assert_eq(memcmp(&event, &expected, sizeof(event)), 0, "event %zu", (size_t)count - 1);
	}
	trace_cursor_free(c);
	trace_close(r);
	cr_assert_eq(error.status, STATUS_OK, "%s", error.text);
	return count;
}

/* A finished recording of `count` events in one chunk, or an unfinished one in chunks of `step` (step > 0). */
static inline void fixture_record(uint64_t count, uint64_t step)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	bool good = w && trace_put_text(w, TRACE_META_BOOTARGS, "quiet", &error) &&
		    trace_put_u64(w, TRACE_META_FINAL_N, 77, &error) &&
		    trace_put_file(w, "kernel", "some code", 9, &error) && trace_put_file(w, "dtb", "more", 4, &error);
	for (uint64_t i = 0; good && i < count; i += step ? step : count)
		good = fixture_commit(w, i, step ? step : count, &error);
	cr_assert(good && (step || trace_finish(w, &error)), "%s", error.text);
	trace_writer_free(w);
}

static inline uint8_t *fixture_load(size_t *bytes)
{
	FILE *file = fopen(path, "rb");
	cr_assert(file);
	fseek(file, 0, SEEK_END);
	*bytes = (size_t)ftell(file);
	rewind(file);
	uint8_t *data = malloc(*bytes);
	cr_assert_eq(fread(data, 1, *bytes, file), *bytes);
	fclose(file);
	return data;
}

static inline void fixture_store(const void *data, size_t bytes)
{
	FILE *file = fopen(path, "wb");
	cr_assert(file);
	cr_assert_eq(fwrite(data, 1, bytes, file), bytes);
	cr_assert_eq(fclose(file), 0);
}
