/* Which request wrote a sector of a disk: a look into the trace, which goes nowhere. */
#include "replay/debugger/monitor_session.h"
#include "replay/trace/event_text.h"
#include "replay/trace/numbers.h"

#include <inttypes.h>
#include <string.h>

struct sector {
	uint32_t disk;
	uint64_t number;
};

/* Whether the event changed the sector: wrote it, set it to zero or discarded it. */
static bool changes(const struct event *event, const struct sector *sector)
{
	uint64_t bytes = event->kind == EVENT_DISK_WRITE ? event_data_bytes(event) : event->value;
	bool is_write = event->kind == EVENT_DISK_WRITE || event->kind == EVENT_DISK_ZERO;
	return is_write && event_disk(event) == sector->disk && event_sector(event) <= sector->number &&
	       sector->number - event_sector(event) < bytes / VIRTIO_SECTOR_BYTES;
}

static bool print_writer(struct monitor *monitor, const struct event *event, uint64_t index)
{
	struct error error = {.status = STATUS_OK};
	const struct engine *engine = timeline_engine(monitor->timeline);
	char text[EVENT_TEXT_BYTES];
	struct trace_cursor *cursor = trace_seek(engine_trace(engine), index, &error);
	if (!cursor)
		return monitor_fail(monitor, "%s\n", error.text);
	uint64_t time_ns = event->n + trace_cursor_idle_ns(cursor);
	trace_cursor_free(cursor);
	event_text_meaning(event, engine_devices(engine), text, sizeof(text));
	monitor_print(monitor,
		      "%s: event %" PRIu64 ", instruction %" PRIu64 ", guest time %" PRIu64 ".%09" PRIu64 " s\n"
		      "monitor seek event %" PRIu64 " goes there\n",
		      text, index, event->n, time_ns / NS_PER_S, time_ns % NS_PER_S, index);
	return true;
}

/* "vda 2048"; false, with a line printed: it is no disk and one of its sectors. */
static bool sector_parse(struct monitor *monitor, const char *argument, struct sector *sector)
{
	const struct virtio_list *devices = engine_devices(timeline_engine(monitor->timeline));
	char name[MONITOR_LINE_BYTES];
	size_t length = strcspn(argument, " ");
	memcpy(name, argument, length);
	name[length] = 0;
	const char *rest = argument + length + strspn(argument + length, " ");
	int disk = virtio_list_find(devices, name);
	if (length == 0 || *rest == 0 || !numbers_value(rest, &sector->number))
		return monitor_fail(monitor,
				    "who-wrote-sector takes a disk and a sector of 512 bytes, such as vda 2048\n");
	if (disk < 0)
		return monitor_fail(monitor, "%s is no disk of this guest\n", name);
	if (sector->number >= devices->device[disk].value)
		return monitor_fail(monitor, "%s has sectors 0 to %" PRIu64 "\n", name,
				    devices->device[disk].value - 1);
	sector->disk = (uint32_t)disk;
	return true;
}

bool monitor_disk_who_wrote(struct monitor *monitor, const char *argument)
{
	struct error error = {.status = STATUS_OK};
	struct engine *engine = timeline_engine(monitor->timeline);
	struct sector sector = {0};
	if (!sector_parse(monitor, argument, &sector))
		return false;
	uint64_t first = events_first(engine_events(engine));
	for (uint64_t index = engine_next_event(engine); index-- > first;) {
		const struct event *event = monitor_event(monitor, index, &error);
		if (!event)
			return monitor_fail(monitor, "%s\n", error.text);
		if (changes(event, &sector))
			return print_writer(monitor, event, index);
	}
	return monitor_fail(monitor, "nothing that the trace has wrote it before here\n");
}
