/* What gdb resumes, in the recording: continuing and stepping, in both directions. */
#include "replay/debugger/target_state.h"
#include "replay/guest/range_exits.h"
#include "replay/travel/travel.h"

#include <stdlib.h>

/* A line is stepped by its instructions, and run through once they are more than that. */
enum { STEPS_BEFORE_RUN = 100 };

/* A resume goes on from where its turn ended; backwards that is where it began, so that nothing is missed. */
static bool unfinished(struct replay_target *target, struct timeline_place before, struct error *error)
{
	if (target->resume.reverse)
		return timeline_return(target->timeline, target->origin, error);
	struct timeline_place here = timeline_place(target->timeline);
	target->skip_access &= here.n == before.n && here.pc == before.pc;
	return true;
}

static struct stop run(struct replay_target *target, struct error *error)
{
	const struct search search = replay_target_search(target);
	return travel_continue(target->timeline, &search, error);
}

static struct stop step(struct replay_target *target, struct error *error)
{
	target->stepped++;
	return target->resume.reverse ? replay_target_step_back(target, error) : replay_target_step_on(target, error);
}

static bool is_among(const uint64_t *addresses, size_t count, uint64_t address)
{
	for (size_t i = 0; i < count; i++) {
		if (addresses[i] == address)
			return true;
	}
	return false;
}

/* Runs on to where the range is left, or to a point. Steps, where it is not known what comes next. */
static struct stop run_in_range(struct replay_target *target, struct error *error)
{
	const struct vcpu_state *vcpu = replay_target_vcpu(target);
	uint64_t exits[RANGE_EXITS_MAX];
	size_t exit_count = range_exits(timeline_memory(target->timeline), vcpu, target->resume.range_start.v,
					target->resume.range_end.v, exits);
	struct hv_debug_point *points = calloc(target->point_count + exit_count, sizeof(*points));
	if (exit_count == 0 || is_among(exits, exit_count, vcpu->pc) || !points) {
		free(points);
		return step(target, error);
	}
	size_t count = 0;
	for (; count < target->point_count; count++)
		points[count] = target->points[count];
	for (size_t i = 0; i < exit_count; i++)
		points[count++].address = exits[i];
	struct search search = replay_target_search(target);
	search.points.at = points;
	search.points.count = count;
	struct stop stop = travel_continue(target->timeline, &search, error);
	free(points);
	if (stop.kind != STOP_BREAKPOINT || !is_among(exits, exit_count, stop.address))
		return stop;
	if (!replay_target_is_turn(target)) /* another one comes there: that is no end of this one's step */
		return replay_target_is_breakpoint(target, stop.address) ? stop : (struct stop){STOP_NONE, 0};
	target->skip_access = false; /* it was passed on the way */
	/* A step to a vector is one to after its first instruction. A breakpoint of gdb's there is reported
	 * as the end of a step. */
	if (timeline_is_vector(target->timeline, stop.address) && !replay_target_is_breakpoint(target, stop.address))
		return replay_target_pass_begin(target) ? (struct stop){STOP_NONE, 0} : step(target, error);
	return (struct stop){STOP_STEPPED, 0};
}

static struct stop go_on(struct replay_target *target, struct error *error)
{
	bool range = target->resume.action == TARGET_STEP_RANGE && !target->resume.reverse;
	if (target->resume.action == TARGET_CONTINUE)
		return run(target, error);
	if (target->passing && !target->resume.reverse)
		return replay_target_pass(target, error);
	return range && target->stepped >= STEPS_BEFORE_RUN ? run_in_range(target, error) : step(target, error);
}

struct stop replay_target_turn(struct replay_target *target, struct error *error)
{
	const struct stop more = {STOP_NONE, 0}, failed = {STOP_FAILED, 0};
	struct timeline_place before = timeline_place(target->timeline);
	struct stop stop = go_on(target, error);
	if (stop.kind == STOP_NONE || stop.kind == STOP_INTERRUPTED)
		return unfinished(target, before, error) ? more : failed;
	if (stop.kind == STOP_WATCHPOINT && !replay_target_watch_choose(target, &stop.address, error))
		return failed;
	return stop;
}
