/* The format: "Trace Event Format" (Google, 2016), the object form. One process is the guest; it has four threads for
 * each vCPU, which viewers show as tracks (idle, exits, devices, interrupts), and one for the console:
 *   M  names of tracks, when one first appears      X  idle, with its length
 *   i  everything else that is an event, and the console's lines      C  exits in each 10 ms of guest time
 * 1. Events are written as they are read, in memory that does not grow with the trace.
 * 2. On each track, and of each counter, ts never decreases.
 * 3. args has the event's number, n and pc, and the line that goes there in gdb. */
#include "tools/report/export_perfetto.h"
#include "hv/abi/event_info.h"
#include "replay/trace/console_lines.h"
#include "replay/trace/event_text.h"
#include "tools/output_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum track { TRACK_IDLE, TRACK_EXITS, TRACK_DEVICES, TRACK_INTERRUPTS, TRACK_COUNT };

static const char *const track_names[TRACK_COUNT] = {"idle", "exits", "devices", "interrupts"};

enum { VCPU_COUNT_MAX = 256, CONSOLE_TID = VCPU_COUNT_MAX * TRACK_COUNT + 1, GUEST_PID = 1 };
#define WINDOW_NS UINT64_C(10000000)

struct export
{
	FILE *to;
	bool any; /* an event was written: the next one needs a comma */
	bool vcpu_named[VCPU_COUNT_MAX];
	uint64_t window; /* WINDOW_NS of guest time, by number */
	uint64_t exit_count, exit_count_written;
	struct console_lines lines;
};

/* Opens an event, up to its tid. `phase` may have further members behind it. */
static void event_open(struct export *e, const char *phase, unsigned tid)
{
	fprintf(e->to, "%s\n{\"ph\":%s,\"pid\":%d,\"tid\":%u", e->any ? "," : "", phase, GUEST_PID, tid);
	e->any = true;
}

/* µs with three decimals: a double could not hold a long run's nanoseconds. */
static void put_us(struct export *e, const char *member, uint64_t ns)
{
	fprintf(e->to, ",\"%s\":%" PRIu64 ".%03" PRIu64, member, ns / 1000, ns % 1000);
}

static void put_text(struct export *e, const char *member, const char *text)
{
	fprintf(e->to, ",\"%s\":", member);
	output_text_json(e->to, text);
}

static void name_track(struct export *e, unsigned tid, const char *name)
{
	event_open(e, "\"M\"", tid);
	fprintf(e->to, ",\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}", name);
	event_open(e, "\"M\"", tid);
	fprintf(e->to, ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%u}}", tid);
}

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
	for (enum track track = 0; track < TRACK_COUNT; track++) {
		snprintf(name, sizeof(name), "vCPU %u %s", vcpu, track_names[track]);
		name_track(e, tid_of(vcpu, track), name);
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
	case EVENT_ADDRESS_INTID:
		return TRACK_INTERRUPTS;
	case EVENT_ADDRESS_SYSREG:
	case EVENT_ADDRESS_FUNCTION:
	case EVENT_ADDRESS_ESR:
	case EVENT_ADDRESS_EXIT_REASON:
	case EVENT_ADDRESS_END_REASON:
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
	bool named = event_text_name(event, about, sizeof(about));
	snprintf(name, sizeof(name), "%s%s%s", kind ? kind : "unknown kind", named ? " " : "", about);
	put_text(e, "name", name);
}

static void put_event(struct export *e, const struct event_at *at)
{
	const struct event *event = &at->event;
	char text[EVENT_TEXT_BYTES];
	const struct event_info *info = event_info(event->kind);
	bool idle = info->value == EVENT_VALUE_JUMP_NS;
	name_vcpu(e, event->vcpu);
	event_open(e, idle ? "\"X\"" : "\"i\",\"s\":\"t\"", tid_of(event->vcpu, track_of(info)));
	put_us(e, "ts", at->guest_ns);
	if (idle)
		put_us(e, "dur", event_idle_ns(event));
	put_name(e, event);
	put_text(e, "cat", category_of(info));
	fprintf(e->to, ",\"args\":{\"event\":%" PRIu64 ",\"n\":%" PRIu64 ",\"pc\":\"%#" PRIx64 "\"", at->index,
		event->n, event->pc);
	event_text_meaning(event, text, sizeof(text));
	put_text(e, "text", text);
	fprintf(e->to, ",\"go\":\"monitor seek event %" PRIu64 "\"}}", at->index);
}

static void put_line(struct export *e)
{
	const struct console_line *line = &e->lines.line;
	if (line->number == 1)
		name_track(e, CONSOLE_TID, "console");
	event_open(e, "\"i\",\"s\":\"t\"", CONSOLE_TID);
	put_us(e, "ts", line->guest_ns);
	put_text(e, "name", line->text_bytes > 0 ? line->text : "(empty line)");
	fprintf(e->to,
		",\"cat\":\"console\",\"args\":{\"line\":%" PRIu64 ",\"event\":%" PRIu64 ",\"n\":%" PRIu64
		",\"go\":\"monitor seek event %" PRIu64 "\"}}",
		line->number, line->event, line->n, line->event);
}

static void put_counter(struct export *e, uint64_t window, uint64_t exit_count)
{
	event_open(e, "\"C\"", 0);
	put_us(e, "ts", window * WINDOW_NS);
	fprintf(e->to, ",\"name\":\"exits in 10 ms\",\"args\":{\"exits\":%" PRIu64 "}}", exit_count);
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
	window_move(e, at->guest_ns / WINDOW_NS);
	if (class == EVENT_CLASS_TRAP || class == EVENT_CLASS_STOP)
		e->exit_count++;
}

static void put_events(struct export *e, struct event_stream *stream, struct error *error)
{
	struct event_at at;
	while (!ferror(e->to) && event_stream_next(stream, &at, error)) {
		count_exit(e, &at);
		put_event(e, &at);
		if (console_lines_take(&e->lines, &at))
			put_line(e);
	}
	if (console_lines_end(&e->lines))
		put_line(e);
	window_move(e, e->window + 1);
}

static void put_head(struct export *e, struct trace_reader *trace, const char *name)
{
	fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"made by\":\"hvrec export\"", e->to);
	put_text(e, "trace", name);
	put_text(e, "complete", trace_is_complete(trace) ? "yes" : "no, it ends at the last commit");
	fputs("},\"traceEvents\":[", e->to);
	event_open(e, "\"M\"", 0);
	fputs(",\"name\":\"process_name\",\"args\":{\"name\":\"guest\"}}", e->to);
}

bool export_perfetto_write(struct trace_reader *trace, const char *name, FILE *to, struct error *error)
{
	struct export *e = calloc(1, sizeof(*e));
	if (!e)
		return error_set(error, STATUS_FAILED, "%s: no memory", name);
	e->to = to;
	put_head(e, trace, name);
	struct event_stream *stream = event_stream_open(trace_seek(trace, 0, error), error);
	console_lines_start(&e->lines, NULL);
	if (stream)
		put_events(e, stream, error);
	fputs("\n]}\n", to);
	event_stream_free(stream);
	free(e);
	return error->status == STATUS_OK;
}
