/* What target.c, target_turn.c and target_diverted.c share. */
#pragma once
#include "replay/debugger/target.h"
#include "replay/guest/exceptions.h"
#include "replay/run/points.h"

enum { SIGNAL_INTERRUPT = 2, SIGNAL_TRAP = 5, SIGNAL_TERMINATED = 15 };

struct replay_target {
	struct timeline *timeline;
	struct gdbstub *stub;
	struct hv_debug_point *points; /* as many as gdb likes */
	enum target_break_kind *kinds; /* of each */
	size_t point_count, point_room;
	uint8_t *conditions; /* of the points, while they run */
	size_t condition_bytes;
	char *monitor_line;                            /* a command under way; NULL: none */
	bool monitor_ending, monitor_over, monitor_ok; /* over: its end is to be reported, `ok` or not */
	bool running, interrupted;
	bool skip_access; /* gdb did not want the access that it has just come to */
	uint64_t stepped; /* instructions of a range, one by one */
	/* A step is of one thread, whoever runs meanwhile: its instruction at `step_pc` is retired, and the step ends
	 * where it is about to execute its next. */
	uint32_t thread;
	bool retired;
	uint64_t step_pc;
	bool pass; /* a breakpoint at this place has been reported */
	/* A step over an interrupt (target_steps.c): its handler is being run through, forwards until `interrupted_at`
	 * is come to again, backwards to before it. */
	bool passing, stepped_back;
	struct exception_context interrupted_at;
	struct timeline_place entry; /* of the handler, where it is gone through backwards */
	bool client_left;
	bool skips_brk;             /* gdb has moved pc from a BRK of the guest's to after it */
	bool calls_known;           /* the user knows that calls are diversions */
	int64_t search_ns, said_ns; /* when the search began that is going on, and something was said of it */
	uint64_t search_from_n;
	struct error broken; /* a write found the machine broken */
	struct target_resume resume;
	struct timeline_place origin; /* where a reverse run began */
	enum { PLACE_UNKNOWN, PLACE_NONE, PLACE_FOUND } place;
	uint64_t program_va; /* with PLACE_FOUND */
};

/* target_thread.c: of struct target_ops. */
void replay_target_thread_text(void *context, uint32_t thread, char *text);
/* The thread that is stepped; while it continues, the one whose turn it was at its start. */
const struct vcpu_state *replay_target_vcpu(const struct replay_target *target);
/* Whether it is the thread's turn. */
bool replay_target_is_turn(const struct replay_target *target);

/* target_stop.c: tells gdb what a turn of a resume ended with, which then is over; unless it is STOP_NONE, or gdb does
 * not want it. Not for STOP_FAILED. */
void replay_target_report(struct replay_target *target, struct stop stop);
/* Tells gdb that the target is at another place now, without a resume. */
void replay_target_moved(struct replay_target *target);

/* target_writes.c: struct target_ops of what gdb writes, and registers as it reads them then. */
bool replay_target_register_read(void *context, uint32_t thread, uint32_t number, struct target_value *value);
bool replay_target_register_write(void *context, uint32_t thread, uint32_t number, const struct target_value *value);
bool replay_target_memory_write(void *context, uint32_t thread, struct target_address address, const void *bytes,
				size_t count);
bool replay_target_notice(void *context, char *text);

/* Gives the points their conditions, before they run. */
void replay_target_take_conditions(struct replay_target *target);

/* Says how far a search back got that gdb has interrupted. */
void replay_target_searched(struct replay_target *target);

/* Sends what a diverted guest prints to gdb's console. */
void replay_target_listen(struct replay_target *target);
/* target_points.c: of struct target_ops. */
bool replay_target_breakpoint_insert(void *context, const struct target_breakpoint *breakpoint);
void replay_target_breakpoint_remove(void *context, const struct target_breakpoint *breakpoint);
/* Whether gdb has a breakpoint at an address. */
bool replay_target_is_breakpoint(const struct replay_target *target, uint64_t address);
/* All of gdb's points. */
struct points replay_target_points(const struct replay_target *target);
/* What gdb's resume looks for. */
struct search replay_target_search(const struct replay_target *target);

/* Steps of one instruction in the recording, over interrupts: STOP_STEPPED. STOP_NONE: there is more to be done. */
struct stop replay_target_step_on(struct replay_target *target, struct error *error);
struct stop replay_target_step_back(struct replay_target *target, struct error *error);
/* While `passing` is set, forwards: goes on with the handler. */
struct stop replay_target_pass(struct replay_target *target, struct error *error);
/* At the vector of an interrupt that came in a step: it is passed over from here, if steps do. */
bool replay_target_pass_begin(struct replay_target *target);
/* At a breakpoint while `passing` is set, forwards: whether it is none to be reported; `passing` is off if the handler
 * has returned. */
bool replay_target_pass_goes_on(struct replay_target *target, uint64_t address);
/* gdb's points and this one, to be freed. NULL: error set. */
struct hv_debug_point *replay_target_points_and(const struct replay_target *target, uint64_t address,
						struct error *error);

/* One turn of a resume in the recording, to be reported. STOP_NONE: the next turn goes on with it. */
struct stop replay_target_turn(struct replay_target *target, struct error *error);
/* Of an access that was come to, in the recording: *address of the watchpoint that is to be reported to gdb. False:
 * error set. */
bool replay_target_watch_choose(struct replay_target *target, uint64_t *address, struct error *error);
/* The same in a diversion. */
struct stop replay_target_turn_diverted(struct replay_target *target, struct error *error);
/* Leaves a diversion for what goes backwards, which goes on from where the recording was left. */
bool replay_target_leave_to_go_back(struct replay_target *target, struct error *error);
