/* Which table an event is counted in, and what its rows are called. */
#include "tools/report/report_hot.h"
#include "hv/abi/event_info.h"
#include "replay/trace/event_text_names.h"

#include <inttypes.h>
#include <string.h>

enum { ROWS_MAX = 40, NAME_BYTES = 96, CALL_BIT = 40 };

static bool add(struct report_hot *hot, enum report_hot_table table, uint64_t key, unsigned column, uint64_t n,
		struct error *error)
{
	return report_counts_add(&hot->tables[table], key, column, n, error);
}

/* Reads are counted in the first column, writes in the second. */
static bool add_access(struct report_hot *hot, enum report_hot_table table, const struct event *event,
		       struct error *error)
{
	enum event_value value = event_info(event->kind)->value;
	bool writes = value == EVENT_VALUE_WRITTEN || (value == EVENT_VALUE_IS_READ && event->value == 0);
	if (!writes && value != EVENT_VALUE_READ && value != EVENT_VALUE_IS_READ)
		return true;
	return add(hot, table, event->address, writes, event->n, error);
}

bool report_hot_add(struct report_hot *hot, const struct event *event, struct error *error)
{
	const struct event_info *info = event_info(event->kind);
	uint64_t place = report_names_function(hot->names, event->pc);
	if (info->class == EVENT_CLASS_TRAP && !add(hot, REPORT_HOT_TRAPS, place, 0, event->n, error))
		return false;
	if (event->kind == EVENT_EXIT && !add(hot, REPORT_HOT_SAMPLES, place, 0, event->n, error))
		return false;
	switch (info->address) {
	case EVENT_ADDRESS_IPA:
		return add_access(hot, REPORT_HOT_REGISTERS, event, error);
	case EVENT_ADDRESS_SYSREG:
		return add_access(hot, REPORT_HOT_CALLS, event, error);
	case EVENT_ADDRESS_FUNCTION:
		return add(hot, REPORT_HOT_CALLS, event->address | UINT64_C(1) << CALL_BIT, 0, event->n, error);
	case EVENT_ADDRESS_EXIT_REASON:
		return add(hot, REPORT_HOT_EXITS, event->address, 0, event->n, error);
	case EVENT_ADDRESS_INTID:
		return event->kind != EVENT_INJECT ||
		       add(hot, REPORT_HOT_INTERRUPTS, event->address, 0, event->n, error);
	case EVENT_ADDRESS_ESR:
	case EVENT_ADDRESS_VCPU:
	case EVENT_ADDRESS_SECTOR:
	case EVENT_ADDRESS_TRANSPORT:
	case EVENT_ADDRESS_END_REASON:
	case EVENT_ADDRESS_DEADLINE_NS:
	case EVENT_ADDRESS_NONE:
		break;
	}
	return true;
}

static void call_name(uint64_t key, char *name)
{
	if (key >> CALL_BIT == 0)
		event_text_sysreg(key, name, NAME_BYTES);
	else
		event_text_function(key & ~(UINT64_C(1) << CALL_BIT), name, NAME_BYTES);
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

static void table_json(const struct report_hot *hot, enum report_hot_table table, const char *key, struct json *json)
{
	struct report_count top[ROWS_MAX];
	const struct report_counts *counts = &hot->tables[table];
	size_t used = report_counts_top(counts, top, ROWS_MAX);
	json_object(json, key);
	json_number(json, "keys", counts->key_count);
	json_number(json, "others", counts->others);
	json_array(json, "rows");
	for (size_t i = 0; i < used; i++) {
		char name[NAME_BYTES];
		row_name(hot, table, top[i].key, name);
		json_array(json, NULL);
		json_text(json, NULL, name);
		json_number(json, NULL, top[i].counts[0]);
		json_number(json, NULL, top[i].counts[1]);
		json_number(json, NULL, top[i].first_n);
		json_array_end(json);
	}
	json_array_end(json);
	json_object_end(json);
}

void report_hot_json(const struct report_hot *hot, struct json *json)
{
	static const char *const keys[REPORT_HOT_TABLES] = {"registers",  "traps", "samples",
							    "interrupts", "exits", "calls"};
	json_object(json, "hot");
	for (int table = 0; table < REPORT_HOT_TABLES; table++) {
		table_json(hot, (enum report_hot_table)table, keys[table], json);
		json_break(json);
	}
	json_object_end(json);
}

void report_hot_free(struct report_hot *hot)
{
	for (int table = 0; table < REPORT_HOT_TABLES; table++)
		report_counts_free(&hot->tables[table]);
}
