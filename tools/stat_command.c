/* hvrec stat: a trace in numbers, as text or JSON. */
#include "hv/host/sandbox.h"
#include "replay/trace/event_text.h"
#include "replay/trace/event_text_names.h"
#include "replay/trace/trace_stat.h"
#include "tools/commands.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/stat_devices.h"
#include "tools/stat_json.h"
#include "tools/stat_numbers.h"

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
		"Counts events by kind, exits by reason, interrupts and their rates, device registers, what disks and "
		"network "
		"cards moved, idle time, and the\n"
		"bytes that each of them takes; with several vCPUs what each of them did, and why their turns ended. "
		"Rates are\n"
		"by guest time. The text has the most used registers, JSON all.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

static void print_kind(const struct trace_stat *stat, const char *name, int kind)
{
	const uint64_t *raw = stat->weights.raw_bytes, *stored = stat->weights.stored_bytes;
	printf("  %-18s %10" PRIu64 " %6.2f %% %10.3f %12" PRIu64 " %12" PRIu64 "\n", name, stat->kinds[kind],
	       100 * stat_ratio(stat->kinds[kind], stat->event_count), stat_per_million(stat, stat->kinds[kind]),
	       raw[kind], stored[kind]);
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
	       100.0, stat_per_million(stat, stat->event_count), stat_sum(stat->weights.raw_bytes),
	       stat_sum(stat->weights.stored_bytes));
}

static void print_exits(const struct trace_stat *stat)
{
	printf("\n  %-28s %10s %12s\n", "asynchronous exits", "events", "per second");
	for (int reason = 0; reason < TRACE_STAT_REASONS; reason++) {
		const char *text = event_text_exit_reason((uint64_t)reason);
		if (stat->exits[reason] > 0)
			printf("  %-28s %10" PRIu64 " %12.1f\n", text ? text : "other", stat->exits[reason],
			       stat_per_second(stat, stat->exits[reason]));
	}
}

static void print_interrupts(const struct trace_stat *stat)
{
	char name[NAME_BYTES];
	printf("\n  %-28s %10s %12s", "interrupts", "injected", "per second");
	for (uint32_t i = 0; stat->vcpus.count > 1 && i < stat->vcpus.count; i++)
		printf("     vCPU %" PRIu32, i);
	putchar('\n');
	for (uint64_t intid = 0; intid < TRACE_STAT_INTIDS; intid++) {
		if (stat->interrupts[intid] == 0)
			continue;
		event_text_interrupt(intid, name, sizeof(name));
		printf("  %-28s %10" PRIu64 " %12.1f", name, stat->interrupts[intid],
		       stat_per_second(stat, stat->interrupts[intid]));
		for (uint32_t i = 0; stat->vcpus.count > 1 && i < stat->vcpus.count; i++)
			printf(" %10" PRIu64, stat->interrupts_of[intid][i]);
		putchar('\n');
	}
	if (stat->interrupts_other > 0)
		printf("  %-28s %10" PRIu64 "\n", "no such interrupt", stat->interrupts_other);
}

static uint64_t switch_count(const struct trace_stat *stat, int reason)
{
	uint64_t count = 0;
	for (uint32_t i = 0; i < stat->vcpus.count; i++)
		count += stat->vcpus.at[i].ends[reason];
	return count;
}

/* What each did with the guest time, and why its turns ended. */
static void print_vcpus(const struct trace_stat *stat)
{
	printf("\n  %-6s %14s %8s %10s %10s %10s %8s %10s %10s\n", "vCPU", "instructions", "ran", "waits", "ready",
	       "off", "turns", "interrupts", "events");
	for (uint32_t i = 0; i < stat->vcpus.count; i++) {
		const struct trace_stat_vcpu *vcpu = &stat->vcpus.at[i];
		printf("  %-6" PRIu32 " %14" PRIu64 " %6.2f %% %8.2f %% %8.2f %% %8.2f %% %8" PRIu64 " %10" PRIu64
		       " %10" PRIu64 "\n",
		       i, vcpu->instructions, 100 * stat_ratio(vcpu->instructions, stat->guest_ns),
		       100 * stat_ratio(vcpu->waits_ns, stat->guest_ns),
		       100 * stat_ratio(vcpu->ready_ns, stat->guest_ns), 100 * stat_ratio(vcpu->off_ns, stat->guest_ns),
		       vcpu->turns, vcpu->interrupts, vcpu->event_count);
	}
}

static void print_switches(const struct trace_stat *stat)
{
	printf("\n  %-28s %10s %12s", "switches", "events", "per second");
	for (uint32_t i = 0; i < stat->vcpus.count; i++)
		printf("     vCPU %" PRIu32, i);
	putchar('\n');
	for (int reason = 0; reason < SWITCH_REASON_COUNT; reason++) {
		const char *text = event_text_switch_reason((uint64_t)reason);
		uint64_t count = switch_count(stat, reason);
		if (count == 0)
			continue;
		printf("  %-28s %10" PRIu64 " %12.1f", text ? text : "other", count, stat_per_second(stat, count));
		for (uint32_t i = 0; i < stat->vcpus.count; i++)
			printf(" %10" PRIu64, stat->vcpus.at[i].ends[reason]);
		putchar('\n');
	}
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
		printf("  %-28s %10" PRIu64 " in all\n", "others, not counted one by one", stat->register_other);
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
	       100 * stat_ratio(stat->idle_ns, stat->guest_ns));
	printf("events    %" PRIu64 ", %.3f per million instructions\n", stat->event_count,
	       stat_per_million(stat, stat->event_count));
	printf("bytes     %" PRIu64 ": events %" PRIu64 ", files %" PRIu64 ", keyframes %" PRIu64
	       ", sqlite and the rest %" PRIu64 "\n",
	       stat->file_bytes, stat_sum(stat->weights.stored_bytes), stat->totals.blob_stored_bytes,
	       stat->totals.keyframe_stored_bytes, stat_rest_bytes(stat));
	printf("keyframes %" PRIu64 " with %" PRIu64 " pages: %" PRIu64 " bytes\n", stat->totals.keyframe_count,
	       stat->totals.page_count, stat->totals.keyframe_stored_bytes);
	stat_devices_print_bytes(stat);
	print_kinds(stat);
	if (stat->vcpus.count > 1) {
		print_vcpus(stat);
		print_switches(stat);
	}
	print_exits(stat);
	print_interrupts(stat);
	stat_devices_print(stat);
	print_registers(stat);
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
			stat_json_print(argv[first], &stat, error);
		else
			print_text(argv[first], &stat);
		output_end(error);
	}
	trace_stat_free(&stat);
	trace_close(trace);
}
