/* Which table an event is counted in, and what its rows are called. */
#include "tools/report/report_hot.h"
#include "replay/trace/event_text_names.h"
#include "tools/report/report_json.h"

#include <inttypes.h>
#include <string.h>

enum { ROWS_MAX = 40, NAME_BYTES = 96, CALL_BIT = 40 };

static bool is_trap(const struct event *event)
{
	switch (event->kind) {
#define EVENT(id, name, class, address, value, text)                                                                   \
	case id:                                                                                                       \
		return EVENT_CLASS_##class == EVENT_CLASS_TRAP;
#include "hv/abi/event.def"
#undef EVENT
	default:
		return false;
	}
}

static bool add(struct report_hot *hot, enum report_hot_table table, uint64_t key, unsigned column, uint64_t n,
		struct error *error)
{
	return report_counts_add(&hot->tables[table], key, column, n, error);
}

bool report_hot_add(struct report_hot *hot, const struct event *event, struct error *error)
{
	uint64_t place = report_names_function(hot->names, event->pc);
	if (is_trap(event) && !add(hot, REPORT_HOT_TRAPS, place, 0, event->n, error))
		return false;
	if (event->kind == EVENT_EXIT && !add(hot, REPORT_HOT_SAMPLES, place, 0, event->n, error))
		return false;
	switch (event->kind) {
	case EVENT_MMIO_READ:
	case EVENT_MMIO_WRITE:
		return add(hot, REPORT_HOT_REGISTERS, event->address, event->kind == EVENT_MMIO_WRITE, event->n, error);
	case EVENT_SYSREG_READ:
	case EVENT_SYSREG_WRITE:
		return add(hot, REPORT_HOT_CALLS, event->address, event->kind == EVENT_SYSREG_WRITE, event->n, error);
	case EVENT_SYSREG_DENIED:
		return add(hot, REPORT_HOT_CALLS, event->address, event->value == 0, event->n, error);
	case EVENT_SMCCC_CALL:
		return add(hot, REPORT_HOT_CALLS, event->address | UINT64_C(1) << CALL_BIT, 0, event->n, error);
	case EVENT_EXIT:
		return add(hot, REPORT_HOT_EXITS, event->address, 0, event->n, error);
	case EVENT_INJECT:
		return add(hot, REPORT_HOT_INTERRUPTS, event->address, 0, event->n, error);
	default:
		return true;
	}
}

static void call_name(uint64_t key, char *name)
{
	if (key >> CALL_BIT == 0) {
		event_text_sysreg(key, name, NAME_BYTES);
		return;
	}
	event_text_call(key & ~(UINT64_C(1) << CALL_BIT), 0, name, NAME_BYTES);
	char *result = strstr(name, " = ");
	if (result)
		*result = 0;
}

static void row_name(const struct report_hot *hot, enum report_hot_table table, uint64_t key, char *name)
{
	const char *reason = event_text_exit_reason(key);
	switch (table) {
	case REPORT_HOT_REGISTERS:
		event_text_address(key, name, NAME_BYTES);
		break;
	case REPORT_HOT_CALLS:
		call_name(key, name);
		break;
	case REPORT_HOT_INTERRUPTS:
		event_text_interrupt(key, name, NAME_BYTES);
		break;
	case REPORT_HOT_EXITS:
		if (reason)
			snprintf(name, NAME_BYTES, "%s", reason);
		else
			snprintf(name, NAME_BYTES, "reason %" PRIu64, key);
		break;
	case REPORT_HOT_TRAPS:
	case REPORT_HOT_SAMPLES:
	case REPORT_HOT_TABLES:
		report_names_text(hot->names, key, name, NAME_BYTES);
		break;
	}
}

static void table_json(const struct report_hot *hot, enum report_hot_table table, FILE *out)
{
	struct report_count top[ROWS_MAX];
	const struct report_counts *counts = &hot->tables[table];
	size_t used = report_counts_top(counts, top, ROWS_MAX);
	fprintf(out, "{\"keys\":%zu,\"others\":%" PRIu64 ",\"rows\":[", counts->key_count, counts->others);
	for (size_t i = 0; i < used; i++) {
		char name[NAME_BYTES];
		row_name(hot, table, top[i].key, name);
		fputs(i > 0 ? ",[" : "[", out);
		report_json_text(out, name);
		fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", top[i].counts[0], top[i].counts[1],
			top[i].first_n);
	}
	fputs("]}", out);
}

void report_hot_json(const struct report_hot *hot, FILE *out)
{
	static const char *const keys[REPORT_HOT_TABLES] = {"registers",  "traps", "samples",
							    "interrupts", "exits", "calls"};
	for (int table = 0; table < REPORT_HOT_TABLES; table++) {
		fprintf(out, "%s\"%s\":", table > 0 ? ",\n" : "{", keys[table]);
		table_json(hot, (enum report_hot_table)table, out);
	}
	fputc('}', out);
}

void report_hot_free(struct report_hot *hot)
{
	for (int table = 0; table < REPORT_HOT_TABLES; table++)
		report_counts_free(&hot->tables[table]);
}
