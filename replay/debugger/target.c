/* struct target_ops on a timeline. A resume only begins here; the server's loop goes on with it (replay_target_run), so
 * that gdb's interrupt is heard meanwhile.
 *
 * A write begins a diversion (target_writes.c). What goes backwards, and a client that leaves, end it; monitor commands
 * see to it themselves. */
#include "replay/debugger/target.h"
#include "replay/travel/diversion.h"
#include "replay/guest/guest_memory.h"
#include "replay/travel/kernel_table.h"
#include "replay/debugger/monitor.h"
#include "replay/travel/program_place.h"
#include "replay/debugger/target_state.h"

#include <stdlib.h>
#include <string.h>

struct replay_target *replay_target_new(struct timeline *timeline, bool placed)
{
	struct replay_target *target = calloc(1, sizeof(*target));
	if (target) {
		target->timeline = timeline;
		target->broken.status = STATUS_OK;
		target->place = placed ? PLACE_NONE : PLACE_UNKNOWN;
		replay_target_listen(target);
	}
	return target;
}

void replay_target_free(struct replay_target *target)
{
	if (target) {
		free(target->monitor_line);
		free(target->points);
		free(target->conditions);
		free(target->kinds);
	}
	free(target);
}

void replay_target_attach(struct replay_target *target, struct gdbstub *stub)
{
	target->stub = stub;
}

static const struct vcpu_state *vcpu_of(const struct replay_target *target, uint32_t thread)
{
	return &timeline_state(target->timeline)->vcpu[thread % GUEST_VCPU_MAX];
}

static uint32_t thread_count(void *context)
{
	const struct replay_target *target = context;
	return timeline_state(target->timeline)->vcpu_count;
}

static uint32_t thread_current(void *context)
{
	const struct replay_target *target = context;
	return timeline_state(target->timeline)->current;
}

static bool memory_read(void *context, uint32_t thread, struct target_address address, void *bytes, size_t count)
{
	struct replay_target *target = context;
	if (address.space == TARGET_PHYSICAL)
		return guest_memory_read_physical(timeline_memory(target->timeline), (ipa_t){address.v}, bytes, count);
	return kernel_table_read(target->timeline, vcpu_of(target, thread), (va_t){address.v}, bytes, count);
}

static uint32_t access_of(enum target_break_kind kind)
{
	switch (kind) {
	case TARGET_WATCH_WRITE:
		return HV_DEBUG_WRITE;
	case TARGET_WATCH_READ:
		return HV_DEBUG_READ;
	case TARGET_WATCH_ACCESS:
		return HV_DEBUG_READ | HV_DEBUG_WRITE;
	case TARGET_BREAK_SOFTWARE:
	case TARGET_BREAK_HARDWARE:
	case TARGET_BREAK_KIND_COUNT:
	default:
		return 0;
	}
}

/* A watched range may need as many as it likes. */
enum { POINT_COUNT_MAX = 65536 };

static bool point_add(struct replay_target *target, const struct hv_debug_point *point, enum target_break_kind kind)
{
	if (target->point_count == POINT_COUNT_MAX)
		return false;
	if (target->point_count == target->point_room) {
		size_t room = target->point_room == 0 ? 16 : target->point_room * 2;
		struct hv_debug_point *points = realloc(target->points, room * sizeof(*points));
		if (points)
			target->points = points;
		enum target_break_kind *kinds = realloc(target->kinds, room * sizeof(*kinds));
		if (kinds)
			target->kinds = kinds;
		if (!points || !kinds)
			return false;
		target->point_room = room;
	}
	target->kinds[target->point_count] = kind;
	target->points[target->point_count++] = *point;
	return true;
}

/* The first piece of a watched range: inside one doubleword, or a power of two of bytes at a multiple of itself. */
static uint64_t piece_bytes(uint64_t at, uint64_t left)
{
	uint64_t bytes = 8 - at % 8;
	if (bytes < 8 || left < 16)
		return bytes < left ? bytes : left;
	while (bytes < UINT64_C(1) << 31 && at % (2 * bytes) == 0 && 2 * bytes <= left)
		bytes *= 2;
	return bytes;
}

/* The point of a breakpoint, or that of a watched range which begins `done` bytes behind its start. */
static struct hv_debug_point point_of(const struct target_breakpoint *breakpoint, uint64_t done)
{
	uint32_t access = access_of(breakpoint->kind);
	uint64_t at = breakpoint->address.v + done;
	uint64_t bytes = access == 0 ? 0 : piece_bytes(at, breakpoint->bytes - done);
	return (struct hv_debug_point){.address = at, .bytes = (uint32_t)bytes, .access = access};
}

/* How much of a breakpoint its point covers: one is enough for all of what is no watched range. */
static uint64_t covered_bytes(const struct target_breakpoint *breakpoint, const struct hv_debug_point *point)
{
	return point->bytes == 0 ? breakpoint->bytes : point->bytes;
}

static bool breakpoint_insert(void *context, const struct target_breakpoint *breakpoint)
{
	struct replay_target *target = context;
	struct hv_debug_point point;
	size_t before = target->point_count;
	for (uint64_t done = 0; done < breakpoint->bytes; done += covered_bytes(breakpoint, &point)) {
		point = point_of(breakpoint, done);
		if (!point_add(target, &point, breakpoint->kind)) {
			target->point_count = before;
			return false;
		}
	}
	return true;
}

/* One of those that are like it: watched ranges may overlap. */
static void point_remove(struct replay_target *target, const struct hv_debug_point *point, enum target_break_kind kind)
{
	size_t i = 0, last = target->point_count - 1;
	while (i < target->point_count && (target->kinds[i] != kind || target->points[i].address != point->address ||
					   target->points[i].bytes != point->bytes))
		i++;
	if (i == target->point_count)
		return;
	memmove(&target->kinds[i], &target->kinds[i + 1], (last - i) * sizeof(*target->kinds));
	memmove(&target->points[i], &target->points[i + 1], (last - i) * sizeof(*target->points));
	target->point_count = last;
}

static void breakpoint_remove(void *context, const struct target_breakpoint *breakpoint)
{
	struct hv_debug_point point;
	for (uint64_t done = 0; done < breakpoint->bytes; done += covered_bytes(breakpoint, &point)) {
		point = point_of(breakpoint, done);
		point_remove(context, &point, breakpoint->kind);
	}
}

static void resume(void *context, const struct target_resume *request)
{
	struct replay_target *target = context;
	target->resume = *request;
	target->running = true;
	target->interrupted = false;
	target->skip_access = false;
	target->stepped = 0;
	target->search_ns = 0;
	target->pass = true;
	target->passing = target->stepped_back = target->skips_brk = false;
	target->origin = timeline_place(target->timeline);
	replay_target_take_conditions(target);
}

static void interrupt(void *context)
{
	struct replay_target *target = context;
	target->interrupted = true;
}

/* What runs was interrupted; its end is told as always. The next client finds the guest where this one left it, or left
 * the recording. */
static void client_gone(void *context)
{
	struct replay_target *target = context;
	target->client_left = diversion_is_on(target->timeline);
	target->skips_brk = target->calls_told = false;
}

static bool restart(void *context)
{
	struct replay_target *target = context;
	struct error error = {.status = STATUS_OK};
	return timeline_goto(target->timeline, timeline_start_n(target->timeline), &error);
}

/* Like a resume, it only begins here. */
static void monitor(void *context, const char *command)
{
	struct replay_target *target = context;
	target->interrupted = false;
	target->monitor_ending = false;
	target->monitor_line = strdup(command);
	if (!target->monitor_line)
		gdbstub_monitor_done(target->stub, false);
}

/* Finding a kernel takes a moment; it does not move. */
static bool program_va(void *context, va_t *start)
{
	struct replay_target *target = context;
	if (target->place == PLACE_UNKNOWN)
		target->place = program_place_find(target->timeline, &target->program_va) ? PLACE_FOUND : PLACE_NONE;
	start->v = target->program_va;
	return target->place == PLACE_FOUND;
}

const struct target_ops replay_target_ops = {
	.thread_count = thread_count,
	.thread_current = thread_current,
	.register_read = replay_target_register_read,
	.register_write = replay_target_register_write,
	.memory_read = memory_read,
	.memory_write = replay_target_memory_write,
	.breakpoint_insert = breakpoint_insert,
	.breakpoint_remove = breakpoint_remove,
	.resume = resume,
	.interrupt = interrupt,
	.detach = client_gone,
	.kill = client_gone,
	.restart = restart,
	.monitor = monitor,
	.notice = replay_target_notice,
	.program_va = program_va,
};

bool replay_target_running(const struct replay_target *target)
{
	return target->running || target->monitor_line || target->client_left || target->broken.status != STATUS_OK;
}

bool replay_target_in_monitor(const struct replay_target *target)
{
	return target->monitor_line;
}

bool replay_target_monitor_ends(struct replay_target *target, bool wanted)
{
	bool ends = target->monitor_line && !target->monitor_ending && (target->interrupted || wanted);
	target->monitor_ending |= ends;
	return ends;
}

const struct vcpu_state *replay_target_vcpu(const struct replay_target *target)
{
	const struct guest_state *state = timeline_state(target->timeline);
	return &state->vcpu[state->current];
}

bool replay_target_is_breakpoint(const struct replay_target *target, uint64_t address)
{
	for (size_t i = 0; i < target->point_count; i++) {
		if (target->points[i].bytes == 0 && target->points[i].address == address)
			return true;
	}
	return false;
}

static bool is_at(const struct hv_debug_point *point, uint64_t address)
{
	return point->bytes == 0 ? address == point->address : address - point->address < point->bytes;
}

/* Whether gdb wants a stop at a breakpoint or watchpoint, and as which of those that are there. */
static bool is_wanted(const struct replay_target *target, struct target_stop *stop)
{
	for (size_t i = 0; i < target->point_count; i++) {
		if ((stop->reason == TARGET_STOP_WATCHPOINT) != (target->points[i].bytes != 0) ||
		    !is_at(&target->points[i], stop->address.v))
			continue;
		stop->kind = target->kinds[i];
		if (gdbstub_wants_stop(target->stub, stop))
			return true;
	}
	return false;
}

void replay_target_stopped(struct replay_target *target, enum target_reason reason, uint64_t address, uint8_t code)
{
	struct target_stop stop = {.reason = reason,
				   .thread = thread_current(target),
				   .kind = TARGET_BREAK_SOFTWARE,
				   .address = {address},
				   .code = code};
	bool conditional = reason == TARGET_STOP_BREAKPOINT || reason == TARGET_STOP_WATCHPOINT;
	target->skip_access = reason == TARGET_STOP_WATCHPOINT;
	if (conditional && !is_wanted(target, &stop)) {
		target->origin = timeline_place(target->timeline);
		target->pass = true;
		return; /* its condition is false: run on */
	}
	target->running = false;
	gdbstub_stopped(target->stub, &stop);
}

void replay_target_stopped_elsewhere(struct replay_target *target)
{
	struct target_stop stop = {.reason = TARGET_STOP_SIGNAL, .thread = thread_current(target), .code = SIGNAL_TRAP};
	gdbstub_stopped(target->stub, &stop);
}

static void run_monitor(struct replay_target *target)
{
	struct timeline_place before = timeline_place(target->timeline);
	bool diverted = diversion_is_on(target->timeline);
	bool ok = monitor_command(target->timeline, target->stub, target->monitor_line);
	free(target->monitor_line);
	target->monitor_line = NULL;
	struct timeline_place here = timeline_place(target->timeline);
	if (here.n != before.n || here.pc != before.pc || diversion_is_on(target->timeline) != diverted)
		replay_target_stopped_elsewhere(target);
	gdbstub_monitor_done(target->stub, ok);
}

bool replay_target_run(struct replay_target *target, const struct pollfd *wake, nfds_t wake_count, struct error *error)
{
	struct engine *engine = timeline_engine(target->timeline);
	bool good;
	if (target->broken.status != STATUS_OK) {
		*error = target->broken;
		return false;
	}
	if (target->monitor_line) {
		run_monitor(target);
		return true;
	}
	if (target->client_left)
		return replay_target_leave_after_client(target, error);
	if (target->running && target->resume.reverse && diversion_is_on(target->timeline))
		return replay_target_leave_to_go_back(target, error);
	if (target->interrupted) {
		if (!diversion_is_on(target->timeline))
			replay_target_searched(target);
		replay_target_stopped(target, TARGET_STOP_SIGNAL, 0, SIGNAL_INTERRUPT);
		return true;
	}
	engine->wake = wake;
	engine->wake_count = wake_count;
	good = diversion_is_on(target->timeline) ? replay_target_turn_diverted(target, error)
						 : replay_target_turn(target, error);
	engine->wake_count = 0;
	return good;
}
