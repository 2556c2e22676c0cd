/* The format: "Trace Event Format" (Google, 2016), the object form. One process is the guest; it has five threads for
 * each vCPU, which viewers show as tracks (turns, idle, exits, devices, interrupts), one for the console, and one for
 * each virtio device: M  names of tracks, when one first appears      X  idle, and turns of one of several vCPUs, with
 * their length i  everything else that is an event, and the console's lines      C  exits in each 10 ms of guest time,
 *      and what a disk or a network card moved in it
 * 1. Events are written as they are read, in memory that does not grow with the trace.
 * 2. On each track, and of each counter, ts never decreases.
 * 3. args has the event's number, n and pc, and the line that goes there in gdb. */
#include "tools/report/export_perfetto.h"
#include "hv/abi/event_info.h"
#include "replay/trace/console_lines.h"
#include "replay/trace/event_text.h"
#include "replay/trace/event_text_names.h"
#include "replay/trace/metadata.h"
#include "tools/json.h"
#include "tools/report/perfetto.h"
#include "tools/report/perfetto_devices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum track { TRACK_TURNS, TRACK_IDLE, TRACK_EXITS, TRACK_DEVICES, TRACK_INTERRUPTS, TRACK_COUNT };

static const char *const track_names[TRACK_COUNT] = {"turns", "idle", "exits", "devices", "interrupts"};

enum { VCPU_COUNT_MAX = 256, CONSOLE_TID = VCPU_COUNT_MAX * TRACK_COUNT + 1, DEVICE_TID = CONSOLE_TID + 1 };

struct export
{
	struct json *document; /* what is around the events */
	struct perfetto out;
	bool vcpu_named[VCPU_COUNT_MAX], turns_named[VCPU_COUNT_MAX];
	struct turn {
		uint64_t event, n, ns; /* where the turn began that is going on */
		unsigned vcpu;
		bool is_known; /* the first event shows whose it is */
		bool is_one;   /* of several: there was a SWITCH */
	} turn;
	uint64_t window; /* PERFETTO_WINDOW_NS of guest time, by number */
	uint64_t exit_count, exit_count_written;
	struct console_lines lines;
	struct virtio_list devices;
	struct perfetto_devices device_tracks;
};

static unsigned tid_of(unsigned vcpu, enum track track)
{
	return vcpu * TRACK_COUNT + (unsigned)track + 1;
}

static void name_vcpu(struct export *e, unsigned vcpu)
{
	char name[64];
	if (e->vcpu_named[vcpu])
		return;
	e->vcpu_named[vcpu] = true;
	for (enum track track = TRACK_IDLE; track < TRACK_COUNT; track++) {
		snprintf(name, sizeof(name), "vCPU %u %s", vcpu, track_names[track]);
		perfetto_name_track(&e->out, tid_of(vcpu, track), name);
	}
}

/* Devices, interrupts, time that passes; the rest is the CPU's own. */
static enum track track_of(const struct event_info *info)
{
	switch (info->address) {
	case EVENT_ADDRESS_DEADLINE_NS:
		return TRACK_IDLE;
	case EVENT_ADDRESS_IPA:
		return TRACK_DEVICES;
	case EVENT_ADDRESS_VCPU:
		return TRACK_TURNS;
	case EVENT_ADDRESS_INTID:
		return TRACK_INTERRUPTS;
	case EVENT_ADDRESS_SYSREG:
	case EVENT_ADDRESS_FUNCTION:
	case EVENT_ADDRESS_ESR:
	case EVENT_ADDRESS_EXIT_REASON:
	case EVENT_ADDRESS_END_REASON:
	case EVENT_ADDRESS_SECTOR:
	case EVENT_ADDRESS_TRANSPORT:
	case EVENT_ADDRESS_NONE:
		break;
	}
	return TRACK_EXITS;
}

static const char *category_of(const struct event_info *info)
{
	static const char *const names[] = {[EVENT_CLASS_TRAP] = "trap",
					    [EVENT_CLASS_STOP] = "stop",
					    [EVENT_CLASS_NOTE] = "note",
					    [EVENT_CLASS_UNKNOWN] = "unknown"};
	return names[info->class];
}

/* "MMIO_WRITE uart UARTDR": equal for what is alike, so that viewers give it one colour and count it. */
static void put_name(struct export *e, const struct event *event)
{
	char about[EVENT_TEXT_BYTES], name[EVENT_TEXT_BYTES + 64];
	const char *kind = event_text_kind(event->kind);
	bool named = event_text_name(event, &e->devices, about, sizeof(about));
	snprintf(name, sizeof(name), "%s%s%s", kind ? kind : "unknown kind", named ? " " : "", about);
	json_text(e->out.events, "name", name);
}

static void put_event(struct export *e, const struct event_at *at)
{
	const struct event *event = &at->event;
	char text[EVENT_TEXT_BYTES];
	const struct event_info *info = event_info(event->kind);
	bool idle = info->value == EVENT_VALUE_JUMP_NS;
	name_vcpu(e, event->vcpu);
	unsigned tid = perfetto_devices_tid(&e->device_tracks, &e->out, event);
	perfetto_open(&e->out, idle ? PERFETTO_LASTING : PERFETTO_INSTANT,
		      tid > 0 ? tid : tid_of(event->vcpu, track_of(info)));
	perfetto_us(&e->out, "ts", at->guest_ns);
	if (idle)
		perfetto_us(&e->out, "dur", event_idle_ns(event));
	put_name(e, event);
	json_text(e->out.events, "cat", category_of(info));
	perfetto_args(&e->out);
	json_number(e->out.events, "event", at->index);
	json_number(e->out.events, "n", event->n);
	json_hex(e->out.events, "pc", event->pc);
	event_text_meaning(event, &e->devices, text, sizeof(text));
	json_text(e->out.events, "text", text);
	perfetto_go(&e->out, at->index);
	perfetto_close(&e->out);
}

static void name_turns(struct export *e, unsigned vcpu)
{
	char name[64];
	if (e->turns_named[vcpu])
		return;
	e->turns_named[vcpu] = true;
	snprintf(name, sizeof(name), "vCPU %u %s", vcpu, track_names[TRACK_TURNS]);
	perfetto_name_track(&e->out, tid_of(vcpu, TRACK_TURNS), name);
}

/* The turn that ends at this event, a SWITCH or the last one. */
static void put_turn(struct export *e, const struct event_at *at, const char *reason)
{
	const struct turn *turn = &e->turn;
	uint64_t end_ns = at->guest_ns + event_idle_ns(&at->event);
	name_turns(e, turn->vcpu);
	perfetto_open(&e->out, PERFETTO_LASTING, tid_of(turn->vcpu, TRACK_TURNS));
	perfetto_us(&e->out, "ts", turn->ns);
	perfetto_us(&e->out, "dur", end_ns - turn->ns);
	json_text(e->out.events, "name", "runs");
	json_text(e->out.events, "cat", "turn");
	perfetto_args(&e->out);
	json_number(e->out.events, "n", turn->n);
	json_number(e->out.events, "instructions", at->event.n - turn->n);
	json_text(e->out.events, "ends", reason ? reason : "for an unknown reason");
	perfetto_go(&e->out, turn->event);
	perfetto_close(&e->out);
}

/* Before the event itself is put, which is on the same track. */
static void take_turn(struct export *e, const struct event_at *at)
{
	struct turn *turn = &e->turn;
	if (!turn->is_known) {
		uint64_t start_n = at->event.n < turn->n ? at->event.n : turn->n;
		*turn = (struct turn){at->index,      start_n, at->guest_ns - (at->event.n - start_n),
				      at->event.vcpu, true,    false};
	}
	if (at->event.kind != EVENT_SWITCH)
		return;
	put_turn(e, at, event_text_switch_reason(at->event.value));
	*turn = (struct turn){at->index, at->event.n, at->guest_ns, (uint8_t)at->event.address, true, true};
	name_turns(e, at->event.vcpu);
}

static void put_line(struct export *e)
{
	const struct console_line *line = &e->lines.line;
	if (line->number == 1)
		perfetto_name_track(&e->out, CONSOLE_TID, "console");
	perfetto_open(&e->out, PERFETTO_INSTANT, CONSOLE_TID);
	perfetto_us(&e->out, "ts", line->guest_ns);
	json_text(e->out.events, "name", line->text_bytes > 0 ? line->text : "(empty line)");
	json_text(e->out.events, "cat", "console");
	perfetto_args(&e->out);
	json_number(e->out.events, "line", line->number);
	json_number(e->out.events, "event", line->event);
	json_number(e->out.events, "n", line->n);
	perfetto_go(&e->out, line->event);
	perfetto_close(&e->out);
}

static void put_counter(struct export *e, uint64_t window, uint64_t exit_count)
{
	perfetto_open(&e->out, PERFETTO_COUNTER, 0);
	perfetto_us(&e->out, "ts", window * PERFETTO_WINDOW_NS);
	json_text(e->out.events, "name", "exits in 10 ms");
	perfetto_args(&e->out);
	json_number(e->out.events, "exits", exit_count);
	perfetto_close(&e->out);
	e->exit_count_written = exit_count;
}

/* Writes the window at hand if it differs from the one before, and goes to `window`; those between had no exits. */
static void window_move(struct export *e, uint64_t window)
{
	if (window == e->window)
		return;
	if (e->exit_count != e->exit_count_written)
		put_counter(e, e->window, e->exit_count);
	if (window - e->window > 1 && e->exit_count_written != 0)
		put_counter(e, e->window + 1, 0);
	e->window = window;
	e->exit_count = 0;
}

static void count_exit(struct export *e, const struct event_at *at)
{
	enum event_class class = event_info(at->event.kind)->class;
	window_move(e, at->guest_ns / PERFETTO_WINDOW_NS);
	if (class == EVENT_CLASS_TRAP || class == EVENT_CLASS_STOP)
		e->exit_count++;
}

static void put_events(struct export *e, struct event_stream *stream, FILE *to, struct error *error)
{
	struct event_at at = {0};
	while (!ferror(to) && event_stream_next(stream, &at, error)) {
		count_exit(e, &at);
		take_turn(e, &at);
		put_event(e, &at);
		perfetto_devices_count(&e->device_tracks, &e->out, &at);
		if (console_lines_take(&e->lines, &at))
			put_line(e);
	}
	if (console_lines_end(&e->lines))
		put_line(e);
	if (e->turn.is_one)
		put_turn(e, &at, "the trace ends");
	window_move(e, e->window + 1);
	perfetto_devices_end(&e->device_tracks, &e->out);
}

static void put_head(struct export *e, struct trace_reader *trace, const char *name)
{
	json_object(e->document, NULL);
	json_text(e->document, "displayTimeUnit", "ns");
	json_object(e->document, "otherData");
	json_text(e->document, "made by", "hvrec export");
	json_text(e->document, "trace", name);
	json_text(e->document, "complete", trace_is_complete(trace) ? "yes" : "no, it ends at the last commit");
	json_object_end(e->document);
	json_array(e->document, "traceEvents");
	perfetto_open(&e->out, PERFETTO_META, 0);
	json_text(e->out.events, "name", "process_name");
	perfetto_args(&e->out);
	json_text(e->out.events, "name", "guest");
	perfetto_close(&e->out);
}

static void put_end(struct export *e)
{
	json_break(e->document);
	json_array_end(e->document);
	json_object_end(e->document);
	json_break(e->document);
}

bool export_perfetto_write(struct trace_reader *trace, const char *name, FILE *to, struct error *error)
{
	struct export *e = calloc(1, sizeof(*e));
	if (!e)
		return error_set(error, STATUS_FAILED, "%s: no memory", name);
	e->document = json_new(to, JSON_COMPACT, error);
	e->out.events = json_new(to, JSON_COMPACT, error);
	put_head(e, trace, name);
	struct event_stream *stream = NULL;
	e->device_tracks = (struct perfetto_devices){.list = &e->devices, .first_tid = DEVICE_TID};
	if (metadata_devices(trace, &e->devices, error))
		stream = event_stream_open(trace_seek(trace, 0, error), error);
	e->turn.n = trace_start_n(trace);
	console_lines_start(&e->lines, NULL);
	if (stream)
		put_events(e, stream, to, error);
	put_end(e);
	event_stream_free(stream);
	json_free(e->document);
	json_free(e->out.events);
	free(e);
	return error->status == STATUS_OK;
}
