/* What gdb's console says of a search that takes long, or was interrupted. */
#include "replay/debugger/target_state.h"
#include "replay/travel/travel.h"

#include <inttypes.h>
#include <stdio.h>

enum { TEXT_BYTES = 160 };

/* A search is long from here on, and says where it is in such distances. */
#define TALK_NS INT64_C(2000000000)
#define S_NS    1e9

static void print(const struct replay_target *target, const char *text)
{
	size_t length = 0;
	while (text[length] != '\0')
		length++;
	gdbstub_print(target->stub, text, length);
}

void replay_target_progress(struct replay_target *target, int64_t now_ns)
{
	struct travel_progress progress;
	char text[TEXT_BYTES];
	if (!travel_progress(target->timeline, &progress))
		return;
	if (target->search_from_n != progress.from_n || target->search_ns == 0) {
		target->search_from_n = progress.from_n;
		target->search_ns = target->said_ns = now_ns;
	}
	if (now_ns - target->said_ns < TALK_NS || progress.done == 0)
		return;
	target->said_ns = now_ns;
	double spent_s = (double)(now_ns - target->search_ns) / S_NS, done = (double)progress.done;
	double left = (double)progress.left;
	snprintf(text, sizeof(text), "searching %s: %.0f M instructions done, %.0f M left at most (%.0f %%, %.0f s)\n",
		 progress.reverse ? "back" : "on", done / 1e6, left / 1e6, 100 * done / (done + left),
		 spent_s * left / done);
	print(target, text);
}

void replay_target_searched(struct replay_target *target)
{
	char text[TEXT_BYTES];
	uint64_t here_n = timeline_n(target->timeline);
	if (!target->resume.reverse || target->resume.action != TARGET_CONTINUE)
		return;
	uint64_t n = travel_searched_back(target->timeline, replay_target_points(target));
	if (n >= here_n)
		return;
	snprintf(text, sizeof(text),
		 "nothing from instruction %" PRIu64 " to here, %" PRIu64 "; the next search back begins there\n", n,
		 here_n);
	print(target, text);
}
