/* Two streams in lock-step, each showing only the events that are compared. */
#include "replay/trace/trace_diff.h"
#include "hv/abi/descriptor.h"
#include "hv/abi/event_info.h"
#include "hv/host/event_console.h"
#include "replay/trace/event_text_names.h"

#include <string.h>

/* Values that follow guest time, or count instructions: the timers' and the PMU's counters (Arm ARM D17.5, D17.11). */
static bool value_is_time(const struct event *event)
{
	static const char *const prefixes[] = {"CNT", "PMCCNTR", "PMEVCNTR"};
	char name[64];
	const struct event_info *info = event_info(event->kind);
	bool accesses = info->value == EVENT_VALUE_READ || info->value == EVENT_VALUE_WRITTEN;
	if (info->address != EVENT_ADDRESS_SYSREG || !accesses)
		return false;
	event_text_sysreg(event->address, name, sizeof(name));
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

static bool is_trap(uint16_t kind)
{
	return event_info(kind)->class == EVENT_CLASS_TRAP;
}

/* KASLR and ASLR move code by whole pages, from recording to recording. */
static bool same_code(uint64_t pc_a, uint64_t pc_b)
{
	return (pc_a ^ pc_b) % PAGE_BYTES == 0;
}

static bool same_but_time(const struct event *a, const struct event *b)
{
	if (a->kind != b->kind || a->vcpu != b->vcpu || a->size != b->size)
		return false;
	enum event_value value = event_info(a->kind)->value;
	if (value == EVENT_VALUE_JUMP_NS)
		return true;
	if (a->address != b->address)
		return false;
	if (value == EVENT_VALUE_CHECK)
		return true;
	return (a->value == b->value || value_is_time(a)) && (same_code(a->pc, b->pc) || !is_trap(a->kind));
}

static bool prints_digit(const struct event *event)
{
	uint8_t byte;
	if (event_console_bytes(event, 1, &byte) != 1)
		return false;
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

bool trace_diff_same(const struct event *a, const struct event *b, enum trace_diff_by by)
{
	if (by == TRACE_DIFF_EXACT)
		return memcmp(a, b, sizeof(*a)) == 0;
	if (by == TRACE_DIFF_DIGITS && prints_digit(a) && prints_digit(b))
		return true;
	return same_but_time(a, b);
}

static bool is_compared(uint16_t kind, enum trace_diff_by by)
{
	if (by == TRACE_DIFF_INPUT)
		return event_info(kind)->value == EVENT_VALUE_BYTE;
	return by == TRACE_DIFF_EXACT || by == TRACE_DIFF_TIME || is_trap(kind);
}

/* The next event that is compared. False: there is none, or an error. */
static bool next(struct event_stream *stream, enum trace_diff_by by, struct event_at *at, struct error *error)
{
	while (event_stream_next(stream, at, error)) {
		if (is_compared(at->event.kind, by))
			return true;
	}
	*at = (struct event_at){.index = event_stream_index(stream)};
	return false;
}

static bool walk(struct event_stream *a, struct event_stream *b, enum trace_diff_by by, struct trace_diff_place *place,
		 struct error *error)
{
	for (;; place->same_count++) {
		place->has_a = next(a, by, &place->a, error);
		place->has_b = next(b, by, &place->b, error);
		if (error->status != STATUS_OK)
			return false;
		if (!place->has_a || !place->has_b || !trace_diff_same(&place->a.event, &place->b.event, by))
			break;
	}
	place->differs = place->has_a || place->has_b;
	return true;
}

uint64_t trace_diff_first_n(const struct trace_reader *a, const struct trace_reader *b)
{
	uint64_t start_a = trace_start_n(a), start_b = trace_start_n(b);
	if (start_a == start_b)
		return 0;
	return (start_a > start_b ? start_a : start_b) + 1;
}

bool trace_diff_find(struct trace_reader *a, struct trace_reader *b, enum trace_diff_by by,
		     struct trace_diff_place *place, struct error *error)
{
	*place = (struct trace_diff_place){0};
	uint64_t first_n = trace_diff_first_n(a, b);
	struct event_stream *in_a = event_stream_open(trace_seek_n(a, first_n, error), error);
	struct event_stream *in_b = in_a ? event_stream_open(trace_seek_n(b, first_n, error), error) : NULL;
	bool good = in_b && walk(in_a, in_b, by, place, error);
	event_stream_free(in_a);
	event_stream_free(in_b);
	return good;
}
