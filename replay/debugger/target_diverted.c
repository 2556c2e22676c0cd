/* A replay target in a diversion: what the guest prints, its runs, and the ends of it. */
#include "replay/debugger/target_state.h"
#include "replay/travel/diversion.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a diverted guest prints goes to gdb's console. */
static void console_print(void *context, const uint8_t *bytes, size_t count)
{
	const struct replay_target *target = context;
	gdbstub_print(target->stub, (const char *)bytes, count);
}

__attribute__((format(printf, 2, 3))) static void say(const struct replay_target *target, const char *format, ...)
{
	char text[ERROR_TEXT_BYTES];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (length > 0)
		gdbstub_print(target->stub, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void replay_target_listen(struct replay_target *target)
{
	engine_listen(timeline_engine(target->timeline), console_print, target);
}

/* Why a diverted guest does not go on. What hv does not support it says itself. */
static void say_end(const struct replay_target *target)
{
	const struct engine *engine = timeline_engine(target->timeline);
	uint32_t reason = engine_end_reason(engine);
	if (reason == END_REASON_UNSUPPORTED)
		say(target, "the diverted guest: %.*s\n", HV_TEXT_BYTES, engine_end_text(engine));
	else
		say(target, "the diverted guest %s\n", reason_end_sentence(reason));
}

/* Whether hv gave the turn to another one before the thread had executed an instruction. */
static bool is_turn_lost(const struct replay_target *target, const struct vcpu_state *before)
{
	const struct vcpu_state *now = replay_target_vcpu(target);
	return !replay_target_is_turn(target) && now->pc == before->pc &&
	       memcmp(now->x, before->x, sizeof(now->x)) == 0;
}

/* On to where the thread that is stepped has its turn, which hv gives: to its next instruction, or an interrupt's
 * vector. Without breakpoints left for them instruction by instruction. */
static struct stop run_to_turn(struct replay_target *target, struct error *error)
{
	uint64_t places[EXCEPTION_VECTORS];
	const struct vcpu_state *vcpu = replay_target_vcpu(target);
	struct search search = replay_target_search(target);
	struct hv_debug_point *points = calloc(target->point_count + EXCEPTION_VECTORS, sizeof(*points));
	if (!points)
		return error_set(error, STATUS_FAILED, "out of memory"), (struct stop){STOP_FAILED, 0};
	if (target->point_count > 0)
		memcpy(points, target->points, target->point_count * sizeof(*points));
	exceptions_vectors(vcpu, places);
	places[EXCEPTION_SYNCHRONOUS] = vcpu->pc;
	for (size_t i = 0; i <= EXCEPTION_FIQ; i++)
		points[search.points.count++].address = places[i];
	search.points.at = points;
	bool fits = diversion_points_fit(target->timeline, search.points);
	if (!fits)
		search.points = replay_target_points(target);
	struct stop stop = fits ? diversion_continue(target->timeline, &search, target->pass, error)
				: diversion_step(target->timeline, &search, error);
	free(points);
	target->pass = stop.kind == STOP_BREAKPOINT;
	bool is_told = target->pass && replay_target_is_breakpoint(target, stop.address) &&
		       !(replay_target_is_turn(target) && stop.address == places[EXCEPTION_SYNCHRONOUS]);
	return (target->pass && !is_told) || stop.kind == STOP_STEPPED ? (struct stop){STOP_NONE, 0} : stop;
}

static struct stop step(struct replay_target *target, struct error *error)
{
	const struct search search = replay_target_search(target);
	const struct vcpu_state before = *replay_target_vcpu(target);
	if (!replay_target_is_turn(target))
		return run_to_turn(target, error);
	struct stop stop = diversion_step(target->timeline, &search, error);
	if (stop.kind == STOP_STEPPED && is_turn_lost(target, &before))
		return (struct stop){STOP_NONE, 0};
	if (stop.kind != STOP_BREAKPOINT || replay_target_is_breakpoint(target, stop.address))
		return stop;
	/* Without a handler to pass over it is a step to the vector. */
	return (struct stop){replay_target_pass_begin(target) ? STOP_NONE : STOP_STEPPED, 0};
}

/* While an interrupt is passed over: on to where its handler returns. Without a breakpoint left for that the step ends
 * in the handler. */
static struct stop pass(struct replay_target *target, struct error *error)
{
	struct hv_debug_point *points = replay_target_points_and(target, target->interrupted_at.pc, error);
	struct search search = replay_target_search(target);
	struct stop stop = {points ? STOP_STEPPED : STOP_FAILED, 0};
	search.points.at = points;
	search.points.count++;
	target->passing = points && diversion_points_fit(target->timeline, search.points);
	if (target->passing)
		stop = diversion_continue(target->timeline, &search, target->pass, error);
	free(points);
	target->pass = stop.kind == STOP_BREAKPOINT && replay_target_pass_goes_on(target, stop.address);
	return target->pass ? (struct stop){STOP_NONE, 0} : stop;
}

static struct stop run_on(struct replay_target *target, struct error *error)
{
	const struct search search = replay_target_search(target);
	if (target->resume.action != TARGET_CONTINUE)
		return target->passing ? pass(target, error) : step(target, error);
	struct stop stop = diversion_continue(target->timeline, &search, target->pass, error);
	target->pass = false;
	return stop;
}

struct stop replay_target_turn_diverted(struct replay_target *target, struct error *error)
{
	char notice[TARGET_TEXT_BYTES];
	if (replay_target_notice(target, notice))
		say(target, "%s", notice);
	if (!diversion_points_fit(target->timeline, replay_target_points(target))) {
		say(target,
		    "a diversion has %d breakpoints and %d watchpoints, for the guest and gdb together; delete some\n",
		    GUEST_BREAKPOINT_COUNT, GUEST_WATCHPOINT_COUNT);
		return (struct stop){STOP_NO_ROOM, 0};
	}
	struct stop stop = run_on(target, error);
	target->skip_access = false;
	if (stop.kind == STOP_END)
		say_end(target);
	return stop.kind == STOP_INTERRUPTED ? (struct stop){STOP_NONE, 0} : stop;
}

bool replay_target_leave_to_go_back(struct replay_target *target, struct error *error)
{
	if (!diversion_leave(target->timeline, error))
		return false;
	target->origin = timeline_place(target->timeline);
	say(target, "back to the recording, instruction %" PRIu64 "\n", target->origin.n);
	return true;
}
