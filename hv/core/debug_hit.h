/* Whose breakpoint or watchpoint an exit is of: one of the debugger's (hv_mailbox.debug_points), and which, the guest's
 * own, or nobody's. */
#pragma once
#include "hv/core/exit.h"
#include "hv/core/load_store.h"

/* A debug exit, and what the instruction accesses; NULL: that is not known. */
struct debug_cause {
	const struct exit *exit;
	bool is_watchpoint;
	const struct load_store *access;
};

enum debug_hit {
	DEBUG_HIT_NONE,
	DEBUG_HIT_STOPPED,
	DEBUG_HIT_PASSED, /* the guest is to go on at once (hv/core/debug_pass.h) */
};

/* Stops, or passes on, if the exit is one of the debugger's points. */
enum debug_hit debug_hit(const struct debug_cause *cause);

/* Whether the watchpoint exit is not for the guest: its FAR is in bytes that the debugger watches, and in none that the
 * guest does. */
bool debug_hit_is_false(const struct exit *exit);
