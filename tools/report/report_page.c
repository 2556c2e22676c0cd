/* The passes over the trace in their order, and the parts of the page in theirs.
 *
 * The parts of the page are files beside this one, assembled in as they are. A line of the template that is just
 * {{name}} gives place to the part of that name. */
#include "tools/report/report_page.h"
#include "hv/abi/event_info.h"
#include "tools/commands.h"
#include "tools/report/report_console.h"
#include "tools/report/report_devices.h"
#include "tools/report/report_events.h"
#include "tools/report/report_hot.h"
#include "tools/report/report_keyframes.h"
#include "tools/report/report_vcpus.h"

#include <stdlib.h>
#include <string.h>

#define PART(name, file)                                                                                               \
	extern const char report_page_##name[], report_page_##name##_end[];                                            \
	__asm__(".pushsection .rodata\n"                                                                               \
		"report_page_" #name ": .incbin \"tools/report/" file "\"\n"                                           \
		"report_page_" #name "_end: .byte 0\n"                                                                 \
		".popsection\n")
PART(page, "report.html");
PART(style, "report.css");
PART(data, "report_data.js");
PART(lanes, "report_lanes.js");
PART(timeline, "report_timeline.js");
PART(pointer, "report_pointer.js");
PART(console, "report_console.js");
PART(tables, "report_tables.js");

struct report {
	struct report_facts facts;
	struct report_bins *bins;
	struct report_console *console;
	struct report_events *events;
	struct report_keyframes keyframes;
	struct report_hot hot;
	struct report_vcpus *vcpus;
	struct report_devices *devices;
};

/* The second pass: all that needs the length of the run. */
static bool add_to_sums(void *context, const struct event *event, const struct report_place *place, struct error *error)
{
	struct report *report = context;
	report_bins_add(report->bins, event, place);
	report_keyframes_add(&report->keyframes, place);
	report_vcpus_add(report->vcpus, event, place);
	report_devices_add(report->devices, event, place);
	return report_console_add(report->console, event, place, error) && report_hot_add(&report->hot, event, error);
}

/* The third pass: what needs the bins. */
static bool add_to_events(void *context, const struct event *event, const struct report_place *place,
			  struct error *error)
{
	struct report *report = context;
	return report_events_add(report->events, event, place, error);
}

static bool gather(struct trace_reader *trace, struct report *report, struct error *error)
{
	struct report_facts *facts = &report->facts;
	if (!report_scan_facts(trace, facts, error))
		return false;
	report->bins = report_bins_new(facts->instructions + facts->idle_ns, error);
	report->console = report_console_new(facts->console_bytes, facts->console_lines, error);
	report->vcpus = report->bins ? report_vcpus_new(facts, report->bins, error) : NULL;
	if (report->vcpus)
		report->devices = report_devices_new(&facts->devices, report->bins, error);
	if (!report->devices || !report->console || !report_keyframes_get(&report->keyframes, trace, error) ||
	    !report_scan_events(trace, facts->event_count, add_to_sums, report, error))
		return false;
	report_vcpus_end(report->vcpus, facts->instructions);
	report->events = report_events_new(facts, report->bins, report->hot.names, error);
	return report->events && report_scan_events(trace, facts->event_count, add_to_events, report, error);
}

static void facts_json(const struct report_facts *facts, const char *name, struct json *json)
{
	json_object(json, "facts");
	json_text(json, "trace", name);
	json_text(json, "version", HVREC_VERSION);
	json_text(json, "kernel_name", facts->kernel_name);
	json_text(json, "kernel_kind", facts->kernel_kind);
	json_text(json, "bootargs", facts->bootargs);
	json_text(json, "machine", facts->machine);
	json_text(json, "end_reason", facts->end_reason);
	json_text(json, "final_state_hash", facts->final_state_hash);
	json_bool(json, "complete", facts->complete);
	json_number(json, "ram_bytes", facts->ram_bytes);
	json_number(json, "vcpu_count", facts->vcpu_count);
	json_number(json, "event_count", facts->event_count - facts->first_event);
	json_number(json, "instructions", facts->instructions);
	json_number(json, "idle_ns", facts->idle_ns);
	json_number(json, "start_n", facts->start_n);
	json_number(json, "start_ns", facts->start_ns);
	json_object_end(json);
}

/* [name, words, class, count, first n] of every kind; the first is for kinds that do not exist. */
static void kinds_json(const struct report_facts *facts, struct json *json)
{
	static const char *const classes[] = {
		[EVENT_CLASS_TRAP] = "TRAP", [EVENT_CLASS_STOP] = "STOP", [EVENT_CLASS_NOTE] = "NOTE"};
	json_array(json, "kinds");
	for (unsigned kind = 0; kind <= EVENT_KIND_MAX; kind++) {
		const struct event_info *info = event_info(kind);
		json_array(json, NULL);
		json_text(json, NULL, kind == 0 ? "UNKNOWN" : info->name);
		json_text(json, NULL, kind == 0 ? "of a kind that this hvrec does not know" : info->text);
		json_text(json, NULL, kind == 0 ? "NOTE" : classes[info->class]);
		json_number(json, NULL, facts->counts[kind]);
		json_number(json, NULL, facts->first_n[kind]);
		json_array_end(json);
	}
	json_array_end(json);
}

static void data_json(const struct report *report, const char *name, struct json *json)
{
	json_object(json, NULL);
	facts_json(&report->facts, name, json);
	json_break(json);
	kinds_json(&report->facts, json);
	json_break(json);
	report_bins_json(report->bins, json);
	json_break(json);
	report_events_json(report->events, json);
	json_break(json);
	report_keyframes_json(&report->keyframes, json);
	json_break(json);
	report_hot_json(&report->hot, json);
	json_break(json);
	report_vcpus_json(report->vcpus, json);
	json_break(json);
	report_devices_json(report->devices, json);
	json_break(json);
	report_console_json(report->console, json);
	json_object_end(json);
	json_break(json);
}

static void page_parts(const struct report *report, const char *name, struct json *json, FILE *out)
{
	static const struct {
		const char *line, *text, *end; /* without a text: the data */
	} parts[] = {{"{{style}}\n", report_page_style, report_page_style_end},
		     {"{{data}}\n", NULL, NULL},
		     {"{{script}}\n", report_page_data, report_page_data_end},
		     {"{{lanes}}\n", report_page_lanes, report_page_lanes_end},
		     {"{{timeline}}\n", report_page_timeline, report_page_timeline_end},
		     {"{{pointer}}\n", report_page_pointer, report_page_pointer_end},
		     {"{{console}}\n", report_page_console, report_page_console_end},
		     {"{{tables}}\n", report_page_tables, report_page_tables_end}};
	const char *at = report_page_page;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *place = strstr(at, parts[i].line);
		fwrite(at, 1, (size_t)(place - at), out);
		if (parts[i].text)
			fwrite(parts[i].text, 1, (size_t)(parts[i].end - parts[i].text), out);
		else
			data_json(report, name, json);
		at = place + strlen(parts[i].line);
	}
	fwrite(at, 1, (size_t)(report_page_page_end - at), out);
}

bool report_page_write(struct trace_reader *trace, const char *name, const struct symbols *names, FILE *out,
		       struct error *error)
{
	struct report report = {.hot = {.names = names}};
	struct json *json = json_new(out, JSON_SCRIPT, error);
	bool good = json && gather(trace, &report, error);
	if (good)
		page_parts(&report, name, json, out);
	json_free(json);
	report_events_free(report.events);
	report_console_free(report.console);
	report_hot_free(&report.hot);
	report_keyframes_free(&report.keyframes);
	free(report.vcpus);
	free(report.devices);
	free(report.bins);
	report_scan_free(&report.facts);
	return good && error->status == STATUS_OK;
}
