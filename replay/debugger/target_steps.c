/* Steps that pass over interrupts, as those of QEMU's stub do by default. A live machine holds interrupts back for a
 * step; a recording has them where they are, so the handler is run through, and the step goes on from where it returns:
 *
 *	forwards    place ──interrupt──> vector … handler … ERET ──> place again ──step──> after it
 *	backwards   the same, the other way: from a place that a handler returned to, to the place before it
 *
 * 1. The place is known again by its registers, which an interrupt gives back, and SP_EL1, by which the threads differ.
 *    What other vCPUs do meanwhile is none of it.
 * 2. gdb's breakpoints and watchpoints in a handler stop, in both directions. Synchronous exceptions are stepped into.
 */
#include "replay/debugger/target_state.h"
#include "replay/guest/guest_memory.h"
#include "replay/travel/travel.h"

#include <stdlib.h>
#include <string.h>

#define ERET     UINT32_C(0xd69f03e0)
#define SVC_MASK UINT32_C(0xffe0001f)
#define SVC      UINT32_C(0xd4000001)

static const struct stop stepped = {STOP_STEPPED, 0}, failed = {STOP_FAILED, 0}, more = {STOP_NONE, 0};

static bool passes(const struct replay_target *target)
{
	return target->resume.action != TARGET_CONTINUE && !target->resume.into_interrupts;
}

struct hv_debug_point *replay_target_points_and(const struct replay_target *target, uint64_t address,
						struct error *error)
{
	struct hv_debug_point *points = calloc(target->point_count + 1, sizeof(*points));
	if (!points) {
		error_set(error, STATUS_FAILED, "out of memory");
		return NULL;
	}
	if (target->point_count > 0)
		memcpy(points, target->points, target->point_count * sizeof(*points));
	points[target->point_count].address = address;
	return points;
}

bool replay_target_pass_begin(struct replay_target *target)
{
	const struct vcpu_state *vcpu = replay_target_vcpu(target);
	if (target->resume.reverse || !passes(target) || !replay_target_is_turn(target) ||
	    !exceptions_is_asynchronous(vcpu, vcpu->pc))
		return false;
	target->interrupted_at = exceptions_context_taken(vcpu);
	target->passing = true;
	return true;
}

/* After a step that may have been an interrupt: if it was, back to its vector, to pass over it. */
static struct stop look_for_interrupt(struct replay_target *target, struct error *error)
{
	struct hv_debug_point points[EXCEPTION_VECTORS] = {0};
	uint64_t vectors[EXCEPTION_VECTORS], n;
	struct timeline_place after = timeline_place(target->timeline);
	if (!timeline_turn_last(target->timeline, target->thread, &n, error) ||
	    !timeline_goto(target->timeline, n, error))
		return failed;
	exceptions_vectors(replay_target_vcpu(target), vectors);
	for (size_t i = 0; i < EXCEPTION_VECTORS; i++)
		points[i].address = vectors[i];
	const struct search search = {
		.points = {points + EXCEPTION_IRQ, EXCEPTION_VECTORS - EXCEPTION_IRQ, NULL},
		.skip_access = true,
	};
	struct stop stop = travel_step(target->timeline, &search, error);
	if (stop.kind == STOP_BREAKPOINT && replay_target_pass_begin(target)) {
		target->retired = false;
		return more;
	}
	return stop.kind == STOP_STEPPED && !timeline_return(target->timeline, after, error) ? failed : stop;
}

/* On to where the thread executes its next instruction, and over that. */
static struct stop retire(struct replay_target *target, struct error *error)
{
	struct search search = replay_target_search(target);
	struct timeline_place before = timeline_place(target->timeline);
	struct stop stop = travel_to_turn(target->timeline, &search, target->thread, error);
	if (stop.kind == STOP_END) /* it executes none any more */
		return travel_continue(target->timeline, &search, error);
	if (stop.kind != STOP_NONE)
		return stop;
	search.skip_access &= timeline_n(target->timeline) == before.n;
	target->step_pc = replay_target_vcpu(target)->pc;
	return travel_step(target->timeline, &search, error);
}

/* From there on to where it is about to execute the one after, if it ever does. */
static struct stop go_on_to_turn(struct replay_target *target, struct error *error)
{
	const struct search search = replay_target_search(target);
	struct stop stop = travel_to_turn(target->timeline, &search, target->thread, error);
	return stop.kind == STOP_NONE || stop.kind == STOP_END ? stepped : stop;
}

struct stop replay_target_step_on(struct replay_target *target, struct error *error)
{
	struct stop stop = target->retired ? stepped : retire(target, error);
	if (stop.kind == STOP_STEPPED) {
		target->skip_access &= target->retired;
		target->retired = true;
		stop = go_on_to_turn(target, error);
	}
	if (stop.kind != STOP_STEPPED || !passes(target) ||
	    !exceptions_may_be_taken(replay_target_vcpu(target), target->step_pc))
		return stop;
	return look_for_interrupt(target, error);
}

bool replay_target_pass_goes_on(struct replay_target *target, uint64_t address)
{
	struct exception_context here = exceptions_context(replay_target_vcpu(target));
	if (address != target->interrupted_at.pc)
		return false;
	if (!replay_target_is_turn(target)) /* another vCPU comes there */
		return !replay_target_is_breakpoint(target, address);
	/* Where it returns to is the place that the step began at, whose breakpoint does not count. */
	target->passing = !exceptions_context_equal(&here, &target->interrupted_at);
	return !target->passing || !replay_target_is_breakpoint(target, address);
}

struct stop replay_target_pass(struct replay_target *target, struct error *error)
{
	struct hv_debug_point *points = replay_target_points_and(target, target->interrupted_at.pc, error);
	if (!points)
		return failed;
	struct search search = replay_target_search(target);
	search.points.at = points;
	search.points.count++;
	struct stop stop = travel_continue(target->timeline, &search, error);
	free(points);
	return stop.kind == STOP_BREAKPOINT && replay_target_pass_goes_on(target, stop.address) ? more : stop;
}

/* Whether the guest has just returned here from an exception. The timeline stays. */
static bool is_returned(struct replay_target *target, bool *is, struct error *error)
{
	struct timeline_place here = timeline_place(target->timeline);
	const struct vcpu_state *vcpu = replay_target_vcpu(target);
	uint32_t word;
	uint64_t n;
	*is = false;
	if (!exceptions_may_be_returned(vcpu))
		return true;
	if (!timeline_turn_last(target->timeline, target->thread, &n, error))
		return false;
	if (n == UINT64_MAX)
		return true;
	if (!timeline_goto(target->timeline, n, error))
		return false;
	*is = guest_memory_read(timeline_memory(target->timeline), vcpu, (va_t){vcpu->pc}, &word, sizeof(word)) &&
	      word == ERET;
	return timeline_return(target->timeline, here, error);
}

/* Where the exception came that the guest has just returned from: the last one here with the same SP_EL1, for what
 * comes in between has used more of this stack, or another one. STOP_BREAKPOINT: the timeline is at its vector. */
static struct stop find_entry(struct replay_target *target, struct error *error)
{
	struct hv_debug_point points[EXCEPTION_VECTORS] = {0};
	const struct vcpu_state *vcpu = replay_target_vcpu(target);
	uint64_t vectors[EXCEPTION_VECTORS], sp_el1 = vcpu->sp_el1;
	struct stop stop;
	exceptions_vectors(vcpu, vectors);
	for (size_t i = 0; i < EXCEPTION_VECTORS; i++)
		points[i].address = vectors[i];
	const struct search search = {.points = {points, EXCEPTION_VECTORS, NULL}, .reverse = true};
	do
		stop = travel_continue(target->timeline, &search, error);
	while (stop.kind == STOP_BREAKPOINT && (!replay_target_is_turn(target) || vcpu->sp_el1 != sp_el1));
	return stop;
}

/* If an interrupt's handler has just returned here, `passing` is set, to pass over it backwards. */
static struct stop look_for_return(struct replay_target *target, struct error *error)
{
	struct timeline_place here = timeline_place(target->timeline);
	const struct vcpu_state *vcpu = replay_target_vcpu(target);
	struct exception_context context = exceptions_context(vcpu);
	bool returned;
	if (!is_returned(target, &returned, error))
		return failed;
	if (!returned)
		return stepped;
	struct stop stop = find_entry(target, error);
	if (stop.kind == STOP_FAILED || stop.kind == STOP_INTERRUPTED)
		return stop;
	if (stop.kind == STOP_BREAKPOINT && exceptions_is_asynchronous(vcpu, vcpu->pc)) {
		target->interrupted_at = exceptions_context_taken(vcpu);
		target->entry = timeline_place(target->timeline);
		target->passing = exceptions_context_equal(&target->interrupted_at, &context);
	}
	return timeline_return(target->timeline, here, error) ? stepped : failed;
}

/* Goes back to before the handler, or to a point of gdb's in it. */
static struct stop pass_back(struct replay_target *target, struct error *error)
{
	struct timeline *timeline = target->timeline;
	struct hv_debug_point *points = replay_target_points_and(target, target->entry.pc, error);
	if (!points)
		return failed;
	while (target->point_count > 0 && timeline_n(timeline) > target->entry.n) {
		struct search search = replay_target_search(target);
		search.points.at = points;
		search.points.count++;
		struct stop stop = travel_continue(timeline, &search, error);
		target->skip_access = false;
		if (stop.kind == STOP_BREAKPOINT && stop.address == target->entry.pc &&
		    !replay_target_is_breakpoint(target, stop.address))
			continue;
		free(points);
		return stop;
	}
	free(points);
	target->passing = false;
	return timeline_goto(timeline, target->entry.n, error) ? stepped : failed;
}

static struct stop one_back(struct replay_target *target, struct error *error)
{
	const struct search search = replay_target_search(target);
	struct stop stop = travel_step_back_of(target->timeline, &search, target->thread, error);
	target->skip_access &= stop.kind != STOP_STEPPED;
	return stop;
}

/* Whether the exception that led to ELR `elr` came from this place: an SVC, which retired, a fault or an interrupt. */
static bool is_taken_here(const struct replay_target *target, uint64_t elr)
{
	const struct vcpu_state *vcpu = replay_target_vcpu(target);
	uint32_t word;
	return vcpu->pc == elr ||
	       (vcpu->pc == elr - 4 &&
		guest_memory_read(timeline_memory(target->timeline), vcpu, (va_t){vcpu->pc}, &word, sizeof(word)) &&
		(word & SVC_MASK) == SVC);
}

/* Come from a handler to the end of a vector: back through it to where the exception came from. gdb takes the middle of
 * the table for a part of a function, whose beginning it would look for. */
static struct stop leave_vector(struct replay_target *target, uint64_t vector, struct error *error)
{
	struct timeline_place end = timeline_place(target->timeline);
	const struct vcpu_state *vcpu = replay_target_vcpu(target);
	uint64_t elr = vcpu->elr_el1;
	struct stop stop = stepped;
	while (stop.kind == STOP_STEPPED && exceptions_vector_of(vcpu, vcpu->pc) == vector) {
		if (replay_target_is_breakpoint(target, vcpu->pc))
			return stop;
		stop = one_back(target, error);
	}
	if (stop.kind != STOP_STEPPED || is_taken_here(target, elr))
		return stop;
	return timeline_return(target->timeline, end, error) ? stepped : failed;
}

static struct stop one_back_to_code(struct replay_target *target, struct error *error)
{
	const struct vcpu_state *vcpu = replay_target_vcpu(target);
	uint64_t from = exceptions_vector_of(vcpu, vcpu->pc);
	struct stop stop = one_back(target, error);
	uint64_t vector = exceptions_vector_of(vcpu, vcpu->pc);
	if (stop.kind == STOP_STEPPED && vector != UINT64_MAX && vector != from)
		stop = leave_vector(target, vector, error);
	target->stepped_back = stop.kind == STOP_STEPPED;
	return stop;
}

struct stop replay_target_step_back(struct replay_target *target, struct error *error)
{
	if (!passes(target))
		return one_back(target, error);
	for (;;) {
		struct stop stop = target->passing ? pass_back(target, error) : look_for_return(target, error);
		if (stop.kind != STOP_STEPPED)
			return stop;
		if (target->passing)
			continue;
		if (target->stepped_back)
			return stop;
		stop = one_back_to_code(target, error);
		if (stop.kind != STOP_STEPPED)
			return stop;
	}
}
