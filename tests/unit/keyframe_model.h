/* A recording's keyframes without a machine: a model of RAM that is written at random, the recorder's keyframe writer
 * that puts it into a trace, and what RAM was at each keyframe, for the tests to compare.
 *
 * RAM is zero at the start. At a keyframe some pages were written, some of them with what they had. */
#pragma once
#include "recorder/keyframe_writer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MODEL_PAGES = 300, MODEL_KEYFRAMES_MAX = 64, MODEL_RAM_BYTES = MODEL_PAGES * TRACE_PAGE_BYTES };

struct model_keyframe {
	uint64_t n, next_event;
	struct guest_state state;
	uint8_t *ram;
};

struct model {
	char folder[64], path[96];
	struct trace_writer *trace;
	struct keyframe_writer writer;
	uint64_t random, n, event_count;
	uint32_t vcpu_count; /* of the guest; 0: the trace says nothing of it, as if it had one */
	uint8_t *ram;
	struct model_keyframe at[MODEL_KEYFRAMES_MAX];
	size_t count;
};

static inline uint64_t model_random(struct model *m, uint64_t below)
{
	m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (m->random >> 33) % below;
}

static inline void model_open(struct model *m, uint64_t seed)
{
	struct error error = {0};
	*m = (struct model){.random = seed, .folder = "/tmp/hvrec-test-keyframe-XXXXXX"};
	cr_assert(mkdtemp(m->folder));
	snprintf(m->path, sizeof(m->path), "%s/t.hvrec", m->folder);
	m->ram = calloc(1, MODEL_RAM_BYTES);
	m->trace = trace_create(m->path, &error);
	cr_assert(m->trace && m->ram, "%s", error.text);
}

/* Before anything is recorded. */
static inline void model_vcpus(struct model *m, uint32_t count)
{
	struct error error = {0};
	m->vcpu_count = count < GUEST_VCPU_MAX ? count : GUEST_VCPU_MAX;
	cr_assert(trace_put_u64(m->trace, TRACE_META_VCPU_COUNT, count, &error), "%s", error.text);
}

/* Up to 200 events further on. */
static inline void model_events(struct model *m)
{
	struct error error = {0};
	for (uint64_t count = 1 + model_random(m, 200); count > 0; count--) {
		m->n += 1 + model_random(m, 5000);
		struct event event = {.n = m->n, .pc = 0x40080000, .kind = EVENT_EXIT, .value = m->event_count++};
		cr_assert(trace_append(m->trace, &event, 1, &error), "%s", error.text);
	}
}

static inline void page_write(struct model *m, uint64_t index)
{
	uint8_t *page = m->ram + index * TRACE_PAGE_BYTES;
	if (model_random(m, 3) != 0)
		page[model_random(m, TRACE_PAGE_BYTES)] ^= (uint8_t)(1 + model_random(m, 255));
}

/* Copies what the recorder would find dirty. */
static inline struct capture *model_capture(struct model *m)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	capture->pages = calloc(MODEL_PAGES, sizeof(*capture->pages));
	capture->bytes = malloc(MODEL_RAM_BYTES);
	uint64_t one_in = 1 + model_random(m, 8);
	for (uint64_t i = 0; i < MODEL_PAGES; i++) {
		if (model_random(m, one_in) != 0)
			continue;
		page_write(m, i);
		uint8_t *bytes = capture->bytes + capture->page_count * TRACE_PAGE_BYTES;
		memcpy(bytes, m->ram + i * TRACE_PAGE_BYTES, TRACE_PAGE_BYTES);
		capture->pages[capture->page_count++] = (struct trace_page){i, bytes};
	}
	capture->n = capture->state.n = m->n;
	capture->ns = m->n;
	capture->next_event = m->event_count;
	capture->state.vcpu_count = m->vcpu_count > 1 ? m->vcpu_count : 1;
	capture->state.current = (uint32_t)model_random(m, capture->state.vcpu_count);
	for (int i = 0; i < 31; i++) {
		for (uint32_t vcpu = 0; vcpu < capture->state.vcpu_count; vcpu++)
			capture->state.vcpu[vcpu].x[i] = model_random(m, UINT32_MAX);
	}
	return capture;
}

/* A keyframe here, into the trace. */
static inline void model_keyframe(struct model *m)
{
	struct error error = {0};
	struct capture *capture = model_capture(m);
	struct model_keyframe *at = &m->at[m->count++];
	*at = (struct model_keyframe){m->n, m->event_count, capture->state, malloc(MODEL_RAM_BYTES)};
	memcpy(at->ram, m->ram, MODEL_RAM_BYTES);
	keyframe_writer_begin(&m->writer, capture);
	while (keyframe_writer_busy(&m->writer, m->event_count))
		keyframe_writer_step(&m->writer, m->trace, m->event_count, &error);
	cr_assert_eq(error.status, STATUS_OK, "%s", error.text);
}

static inline void model_finish(struct model *m)
{
	struct error error = {0};
	cr_assert(trace_finish(m->trace, &error), "%s", error.text);
	trace_writer_free(m->trace);
	m->trace = NULL;
}

static inline void model_close(struct model *m)
{
	char command[96];
	trace_writer_free(m->trace);
	keyframe_writer_free(&m->writer);
	for (size_t i = 0; i < m->count; i++)
		free(m->at[i].ram);
	free(m->ram);
	snprintf(command, sizeof(command), "rm -rf %s", m->folder);
	cr_assert_eq(system(command), 0);
}
