/* Each SWITCH changes what two vCPUs do, each IDLE what one does, twice. */
#include "tools/report/report_vcpus.h"
#include "hv/abi/event_info.h"
#include "replay/trace/event_text_names.h"

#include <stdlib.h>

struct report_vcpus *report_vcpus_new(const struct report_facts *facts, const struct report_bins *bins,
				      struct error *error)
{
	struct report_vcpus *vcpus = calloc(1, sizeof(*vcpus));
	if (!vcpus)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	trace_stat_vcpus_begin(&vcpus->stat, facts->vcpu_count, facts->start_n, facts->start_ns);
	vcpus->bins = bins;
	vcpus->idle_ns = facts->start_ns - facts->start_n;
	for (uint32_t i = 0; i < vcpus->stat.count; i++)
		vcpus->last[i].ns = facts->start_ns;
	return vcpus;
}

static void change(struct report_vcpus *vcpus, uint32_t vcpu, enum report_doing doing, uint64_t ns)
{
	struct report_change *last = &vcpus->last[vcpu];
	report_bins_spread(vcpus->bins, vcpus->ns[vcpu][last->doing], last->ns, ns - last->ns);
	*last = (struct report_change){ns, vcpu, doing};
	if (vcpus->change_count < REPORT_CHANGES_MAX)
		vcpus->changes[vcpus->change_count] = *last;
	vcpus->change_count++;
}

static enum report_doing doing_after(uint64_t reason)
{
	switch (reason) {
	case SWITCH_REASON_WAITS:
		return REPORT_WAITS;
	case SWITCH_REASON_OFF:
		return REPORT_OFF;
	default:
		return REPORT_READY;
	}
}

void report_vcpus_add(struct report_vcpus *vcpus, const struct event *event, const struct report_place *place)
{
	uint64_t ns = event->n + place->idle_ns;
	vcpus->idle_ns = place->idle_ns + event_idle_ns(event);
	if (!vcpus->stat.is_begun && event->vcpu < vcpus->stat.count)
		change(vcpus, event->vcpu, REPORT_RUNS, vcpus->last[event->vcpu].ns);
	trace_stat_vcpus_add(&vcpus->stat, event);
	if (event->vcpu >= vcpus->stat.count)
		return;
	if (event_idle_ns(event) > 0) {
		change(vcpus, event->vcpu, REPORT_WAITS, ns);
		change(vcpus, event->vcpu, REPORT_RUNS, ns + event_idle_ns(event));
	}
	if (event->kind == EVENT_SWITCH && event->address < vcpus->stat.count) {
		change(vcpus, event->vcpu, doing_after(event->value), ns);
		change(vcpus, (uint32_t)event->address, REPORT_RUNS, ns);
	}
}

void report_vcpus_end(struct report_vcpus *vcpus, uint64_t n)
{
	n = n > vcpus->stat.turn_n ? n : vcpus->stat.turn_n;
	trace_stat_vcpus_end(&vcpus->stat, n);
	for (uint32_t i = 0; i < vcpus->stat.count; i++)
		change(vcpus, i, REPORT_OFF, n + vcpus->idle_ns);
}

/* [gap in ns, vCPU, what it does, …] */
static void changes_json(const struct report_vcpus *vcpus, struct json *json)
{
	uint64_t last_ns = 0;
	if (vcpus->change_count > REPORT_CHANGES_MAX) {
		json_text(json, "changes", NULL);
		return;
	}
	json_array(json, "changes");
	for (size_t i = 0; i < vcpus->change_count; i++) {
		json_number(json, NULL, vcpus->changes[i].ns - last_ns);
		json_number(json, NULL, vcpus->changes[i].vcpu);
		json_number(json, NULL, (uint64_t)vcpus->changes[i].doing);
		last_ns = vcpus->changes[i].ns;
	}
	json_array_end(json);
}

static void row_json(const struct trace_stat_vcpu *vcpu, struct json *json)
{
	json_object(json, NULL);
	json_number(json, "runs", vcpu->instructions);
	json_number(json, "ready", vcpu->ready_ns);
	json_number(json, "waits", vcpu->waits_ns);
	json_number(json, "off", vcpu->off_ns);
	json_number(json, "turns", vcpu->turns);
	json_number(json, "interrupts", vcpu->interrupts);
	json_object_end(json);
}

/* [reason, how often] */
static void switches_json(const struct report_vcpus *vcpus, struct json *json)
{
	json_array(json, "switches");
	for (int reason = 0; reason < SWITCH_REASON_COUNT; reason++) {
		const char *text = event_text_switch_reason((uint64_t)reason);
		uint64_t count = 0;
		for (uint32_t i = 0; i < vcpus->stat.count; i++)
			count += vcpus->stat.at[i].ends[reason];
		if (count == 0)
			continue;
		json_array(json, NULL);
		json_text(json, NULL, text ? text : "another reason");
		json_number(json, NULL, count);
		json_array_end(json);
	}
	json_array_end(json);
}

void report_vcpus_json(const struct report_vcpus *vcpus, struct json *json)
{
	if (vcpus->stat.count <= 1) {
		json_text(json, "vcpus", NULL);
		return;
	}
	json_object(json, "vcpus");
	json_array(json, "rows");
	for (uint32_t i = 0; i < vcpus->stat.count; i++)
		row_json(&vcpus->stat.at[i], json);
	json_array_end(json);
	switches_json(vcpus, json);
	json_break(json);
	json_array(json, "series"); /* of each vCPU: waits, ready, runs */
	for (uint32_t i = 0; i < vcpus->stat.count; i++) {
		json_array(json, NULL);
		for (int doing = REPORT_WAITS; doing < REPORT_DOING_COUNT; doing++)
			report_bins_sparse_json(vcpus->ns[i][doing], NULL, json);
		json_array_end(json);
		json_break(json);
	}
	json_array_end(json);
	changes_json(vcpus, json);
	json_object_end(json);
}
