/* Every number that the text has, and those that it leaves out. */
#include "tools/stat_json.h"
#include "replay/trace/event_text.h"
#include "replay/trace/event_text_names.h"
#include "tools/json.h"
#include "tools/stat_numbers.h"

#include <stdio.h>

enum { NAME_BYTES = 96 };

/* A document of members, and in its arrays a row a line. */
struct document {
	struct json *members, *rows;
	bool any; /* the array at hand has a row */
};

static void rows_begin(struct document *document, const char *key)
{
	json_array(document->members, key);
	document->any = false;
}

static void row_begin(struct document *document)
{
	json_next(document->rows, document->any ? ",\n    " : "    ");
	json_object(document->rows, NULL);
	document->any = true;
}

static void json_kinds(struct document *document, const struct trace_stat *stat)
{
	rows_begin(document, "kinds");
	for (int kind = 0; kind <= EVENT_KIND_MAX; kind++) {
		const char *name = event_text_kind((uint16_t)kind);
		row_begin(document);
		json_text(document->rows, "kind", name ? name : "");
		json_number(document->rows, "events", stat->kinds[kind]);
		json_number(document->rows, "raw_bytes", stat->weights.raw_bytes[kind]);
		json_number(document->rows, "stored_bytes", stat->weights.stored_bytes[kind]);
		json_object_end(document->rows);
	}
	json_array_end(document->members);
}

static void json_exits(struct document *document, const struct trace_stat *stat)
{
	rows_begin(document, "exits");
	for (int reason = 0; reason < TRACE_STAT_REASONS; reason++) {
		const char *text = event_text_exit_reason((uint64_t)reason);
		if (stat->exits[reason] == 0)
			continue;
		row_begin(document);
		json_text(document->rows, "reason", text ? text : "other");
		json_number(document->rows, "events", stat->exits[reason]);
		json_spelled(document->rows, "per_second", "%.3f", stat_per_second(stat, stat->exits[reason]));
		json_object_end(document->rows);
	}
	json_array_end(document->members);
}

static void json_interrupts(struct document *document, const struct trace_stat *stat)
{
	char name[NAME_BYTES];
	rows_begin(document, "interrupts");
	for (uint64_t intid = 0; intid < TRACE_STAT_INTIDS; intid++) {
		if (stat->interrupts[intid] == 0)
			continue;
		event_text_interrupt(intid, name, sizeof(name));
		row_begin(document);
		json_number(document->rows, "intid", intid);
		json_text(document->rows, "name", name);
		json_number(document->rows, "injected", stat->interrupts[intid]);
		json_spelled(document->rows, "per_second", "%.3f", stat_per_second(stat, stat->interrupts[intid]));
		json_array(document->rows, "by_vcpu");
		for (uint32_t i = 0; i < stat->vcpus.count; i++)
			json_number(document->rows, NULL, stat->interrupts_of[intid][i]);
		json_array_end(document->rows);
		json_object_end(document->rows);
	}
	json_array_end(document->members);
	json_number(document->members, "interrupts_other", stat->interrupts_other);
}

static void json_switches(struct json *json, const struct trace_stat_vcpu *vcpu)
{
	json_object(json, "switches");
	for (int reason = 0; reason < SWITCH_REASON_COUNT; reason++) {
		const char *text = event_text_switch_reason((uint64_t)reason);
		if (vcpu->ends[reason] > 0)
			json_number(json, text ? text : "other", vcpu->ends[reason]);
	}
	json_object_end(json);
}

static void json_vcpus(struct document *document, const struct trace_stat *stat)
{
	rows_begin(document, "vcpus");
	for (uint32_t i = 0; i < stat->vcpus.count; i++) {
		const struct trace_stat_vcpu *vcpu = &stat->vcpus.at[i];
		row_begin(document);
		json_number(document->rows, "vcpu", i);
		json_number(document->rows, "instructions", vcpu->instructions);
		json_number(document->rows, "waits_ns", vcpu->waits_ns);
		json_number(document->rows, "ready_ns", vcpu->ready_ns);
		json_number(document->rows, "off_ns", vcpu->off_ns);
		json_number(document->rows, "turns", vcpu->turns);
		json_number(document->rows, "interrupts", vcpu->interrupts);
		json_number(document->rows, "events", vcpu->event_count);
		json_switches(document->rows, vcpu);
		json_object_end(document->rows);
	}
	json_array_end(document->members);
}

static void json_registers(struct document *document, const struct trace_stat *stat)
{
	char name[NAME_BYTES];
	rows_begin(document, "registers");
	for (size_t i = 0; i < stat->register_count; i++) {
		const struct trace_stat_register *row = &stat->registers[i];
		event_text_address(row->ipa, name, sizeof(name));
		row_begin(document);
		json_hex(document->rows, "address", row->ipa);
		json_text(document->rows, "name", name);
		json_number(document->rows, "reads", row->read_count);
		json_number(document->rows, "writes", row->write_count);
		json_object_end(document->rows);
	}
	json_array_end(document->members);
	json_number(document->members, "registers_other", stat->register_other);
}

static void json_flow(struct json *json, const char *count, const char *bytes, const struct trace_stat_flow *flow)
{
	json_number(json, count, flow->count);
	json_number(json, bytes, flow->bytes);
}

static void json_disk(struct json *json, const struct trace_stat_device *disk)
{
	json_text(json, "type", "disk");
	json_flow(json, "reads", "read_bytes", &disk->in);
	json_flow(json, "writes", "written_bytes", &disk->out);
	json_flow(json, "zeroes", "zeroed_bytes", &disk->zeroed);
	json_number(json, "flushes", disk->flush_count);
	json_number(json, "errors", disk->error_count);
}

static void json_device(struct json *json, enum virtio_type type, const struct trace_stat_device *device)
{
	if (type == VIRTIO_TYPE_BLOCK) {
		json_disk(json, device);
	} else if (type == VIRTIO_TYPE_NET) {
		json_text(json, "type", "net");
		json_flow(json, "packets_in", "bytes_in", &device->in);
		json_flow(json, "packets_out", "bytes_out", &device->out);
	} else {
		json_text(json, "type", "rng");
		json_flow(json, "requests", "bytes", &device->in);
	}
}

static void json_devices(struct document *document, const struct trace_stat *stat)
{
	char name[VIRTIO_NAME_BYTES];
	rows_begin(document, "devices");
	for (unsigned i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		if (stat->device_list.device[i].type == VIRTIO_TYPE_NONE)
			continue;
		virtio_list_name(&stat->device_list, i, name);
		row_begin(document);
		json_text(document->rows, "name", name);
		json_number(document->rows, "transport", i);
		json_device(document->rows, (enum virtio_type)stat->device_list.device[i].type, &stat->devices.at[i]);
		json_object_end(document->rows);
	}
	json_array_end(document->members);
}

void stat_json_print(const char *path, const struct trace_stat *stat, struct error *error)
{
	struct document document = {.members = json_new(stdout, JSON_INDENTED, error),
				    .rows = json_new(stdout, JSON_COMPACT, error)};
	struct json *json = document.members;
	json_object(json, NULL);
	json_text(json, "trace", path);
	json_number(json, "start_n", stat->start_n);
	json_number(json, "start_ns", stat->start_ns);
	json_number(json, "instructions", stat->instructions);
	json_number(json, "guest_ns", stat->guest_ns);
	json_number(json, "idle_ns", stat->idle_ns);
	json_spelled(json, "idle_share", "%.9f", stat_ratio(stat->idle_ns, stat->guest_ns));
	json_number(json, "event_count", stat->event_count);
	json_spelled(json, "events_per_million_instructions", "%.6f", stat_per_million(stat, stat->event_count));
	json_kinds(&document, stat);
	json_vcpus(&document, stat);
	json_exits(&document, stat);
	json_interrupts(&document, stat);
	json_registers(&document, stat);
	json_devices(&document, stat);
	json_number(json, "keyframe_count", stat->totals.keyframe_count);
	json_number(json, "keyframe_pages", stat->totals.page_count);
	json_number(json, "block_versions", stat->totals.block_count);
	json_number(json, "block_contents", stat->totals.block_content_count);
	json_number(json, "payload_count", stat->totals.payload_count);
	json_object(json, "bytes");
	json_number(json, "all", stat->file_bytes);
	json_number(json, "events", stat_sum(stat->weights.stored_bytes));
	json_number(json, "files", stat->totals.blob_stored_bytes);
	json_number(json, "keyframes", stat->totals.keyframe_stored_bytes);
	json_number(json, "blocks", stat->totals.block_stored_bytes);
	json_number(json, "payloads", stat->totals.payload_stored_bytes);
	json_number(json, "rest", stat_rest_bytes(stat));
	json_object_end(json);
	json_bool(json, "complete", stat->complete);
	json_object_end(json);
	json_free(document.rows);
	json_free(json);
}
