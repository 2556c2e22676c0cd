/* The current place, and places with a name. A bookmark is a position, no memory: going there costs a goto. */
#include "replay/debugger/monitor_session.h"
#include "replay/trace/numbers.h"
#include "replay/travel/diversion.h"

#include <inttypes.h>
#include <string.h>

enum { CONSOLE_TEXT_BYTES = 121 };

static uint64_t time_ns(const struct guest_state *state)
{
	return state->n + state->idle_ns;
}

/* The last whole line, and what of the next one is there. */
static bool print_console(struct monitor *monitor)
{
	struct error error = {.status = STATUS_OK};
	char line[CONSOLE_TEXT_BYTES] = "", begun[CONSOLE_TEXT_BYTES];
	uint64_t lines, event = engine_next_event(timeline_engine(monitor->timeline));
	if (!monitor_console_lines(monitor, event, &lines, &error) ||
	    !monitor_console_text(monitor, &event, begun, sizeof(begun), &error) ||
	    (lines > 0 && !monitor_console_text(monitor, &event, line, sizeof(line), &error)))
		return monitor_fail(monitor, "%s\n", error.text);
	if (lines > 0)
		monitor_print(monitor, "console line %" PRIu64 ": \"%s\"\n", lines, line);
	if (*begun)
		monitor_print(monitor, "console line %" PRIu64 ", not yet whole: \"%s\"\n", lines + 1, begun);
	if (lines == 0 && !*begun)
		monitor_print(monitor, "nothing on the console yet\n");
	return true;
}

bool monitor_place_when(struct monitor *monitor, const char *argument)
{
	if (*argument)
		return monitor_fail(monitor, "when takes no argument\n");
	if (diversion_is_on(monitor->timeline))
		return monitor_diversion_when(monitor);
	const struct guest_state *state = timeline_state(monitor->timeline);
	uint64_t start = timeline_start_n(monitor->timeline), end = timeline_end_n(monitor->timeline);
	uint64_t now_ns = time_ns(state);
	monitor_print(monitor,
		      "instruction %" PRIu64 " of %" PRIu64 " (%.3f %%), guest time %" PRIu64 ".%09" PRIu64
		      " s, event %" PRIu64 " of %" PRIu64 ", vcpu %u, pc %#" PRIx64 "\n",
		      state->n, end, end > start ? 100.0 * (double)(state->n - start) / (double)(end - start) : 100.0,
		      now_ns / NS_PER_S, now_ns % NS_PER_S, engine_next_event(timeline_engine(monitor->timeline)),
		      events_count(engine_events(timeline_engine(monitor->timeline))),
		      timeline_vcpu_index(monitor->timeline), timeline_vcpu(monitor->timeline)->pc);
	return print_console(monitor);
}

bool monitor_place_return(struct monitor *monitor, struct timeline_place place)
{
	struct error error = {.status = STATUS_OK};
	return timeline_return(monitor->timeline, place, &error) || monitor_fail(monitor, "%s\n", error.text);
}

bool monitor_place_go(struct monitor *monitor, uint64_t n)
{
	struct error error = {.status = STATUS_OK};
	struct timeline_place origin = timeline_place(monitor->timeline);
	bool is_end = n >= timeline_end_n(monitor->timeline);
	if (is_end ? timeline_goto_end(monitor->timeline, &error) : timeline_goto(monitor->timeline, n, &error))
		return true;
	monitor_print(monitor, "%s\n", error.text);
	monitor_place_return(monitor, origin);
	return false;
}

bool monitor_place_go_when(struct monitor *monitor, uint64_t n)
{
	struct timeline_place origin = timeline_place(monitor->timeline);
	if (!monitor_place_go(monitor, n))
		return false;
	if (monitor_place_when(monitor, ""))
		return true;
	monitor_place_return(monitor, origin);
	return false;
}

static void bookmark_print(const struct monitor *monitor, const struct monitor_bookmark *bookmark)
{
	monitor_print(monitor, "$%" PRIu64 "  instruction %" PRIu64 ", guest time %" PRIu64 ".%09" PRIu64 " s\n",
		      bookmark->number, bookmark->n, bookmark->time_ns / NS_PER_S, bookmark->time_ns % NS_PER_S);
}

bool monitor_place_checkpoint(struct monitor *monitor, const char *argument)
{
	struct monitor_kept *kept = monitor->kept;
	const struct guest_state *state = timeline_state(monitor->timeline);
	if (*argument)
		return monitor_fail(monitor, "checkpoint takes no argument: it keeps the place where this is\n");
	if (kept->bookmark_count == MONITOR_BOOKMARKS_MAX)
		return monitor_fail(monitor, "there are %d places already; delete some\n", MONITOR_BOOKMARKS_MAX);
	struct monitor_bookmark *bookmark = &kept->bookmarks[kept->bookmark_count++];
	*bookmark = (struct monitor_bookmark){++kept->bookmark_last, state->n, time_ns(state)};
	bookmark_print(monitor, bookmark);
	return true;
}

bool monitor_place_checkpoints(struct monitor *monitor, const char *argument)
{
	const struct checkpoints *all = timeline_checkpoints(monitor->timeline);
	if (*argument)
		return monitor_fail(monitor, "checkpoints takes no argument\n");
	for (size_t i = 0; i < monitor->kept->bookmark_count; i++)
		bookmark_print(monitor, &monitor->kept->bookmarks[i]);
	monitor_print(monitor, "%zu guests in memory, to go from:\n", all->count);
	for (size_t i = 0; i < all->count; i++)
		monitor_print(monitor, "    instruction %" PRIu64 ", %zu pages\n", all->at[i].n, all->at[i].page_count);
	return true;
}

/* "3" or "$3". NULL: there is none, and that is printed. */
static struct monitor_bookmark *bookmark_find(struct monitor *monitor, const char *argument)
{
	struct monitor_kept *kept = monitor->kept;
	uint64_t number;
	if (!numbers_value(argument + (*argument == '$'), &number)) {
		monitor_fail(monitor, "which place? a number that checkpoint gave\n");
		return NULL;
	}
	for (size_t i = 0; i < kept->bookmark_count; i++) {
		if (kept->bookmarks[i].number == number)
			return &kept->bookmarks[i];
	}
	monitor_fail(monitor, "there is no place $%" PRIu64 "; checkpoints lists them\n", number);
	return NULL;
}

bool monitor_place_restart(struct monitor *monitor, const char *argument)
{
	const struct monitor_bookmark *bookmark = bookmark_find(monitor, argument);
	return bookmark && monitor_place_go_when(monitor, bookmark->n);
}

bool monitor_place_delete(struct monitor *monitor, const char *argument)
{
	struct monitor_kept *kept = monitor->kept;
	struct monitor_bookmark *bookmark = bookmark_find(monitor, argument);
	if (!bookmark)
		return false;
	size_t index = (size_t)(bookmark - kept->bookmarks);
	kept->bookmark_count--;
	memmove(bookmark, bookmark + 1, (kept->bookmark_count - index) * sizeof(*bookmark));
	return true;
}
