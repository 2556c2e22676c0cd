/* hvrec stat: a trace in numbers, as text or JSON. */
#include "replay/trace/event_text.h"
#include "hv/host/sandbox.h"
#include "replay/trace/event_text_names.h"
#include "replay/trace/trace_stat.h"
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/output_text.h"

#include <inttypes.h>
#include <stdio.h>

enum { NAME_BYTES = 96, REGISTERS_PRINTED = 20 };

struct stat_options {
	enum output_format format;
};

static const struct option_row rows[] = {
	{"format", 0, "FORMAT", "text (the default), json", output_format, offsetof(struct stat_options, format)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec stat TRACE [--format text|json]\n"
		"\n"
		"Counts events by kind, exits by reason, interrupts and their rates, device registers, idle time, and "
		"the\n"
		"bytes that each of them takes. Rates are by guest time. The text has the most used registers, JSON "
		"all.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

static double ratio(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0;
}

/* Per million instructions; per second of guest time. */
static double per_million(const struct trace_stat *stat, uint64_t count)
{
	return ratio(count, stat->instructions) * 1e6;
}

static double per_second(const struct trace_stat *stat, uint64_t count)
{
	return ratio(count, stat->guest_ns) * 1e9;
}

static uint64_t sum(const uint64_t values[EVENT_KIND_MAX + 1])
{
	uint64_t all = 0;
	for (int kind = 0; kind <= EVENT_KIND_MAX; kind++)
		all += values[kind];
	return all;
}

/* What is neither events, files nor keyframes: sqlite's pages, indexes and free room, metadata, further tables. */
static uint64_t rest_bytes(const struct trace_stat *stat)
{
	uint64_t known_bytes =
		sum(stat->weights.stored_bytes) + stat->totals.blob_stored_bytes + stat->totals.keyframe_stored_bytes;
	return stat->file_bytes > known_bytes ? stat->file_bytes - known_bytes : 0;
}

static void print_kind(const struct trace_stat *stat, const char *name, int kind)
{
	const uint64_t *raw = stat->weights.raw_bytes, *stored = stat->weights.stored_bytes;
	printf("  %-18s %10" PRIu64 " %6.2f %% %10.3f %12" PRIu64 " %12" PRIu64 "\n", name, stat->kinds[kind],
	       100 * ratio(stat->kinds[kind], stat->event_count), per_million(stat, stat->kinds[kind]), raw[kind],
	       stored[kind]);
}

static void print_kinds(const struct trace_stat *stat)
{
	printf("\n  %-18s %10s %8s %10s %12s %12s\n", "kind", "events", "share", "per M n", "raw bytes",
	       "stored bytes");
	for (int kind = 1; kind <= EVENT_KIND_MAX; kind++) {
		if (stat->kinds[kind] > 0)
			print_kind(stat, event_text_kind((uint16_t)kind), kind);
	}
	print_kind(stat, stat->kinds[0] > 0 ? "other kinds, heads" : "heads of chunks", 0);
	printf("  %-18s %10" PRIu64 " %6.2f %% %10.3f %12" PRIu64 " %12" PRIu64 "\n", "in all", stat->event_count,
	       100.0, per_million(stat, stat->event_count), sum(stat->weights.raw_bytes),
	       sum(stat->weights.stored_bytes));
}

static void print_exits(const struct trace_stat *stat)
{
	printf("\n  %-28s %10s %12s\n", "asynchronous exits", "events", "per second");
	for (int reason = 0; reason < TRACE_STAT_REASONS; reason++) {
		const char *text = event_text_exit_reason((uint64_t)reason);
		if (stat->exits[reason] > 0)
			printf("  %-28s %10" PRIu64 " %12.1f\n", text ? text : "other", stat->exits[reason],
			       per_second(stat, stat->exits[reason]));
	}
}

static void print_interrupts(const struct trace_stat *stat)
{
	char name[NAME_BYTES];
	printf("\n  %-28s %10s %12s\n", "interrupts", "injected", "per second");
	for (uint64_t intid = 0; intid < TRACE_STAT_INTIDS; intid++) {
		if (stat->interrupts[intid] == 0)
			continue;
		event_text_interrupt(intid, name, sizeof(name));
		printf("  %-28s %10" PRIu64 " %12.1f\n", name, stat->interrupts[intid],
		       per_second(stat, stat->interrupts[intid]));
	}
	if (stat->interrupts_other > 0)
		printf("  %-28s %10" PRIu64 "\n", "no such interrupt", stat->interrupts_other);
}

static void print_registers(const struct trace_stat *stat)
{
	char name[NAME_BYTES];
	printf("\n  %-28s %10s %12s\n", "device registers", "reads", "writes");
	for (size_t i = 0; i < stat->register_count && i < REGISTERS_PRINTED; i++) {
		const struct trace_stat_register *row = &stat->registers[i];
		event_text_address(row->ipa, name, sizeof(name));
		printf("  %-28s %10" PRIu64 " %12" PRIu64 "\n", name, row->read_count, row->write_count);
	}
	if (stat->register_count > REGISTERS_PRINTED)
		printf("  and %zu more\n", stat->register_count - REGISTERS_PRINTED);
	if (stat->register_other > 0)
		printf("  %-28s %10" PRIu64 " in all\n", "others, not told apart", stat->register_other);
}

static void print_text(const char *path, const struct trace_stat *stat)
{
	printf("trace     %s, %s\n", path, stat->complete ? "complete" : "incomplete: up to its last commit");
	printf("length    %" PRIu64 " instructions, %.9f s of guest time\n", stat->instructions,
	       (double)stat->guest_ns / 1e9);
	if (stat->start_n > 0)
		printf("start     n %" PRIu64 ", %.9f s of guest time: what was before has been left out\n",
		       stat->start_n, (double)stat->start_ns / 1e9);
	printf("idle      %.9f s of guest time, %.2f %%\n", (double)stat->idle_ns / 1e9,
	       100 * ratio(stat->idle_ns, stat->guest_ns));
	printf("events    %" PRIu64 ", %.3f per million instructions\n", stat->event_count,
	       per_million(stat, stat->event_count));
	printf("bytes     %" PRIu64 ": events %" PRIu64 ", files %" PRIu64 ", keyframes %" PRIu64
	       ", sqlite and the rest %" PRIu64 "\n",
	       stat->file_bytes, sum(stat->weights.stored_bytes), stat->totals.blob_stored_bytes,
	       stat->totals.keyframe_stored_bytes, rest_bytes(stat));
	printf("keyframes %" PRIu64 " with %" PRIu64 " pages: %" PRIu64 " bytes\n", stat->totals.keyframe_count,
	       stat->totals.page_count, stat->totals.keyframe_stored_bytes);
	print_kinds(stat);
	print_exits(stat);
	print_interrupts(stat);
	print_registers(stat);
}

static void json_kinds(const struct trace_stat *stat)
{
	fputs("  \"kinds\": [", stdout);
	for (int kind = 0; kind <= EVENT_KIND_MAX; kind++) {
		const char *name = event_text_kind((uint16_t)kind);
		printf("%s\n    {\"kind\": \"%s\", \"events\": %" PRIu64 ", \"raw_bytes\": %" PRIu64
		       ", \"stored_bytes\": %" PRIu64 "}",
		       kind > 0 ? "," : "", name ? name : "", stat->kinds[kind], stat->weights.raw_bytes[kind],
		       stat->weights.stored_bytes[kind]);
	}
	fputs("\n  ],\n", stdout);
}

static void json_exits(const struct trace_stat *stat)
{
	const char *separator = "";
	fputs("  \"exits\": [", stdout);
	for (int reason = 0; reason < TRACE_STAT_REASONS; reason++) {
		const char *text = event_text_exit_reason((uint64_t)reason);
		if (stat->exits[reason] == 0)
			continue;
		printf("%s\n    {\"reason\": \"%s\", \"events\": %" PRIu64 ", \"per_second\": %.3f}", separator,
		       text ? text : "other", stat->exits[reason], per_second(stat, stat->exits[reason]));
		separator = ",";
	}
	fputs("\n  ],\n", stdout);
}

static void json_interrupts(const struct trace_stat *stat)
{
	char name[NAME_BYTES];
	const char *separator = "";
	fputs("  \"interrupts\": [", stdout);
	for (uint64_t intid = 0; intid < TRACE_STAT_INTIDS; intid++) {
		if (stat->interrupts[intid] == 0)
			continue;
		event_text_interrupt(intid, name, sizeof(name));
		printf("%s\n    {\"intid\": %" PRIu64 ", \"name\": \"%s\", \"injected\": %" PRIu64
		       ", \"per_second\": %.3f}",
		       separator, intid, name, stat->interrupts[intid], per_second(stat, stat->interrupts[intid]));
		separator = ",";
	}
	printf("\n  ],\n  \"interrupts_other\": %" PRIu64 ",\n", stat->interrupts_other);
}

static void json_registers(const struct trace_stat *stat)
{
	char name[NAME_BYTES];
	fputs("  \"registers\": [", stdout);
	for (size_t i = 0; i < stat->register_count; i++) {
		const struct trace_stat_register *row = &stat->registers[i];
		event_text_address(row->ipa, name, sizeof(name));
		printf("%s\n    {\"address\": \"0x%" PRIx64 "\", \"name\": \"%s\", \"reads\": %" PRIu64
		       ", \"writes\": %" PRIu64 "}",
		       i > 0 ? "," : "", row->ipa, name, row->read_count, row->write_count);
	}
	printf("\n  ],\n  \"registers_other\": %" PRIu64 ",\n", stat->register_other);
}

static void print_json(const char *path, const struct trace_stat *stat)
{
	fputs("{\n  \"trace\": ", stdout);
	output_text_json(stdout, path);
	printf(",\n  \"start_n\": %" PRIu64 ",\n  \"start_ns\": %" PRIu64, stat->start_n, stat->start_ns);
	printf(",\n  \"instructions\": %" PRIu64 ",\n  \"guest_ns\": %" PRIu64 ",\n  \"idle_ns\": %" PRIu64
	       ",\n  \"idle_share\": %.9f,\n",
	       stat->instructions, stat->guest_ns, stat->idle_ns, ratio(stat->idle_ns, stat->guest_ns));
	printf("  \"event_count\": %" PRIu64 ",\n  \"events_per_million_instructions\": %.6f,\n", stat->event_count,
	       per_million(stat, stat->event_count));
	json_kinds(stat);
	json_exits(stat);
	json_interrupts(stat);
	json_registers(stat);
	printf("  \"keyframe_count\": %" PRIu64 ",\n  \"keyframe_pages\": %" PRIu64 ",\n", stat->totals.keyframe_count,
	       stat->totals.page_count);
	printf("  \"bytes\": {\"all\": %" PRIu64 ", \"events\": %" PRIu64 ", \"files\": %" PRIu64
	       ", \"keyframes\": %" PRIu64 ", \"rest\": %" PRIu64 "},\n  \"complete\": %s\n}\n",
	       stat->file_bytes, sum(stat->weights.stored_bytes), stat->totals.blob_stored_bytes,
	       stat->totals.keyframe_stored_bytes, rest_bytes(stat), stat->complete ? "true" : "false");
}

void stat_command(int argc, char **argv, struct error *error)
{
	struct trace_stat stat = {0};
	struct stat_options options = {.format = OUTPUT_TEXT};
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0)
		return;
	sandbox_enter(&(struct sandbox_files){.traces = {argv[first]}}, SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	struct trace_reader *trace = trace_open(argv[first], error);
	if (trace && trace_stat_get(trace, &stat, error)) {
		if (options.format == OUTPUT_JSON)
			print_json(argv[first], &stat);
		else
			print_text(argv[first], &stat);
		output_end(error);
	}
	trace_stat_free(&stat);
	trace_close(trace);
}
