/* What the monitor's files share: a command's surroundings, and the commands, which monitor.c puts into its table.
 *
 * 1. A command prints what it found, or one line that says what is wrong and returns false.
 * 2. It leaves the timeline at a place; one that fails, or is interrupted, leaves it where it was, unless the timeline
 *    itself is broken. */
#pragma once
#include "gdbstub/gdbstub.h"
#include "replay/travel/timeline.h"

enum { MONITOR_LINE_BYTES = 512, MONITOR_BOOKMARKS_MAX = 64 };

struct monitor_bookmark {
	uint64_t number; /* the user's name for it: $1, $2, … */
	uint64_t n;
	uint64_t time_ns;
};

/* What lasts from one command to the next. */
struct monitor_kept {
	const struct timeline *timeline; /* that it is about */
	struct monitor_bookmark bookmarks[MONITOR_BOOKMARKS_MAX];
	size_t bookmark_count;
	uint64_t bookmark_last; /* number given last */
	uint64_t counted_event; /* console lines are counted up to here */
	uint64_t counted_lines;
};

struct monitor {
	struct timeline *timeline;
	struct gdbstub *stub;
	struct monitor_kept *kept;
};

__attribute__((format(printf, 2, 3))) void monitor_print(const struct monitor *monitor, const char *format, ...);
/* monitor_print, and false. */
__attribute__((format(printf, 2, 3))) bool monitor_fail(const struct monitor *monitor, const char *format, ...);

/* An event of the trace. NULL: error set; also if gdb wants the command to end. */
const struct event *monitor_event(const struct monitor *monitor, uint64_t index, struct error *error);

/* monitor_place.c: where this is, going, and bookmarks */
bool monitor_place_when(struct monitor *monitor, const char *argument);
bool monitor_place_checkpoint(struct monitor *monitor, const char *argument);
bool monitor_place_checkpoints(struct monitor *monitor, const char *argument);
bool monitor_place_restart(struct monitor *monitor, const char *argument);
bool monitor_place_delete(struct monitor *monitor, const char *argument);
/* Back to a place where the command was. False: the timeline is broken, printed. */
bool monitor_place_return(struct monitor *monitor, struct timeline_place place);
/* Goes to position `n`; or prints why not and stays here. */
bool monitor_place_go(struct monitor *monitor, uint64_t n);
/* The same, and prints where that is. */
bool monitor_place_go_when(struct monitor *monitor, uint64_t n);

/* monitor_diversion.c */
bool monitor_diversion_begin(struct monitor *monitor, const char *argument);
bool monitor_diversion_back(struct monitor *monitor, const char *argument);
/* when, in a diversion. */
bool monitor_diversion_when(struct monitor *monitor);
/* Before a command that travels: ends a diversion, and says so. */
bool monitor_diversion_leave(struct monitor *monitor);

/* monitor_seek.c */
bool monitor_seek(struct monitor *monitor, const char *argument);
bool monitor_seek_back(struct monitor *monitor, const char *argument);
bool monitor_seek_forward(struct monitor *monitor, const char *argument);

/* monitor_events.c */
bool monitor_events(struct monitor *monitor, const char *argument);
bool monitor_events_next(struct monitor *monitor, const char *argument);
bool monitor_events_prev(struct monitor *monitor, const char *argument);

/* monitor_exceptions.c: goes to the next or last one that the guest takes, of the kind that is named. */
bool monitor_exceptions_go(struct monitor *monitor, const char *argument, bool forwards);

/* monitor_console.c */
/* 1: the event printed `byte`; 0: it did not; -1: the trace is damaged there, error set. */
int monitor_console_byte(struct monitor *monitor, uint64_t index, uint8_t *byte, struct error *error);
/* How many lines the events before index `event` have printed. */
bool monitor_console_lines(struct monitor *monitor, uint64_t event, uint64_t *lines, struct error *error);
/* What the events before *event have printed since the last newline, without control characters; its end, if it is
 * long. *event is then that of the newline. */
bool monitor_console_text(struct monitor *monitor, uint64_t *event, char *text, size_t bytes, struct error *error);
/* monitor_console_find.c: goes to the next place, or the last one, where `text` had just been printed. */
bool monitor_console_go(struct monitor *monitor, const char *text, bool forwards);

/* monitor_memory.c */
bool monitor_memory_who_wrote(struct monitor *monitor, const char *argument);
bool monitor_memory_phys(struct monitor *monitor, const char *argument);
bool monitor_memory_hash(struct monitor *monitor, const char *argument);

/* monitor_disk.c */
bool monitor_disk_who_wrote(struct monitor *monitor, const char *argument);

/* monitor_steps.c */
bool monitor_steps(struct monitor *monitor, const char *argument);

/* monitor_physical.c */
bool monitor_physical_who_wrote(struct monitor *monitor, const char *argument);

/* monitor_verify.c */
bool monitor_verify(struct monitor *monitor, const char *argument);
