/* hvrec info: what a trace holds, as text or JSON. */
#include "hv/abi/event_info.h"
#include "hv/host/sandbox.h"
#include "replay/trace/trace_stat.h"
#include "tools/commands.h"
#include "tools/info_devices.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct info_options {
	bool json;
};

static const struct option_row rows[] = {
	{"json", 0, NULL, "as one JSON object", options_flag, offsetof(struct info_options, json)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec info TRACE [--json]\n"
		"\n"
		"Prints the guest, its machine and devices, the length, events by kind, keyframes, bytes, and the "
		"final state's "
		"hash.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

struct info {
	char *kernel_name, *kernel_kind, *bootargs, *machine, *pace, *end_reason, *final_state_hash,
		*repair_reason; /* NULL: not known, or not repaired */
	uint64_t ram_bytes, vcpu_count, repair_lost_events;
	struct trace_stat stat;
};

static bool text_get(struct trace_reader *trace, enum trace_meta_text key, char **text, struct error *error)
{
	return trace_get_text(trace, key, text, error) != TRACE_FAILED;
}

static bool info_get(struct trace_reader *trace, struct info *info, struct error *error)
{
	return text_get(trace, TRACE_META_KERNEL_NAME, &info->kernel_name, error) &&
	       text_get(trace, TRACE_META_KERNEL_KIND, &info->kernel_kind, error) &&
	       text_get(trace, TRACE_META_BOOTARGS, &info->bootargs, error) &&
	       text_get(trace, TRACE_META_MACHINE, &info->machine, error) &&
	       text_get(trace, TRACE_META_PACE, &info->pace, error) &&
	       text_get(trace, TRACE_META_END_REASON, &info->end_reason, error) &&
	       text_get(trace, TRACE_META_FINAL_STATE_HASH, &info->final_state_hash, error) &&
	       text_get(trace, TRACE_META_REPAIR_REASON, &info->repair_reason, error) &&
	       trace_get_u64(trace, TRACE_META_REPAIR_LOST_EVENTS, &info->repair_lost_events, error) != TRACE_FAILED &&
	       trace_get_u64(trace, TRACE_META_RAM_BYTES, &info->ram_bytes, error) != TRACE_FAILED &&
	       trace_get_u64(trace, TRACE_META_VCPU_COUNT, &info->vcpu_count, error) != TRACE_FAILED &&
	       trace_stat_get(trace, &info->stat, error);
}

static void info_free(struct info *info)
{
	free(info->kernel_name);
	free(info->kernel_kind);
	free(info->bootargs);
	free(info->machine);
	free(info->pace);
	free(info->end_reason);
	free(info->final_state_hash);
	free(info->repair_reason);
	trace_stat_free(&info->stat);
}

static const char *or_unknown(const char *text)
{
	return text ? text : "unknown";
}

static void print_text(const char *path, const struct info *info)
{
	const struct trace_stat *stat = &info->stat;
	const struct trace_totals *totals = &stat->totals;
	double per_thousand = stat->instructions > 0 ? 1000.0 / (double)stat->instructions : 0;
	printf("trace         %s, %s\n", path,
	       stat->complete ? "complete" : "incomplete: replays up to its last commit");
	if (info->repair_reason)
		printf("repaired      %s; %" PRIu64 " events lost or more\n", info->repair_reason,
		       info->repair_lost_events);
	printf("guest         %s (%s)", or_unknown(info->kernel_name), or_unknown(info->kernel_kind));
	printf("%s%s\n", info->bootargs && *info->bootargs ? ", " : "", info->bootargs ? info->bootargs : "");
	printf("machine       %" PRIu64 " MiB, %" PRIu64 " vCPU%s, recorded on %s\n", info->ram_bytes >> 20,
	       info->vcpu_count, info->vcpu_count == 1 ? "" : "s", or_unknown(info->machine));
	info_devices_print(&stat->device_list);
	printf("length        %" PRIu64 " instructions, %.9f s of guest time\n", stat->instructions,
	       (double)stat->guest_ns / 1e9);
	if (info->pace)
		printf("idle time     %s\n", strcmp(info->pace, "real") == 0 ? "waited for" : "skipped");
	if (stat->start_n > 0)
		printf("start         at a keyframe at instruction %" PRIu64
		       ", %.9f s of guest time: what was before is left "
		       "out\n",
		       stat->start_n, (double)stat->start_ns / 1e9);
	printf("end           %s\n", or_unknown(info->end_reason));
	printf("final state   %s\n", or_unknown(info->final_state_hash));
	printf("events        %" PRIu64 " in %" PRIu64 " chunks: %" PRIu64 " bytes raw, %" PRIu64
	       " stored (%.4f and %.4f per 1000 instructions)\n",
	       stat->event_count, totals->chunk_count, totals->raw_bytes, totals->stored_bytes,
	       (double)totals->raw_bytes * per_thousand, (double)totals->stored_bytes * per_thousand);
	printf("keyframes     %" PRIu64 ": %" PRIu64 " pages (%" PRIu64 " bytes), %" PRIu64 " stored\n",
	       totals->keyframe_count, totals->page_count, totals->page_count * TRACE_PAGE_BYTES,
	       totals->keyframe_stored_bytes);
	printf("files         %" PRIu64 ": %" PRIu64 " bytes raw, %" PRIu64 " stored\n", totals->file_count,
	       totals->blob_raw_bytes, totals->blob_stored_bytes);
	if (totals->block_count > 0)
		printf("blocks        %" PRIu64 " of disks with %" PRIu64 " different contents: %" PRIu64 " stored\n",
		       totals->block_count, totals->block_content_count, totals->block_stored_bytes);
	if (totals->payload_count > 0)
		printf("payloads      %" PRIu64 " of packets and random bytes: %" PRIu64 " stored\n",
		       totals->payload_count, totals->payload_stored_bytes);
	for (unsigned kind = 1; kind <= EVENT_KIND_MAX; kind++) {
		if (stat->kinds[kind] > 0)
			printf("  %-16s %10" PRIu64 "  %s\n", event_info(kind)->name, stat->kinds[kind],
			       event_info(kind)->text);
	}
}

static void print_json(const char *path, const struct info *info, struct error *error)
{
	const struct trace_stat *stat = &info->stat;
	const struct trace_totals *totals = &stat->totals;
	struct json *json = json_new(stdout, JSON_INDENTED, error);
	json_object(json, NULL);
	json_text(json, "trace", path);
	json_text(json, "kernel_name", info->kernel_name);
	json_text(json, "kernel_kind", info->kernel_kind);
	json_text(json, "bootargs", info->bootargs);
	json_text(json, "machine", info->machine);
	json_text(json, "pace", info->pace);
	json_text(json, "end_reason", info->end_reason);
	json_text(json, "final_state_hash", info->final_state_hash);
	json_text(json, "repair_reason", info->repair_reason);
	json_number(json, "repair_lost_events", info->repair_lost_events);
	json_number(json, "ram_bytes", info->ram_bytes);
	json_number(json, "vcpu_count", info->vcpu_count);
	json_number(json, "start_n", stat->start_n);
	json_number(json, "start_ns", stat->start_ns);
	json_number(json, "instructions", stat->instructions);
	json_number(json, "guest_ns", stat->guest_ns);
	json_number(json, "event_count", stat->event_count);
	json_number(json, "chunk_count", totals->chunk_count);
	json_number(json, "raw_bytes", totals->raw_bytes);
	json_number(json, "stored_bytes", totals->stored_bytes);
	json_number(json, "file_raw_bytes", totals->blob_raw_bytes);
	json_number(json, "file_stored_bytes", totals->blob_stored_bytes);
	json_number(json, "keyframe_count", totals->keyframe_count);
	json_number(json, "keyframe_page_count", totals->page_count);
	json_number(json, "keyframe_raw_bytes", totals->page_count * TRACE_PAGE_BYTES);
	json_number(json, "keyframe_stored_bytes", totals->keyframe_stored_bytes);
	json_number(json, "block_count", totals->block_count);
	json_number(json, "block_content_count", totals->block_content_count);
	json_number(json, "block_stored_bytes", totals->block_stored_bytes);
	json_number(json, "payload_count", totals->payload_count);
	json_number(json, "payload_stored_bytes", totals->payload_stored_bytes);
	info_devices_json(&stat->device_list, json);
	json_object(json, "events");
	for (unsigned kind = 1; kind <= EVENT_KIND_MAX; kind++)
		json_number(json, event_info(kind)->name, stat->kinds[kind]);
	json_object_end(json);
	json_bool(json, "complete", stat->complete);
	json_object_end(json);
	json_free(json);
}

void info_command(int argc, char **argv, struct error *error)
{
	struct info info = {0};
	struct info_options options = {0};
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0)
		return;
	sandbox_enter(&(struct sandbox_files){.traces = {argv[first]}}, SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	struct trace_reader *trace = trace_open(argv[first], error);
	if (trace && info_get(trace, &info, error)) {
		if (options.json)
			print_json(argv[first], &info, error);
		else
			print_text(argv[first], &info);
		output_end(error);
	}
	info_free(&info);
	trace_close(trace);
}
