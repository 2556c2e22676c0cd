/* The registers are counted in a hash table with open addressing that is at most half full: a damaged trace may name
 * more addresses than any machine has, and then the rest is counted together. */
#include "replay/trace/trace_stat.h"
#include "hv/abi/event_info.h"
#include "replay/trace/metadata.h"

#include <stdlib.h>

enum { SLOT_COUNT = 1 << 14, REGISTERS_MAX = SLOT_COUNT / 2, BATCH_EVENTS = 4096 };

/* The slot of the address, or the free one where it belongs. Without accesses a slot is free. */
static struct trace_stat_register *slot_find(struct trace_stat_register *slots, uint64_t ipa)
{
	size_t slot = (size_t)(ipa * UINT64_C(0x9e3779b97f4a7c15) >> 50);
	while (slots[slot].read_count + slots[slot].write_count > 0 && slots[slot].ipa != ipa)
		slot = (slot + 1) % SLOT_COUNT;
	return &slots[slot];
}

static void count_register(struct trace_stat *stat, const struct event *event)
{
	struct trace_stat_register *slot = slot_find(stat->registers, event->address);
	bool is_new = slot->read_count + slot->write_count == 0;
	if (is_new && stat->register_count == REGISTERS_MAX) {
		stat->register_other++;
		return;
	}
	stat->register_count += is_new;
	slot->ipa = event->address;
	slot->read_count += event_info(event->kind)->value == EVENT_VALUE_READ;
	slot->write_count += event_info(event->kind)->value == EVENT_VALUE_WRITTEN;
}

static void count(struct trace_stat *stat, const struct event *event)
{
	const struct event_info *info = event_info(event->kind);
	bool accesses = info->value == EVENT_VALUE_READ || info->value == EVENT_VALUE_WRITTEN;
	stat->kinds[event->kind <= EVENT_KIND_MAX ? event->kind : 0]++;
	stat->instructions = event->n - stat->start_n;
	trace_stat_vcpus_add(&stat->vcpus, event);
	trace_stat_devices_add(&stat->devices, event);
	if (info->address == EVENT_ADDRESS_IPA && accesses)
		count_register(stat, event);
	if (event->kind == EVENT_EXIT)
		stat->exits[event->address < TRACE_STAT_REASONS ? event->address : 0]++;
	if (event->kind == EVENT_INJECT && event->address < TRACE_STAT_INTIDS) {
		stat->interrupts[event->address]++;
		stat->interrupts_of[event->address][event->vcpu % GUEST_VCPU_MAX]++;
	}
	if (event->kind == EVENT_INJECT && event->address >= TRACE_STAT_INTIDS)
		stat->interrupts_other++;
}

static bool events_count(struct trace_reader *trace, struct trace_stat *stat, struct error *error)
{
	uint64_t vcpu_count = 1;
	if (trace_get_u64(trace, TRACE_META_VCPU_COUNT, &vcpu_count, error) == TRACE_FAILED)
		return false;
	struct event *events = malloc(BATCH_EVENTS * sizeof(*events));
	struct trace_cursor *cursor = trace_weigh(trace, &stat->weights, error);
	if (!events)
		error_set(error, STATUS_FAILED, "out of memory");
	int64_t got = events && cursor ? 1 : -1;
	uint64_t start_idle_ns = cursor ? trace_cursor_idle_ns(cursor) : 0;
	stat->start_n = trace_start_n(trace);
	stat->start_ns = stat->start_n + start_idle_ns;
	trace_stat_vcpus_begin(&stat->vcpus, vcpu_count, stat->start_n, stat->start_ns);
	while (got > 0) {
		got = trace_next(cursor, events, BATCH_EVENTS, error);
		for (int64_t i = 0; i < got; i++)
			count(stat, &events[i]);
	}
	if (got == 0) {
		stat->event_count = trace_cursor_event(cursor) - trace_first_event(trace);
		stat->idle_ns = trace_cursor_idle_ns(cursor) - start_idle_ns;
		stat->guest_ns = stat->instructions + stat->idle_ns;
		trace_stat_vcpus_end(&stat->vcpus, stat->start_n + stat->instructions);
	}
	trace_cursor_free(cursor);
	free(events);
	return got == 0;
}

static int most_used_first(const void *a, const void *b)
{
	const struct trace_stat_register *x = a, *y = b;
	uint64_t x_count = x->read_count + x->write_count, y_count = y->read_count + y->write_count;
	if (x_count != y_count)
		return x_count < y_count ? 1 : -1;
	return (x->ipa > y->ipa) - (x->ipa < y->ipa);
}

static void registers_sort(struct trace_stat *stat)
{
	size_t kept = 0;
	for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
		if (stat->registers[slot].read_count + stat->registers[slot].write_count > 0)
			stat->registers[kept++] = stat->registers[slot];
	}
	qsort(stat->registers, kept, sizeof(*stat->registers), most_used_first);
}

bool trace_stat_get(struct trace_reader *trace, struct trace_stat *stat, struct error *error)
{
	*stat = (struct trace_stat){.complete = trace_is_complete(trace)};
	stat->registers = calloc(SLOT_COUNT, sizeof(*stat->registers));
	if (!stat->registers)
		return error_set(error, STATUS_FAILED, "out of memory");
	if (!metadata_devices(trace, &stat->device_list, error) || !events_count(trace, stat, error) ||
	    !trace_get_totals(trace, &stat->totals, error) || !trace_get_bytes(trace, &stat->file_bytes, error))
		return false;
	registers_sort(stat);
	return true;
}

void trace_stat_free(struct trace_stat *stat)
{
	free(stat->registers);
	stat->registers = NULL;
}
