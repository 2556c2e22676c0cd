/* hvrec events: a trace's events, decoded, as a table, one JSON object a line, or CSV.
 * Streams: memory does not grow with the trace, and nothing before --from is read. */
#include "hv/abi/types.h"
#include "hv/host/sandbox.h"
#include "replay/trace/event_filter.h"
#include "replay/trace/event_stream.h"
#include "replay/trace/event_text.h"
#include "replay/trace/metadata.h"
#include "replay/trace/numbers.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/output_csv.h"

#include <inttypes.h>
#include <stdio.h>

struct options {
	struct event_filter filter;
	const char *address; /* NULL: any */
	uint64_t limit;
	enum output_format format;
};

static bool number_take(const char *option, const char *text, void *into, struct error *error)
{
	return numbers_count(text, into) ||
	       error_set(error, STATUS_FAILED, "%s %s is not a number, such as 1500000, 1_500_000, 10M or 0x1000",
			 option, text);
}

static bool vcpu_take(const char *option, const char *text, void *into, struct error *error)
{
	struct event_filter *filter = into;
	filter->by_vcpu = true;
	return number_take(option, text, &filter->vcpu, error);
}

static bool kind_take(const char *option, const char *text, void *into, struct error *error)
{
	return event_filter_add(into, text) ||
	       error_set(error, STATUS_FAILED, "%s %s is no kind of event; see `hvrec events --help`", option, text);
}

/* An address may be the name of a disk, which the trace knows. */
static bool address_get(struct options *options, const struct virtio_list *devices, struct error *error)
{
	return !options->address || event_filter_address(&options->filter, devices, options->address) ||
	       error_set(error, STATUS_FAILED,
			 "--address %s is neither an address, FROM..TO, nor one of uart, rtc, gicd, gicr, virtio, "
			 "nor a disk of this trace",
			 options->address);
}

#define AT(field) offsetof(struct options, field)
static const struct option_row rows[] = {
	{"kind", 0, "KIND",
	 "only this kind; several times: any of them. A kind is a name that `hvrec info` prints, or irq, mmio, "
	 "exception, console, disk, net, rng",
	 kind_take, AT(filter)},
	{"from", 0, "N", "from this position on: 1500000, 1_500_000, 10M, 0x1000", number_take, AT(filter.from_n)},
	{"to", 0, "N", "up to this position", number_take, AT(filter.to_n)},
	{"vcpu", 0, "V", "only of this vCPU", vcpu_take, AT(filter)},
	{"address", 0, "RANGE",
	 "only of this guest physical address, FROM..TO, or device: uart, rtc, gicd, gicr, virtio, virtio3, or a "
	 "disk's name; with "
	 "--kind irq alone: of an interrupt (INTID)",
	 options_text, AT(address)},
	{"limit", 0, "COUNT", "at most so many", number_take, AT(limit)},
	{"format", 0, "FORMAT", "text (the default), json (one object a line), csv (RFC 4180)", output_format_csv,
	 AT(format)},
	{0},
};
#undef AT

static const struct command_options command_options = {
	.head = "usage: hvrec events TRACE [OPTIONS]\n"
		"\n"
		"Prints each event: its number, position, guest time, vCPU, pc, and what it was.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = 1,
	.arguments = "one TRACE",
};

static void print_row(const struct event_at *at, const struct virtio_list *devices, size_t width)
{
	char meaning[EVENT_TEXT_BYTES], row[EVENT_TEXT_BYTES + 128];
	event_text_meaning(&at->event, devices, meaning, sizeof(meaning));
	int length = snprintf(row, sizeof(row),
			      "%10" PRIu64 " %14" PRIu64 " %5" PRIu64 ".%09" PRIu64 " %4u  %016" PRIx64 "  %s",
			      at->index, at->event.n, at->guest_ns / NS_PER_S, at->guest_ns % NS_PER_S, at->event.vcpu,
			      at->event.pc, meaning);
	if (width > 0 && (size_t)length > width)
		row[width] = 0;
	puts(row);
}

/* Values of all 64 bits are hexadecimal texts: many readers of JSON keep 53 bits of a number. */
static void print_json(struct json *json, const struct virtio_list *devices, const struct event_at *at)
{
	const struct event *event = &at->event;
	char text[EVENT_TEXT_BYTES];
	const char *kind = event_text_kind(event->kind);
	json_object(json, NULL);
	json_number(json, "event", at->index);
	json_number(json, "n", event->n);
	json_number(json, "guest_ns", at->guest_ns);
	json_number(json, "vcpu", event->vcpu);
	json_hex(json, "pc", event->pc);
	json_text(json, "kind", kind ? kind : "");
	json_number(json, "kind_id", event->kind);
	event_text_name(event, devices, text, sizeof(text));
	json_text(json, "name", text);
	json_hex(json, "address", event->address);
	json_hex(json, "value", event->value);
	json_number(json, "size", event->size);
	event_text_details(event, devices, text, sizeof(text));
	json_text(json, "meaning", text);
	json_object_end(json);
	json_next(json, "\n");
}

static void print_csv(const struct event_at *at, const struct virtio_list *devices)
{
	const struct event *event = &at->event;
	char text[EVENT_TEXT_BYTES];
	const char *kind = event_text_kind(event->kind);
	printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u,0x%" PRIx64 ",%s,%u,", at->index, event->n, at->guest_ns,
	       event->vcpu, event->pc, kind ? kind : "", event->kind);
	event_text_name(event, devices, text, sizeof(text));
	output_csv_field(stdout, text);
	printf(",0x%" PRIx64 ",0x%" PRIx64 ",%u,", event->address, event->value, event->size);
	event_text_details(event, devices, text, sizeof(text));
	output_csv_field(stdout, text);
	fputs("\r\n", stdout);
}

/* Where events are printed, and how. */
struct printer {
	enum output_format format;
	size_t width;      /* of the terminal; 0: there is none */
	struct json *json; /* NULL: another format */
	struct virtio_list devices;
};

static void print_header(const struct printer *printer)
{
	char row[128];
	int length = snprintf(row, sizeof(row), "%10s %14s %15s %4s  %-16s  %s", "event", "n", "guest time, s", "vcpu",
			      "pc", "what");
	if (printer->width > 0 && (size_t)length > printer->width)
		row[printer->width] = 0;
	if (printer->format == OUTPUT_TEXT)
		puts(row);
	else if (printer->format == OUTPUT_CSV)
		fputs("event,n,guest_ns,vcpu,pc,kind,kind_id,name,address,value,size,meaning\r\n", stdout);
}

static void print_event(const struct printer *printer, const struct event_at *at)
{
	if (printer->format == OUTPUT_JSON)
		print_json(printer->json, &printer->devices, at);
	else if (printer->format == OUTPUT_CSV)
		print_csv(at, &printer->devices);
	else
		print_row(at, &printer->devices, printer->width);
}

static void print_all(struct event_stream *stream, const struct options *options, const struct printer *printer,
		      struct error *error)
{
	struct event_at at;
	print_header(printer);
	uint64_t left = options->limit;
	while (left > 0 && output_good() && event_stream_next(stream, &at, error)) {
		if (at.event.n > options->filter.to_n)
			break;
		if (event_filter_wants(&options->filter, &at.event)) {
			print_event(printer, &at);
			left--;
		}
	}
}

static void print_events(struct trace_reader *trace, struct options *options, struct error *error)
{
	struct printer printer = {.format = options->format, .width = output_width()};
	if (!metadata_devices(trace, &printer.devices, error) || !address_get(options, &printer.devices, error))
		return;
	struct event_stream *stream = event_stream_open(trace_seek_n(trace, options->filter.from_n, error), error);
	if (options->format == OUTPUT_JSON)
		printer.json = json_new(stdout, JSON_COMPACT, error);
	if (stream && error->status == STATUS_OK)
		print_all(stream, options, &printer, error);
	json_free(printer.json);
	event_stream_free(stream);
	output_end(error);
}

void events_command(int argc, char **argv, struct error *error)
{
	struct options options = {.filter = event_filter_all, .limit = UINT64_MAX};
	int first = options_parse(&command_options, argc, argv, &options, error);
	if (first == 0)
		return;
	if (options.filter.from_n > options.filter.to_n) {
		error_set(error, STATUS_FAILED, "--from is after --to");
		return;
	}
	sandbox_enter(&(struct sandbox_files){.traces = {argv[first]}}, SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	struct trace_reader *trace = trace_open(argv[first], error);
	if (trace)
		print_events(trace, &options, error);
	trace_close(trace);
}
