/* struct target_ops on a timeline. A resume only begins here; the server's loop goes on with it (replay_target_run), so
 * that gdb's interrupt is heard meanwhile.
 *
 * A write begins a diversion (target_writes.c). What goes backwards, and a client that leaves, end it; monitor commands
 * see to it themselves. */
#include "replay/debugger/target.h"
#include "replay/debugger/monitor.h"
#include "replay/debugger/target_state.h"
#include "replay/guest/guest_memory.h"
#include "replay/travel/diversion.h"
#include "replay/travel/kernel_table.h"
#include "replay/travel/program_place.h"

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
	return timeline_vcpu_index(target->timeline);
}

static bool memory_read(void *context, uint32_t thread, struct target_address address, void *bytes, size_t count)
{
	struct replay_target *target = context;
	if (address.space == TARGET_PHYSICAL)
		return guest_memory_read_physical(timeline_memory(target->timeline), (ipa_t){address.v}, bytes, count);
	return kernel_table_read(target->timeline, vcpu_of(target, thread), (va_t){address.v}, bytes, count);
}

static void resume(void *context, const struct target_resume *request)
{
	struct replay_target *target = context;
	target->resume = *request;
	target->running = true;
	target->interrupted = false;
	target->skip_access = target->retired = false;
	target->thread = request->thread == TARGET_THREAD_ANY ? timeline_vcpu_index(target->timeline) : request->thread;
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

/* What runs was interrupted; its end is reported as always. The next client finds the guest where this one left it, or
 * left the recording. */
static void client_gone(void *context)
{
	struct replay_target *target = context;
	target->client_left = diversion_is_on(target->timeline);
	target->skips_brk = target->calls_known = false;
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
	.thread_text = replay_target_thread_text,
	.register_read = replay_target_register_read,
	.register_write = replay_target_register_write,
	.memory_read = memory_read,
	.memory_write = replay_target_memory_write,
	.breakpoint_insert = replay_target_breakpoint_insert,
	.breakpoint_remove = replay_target_breakpoint_remove,
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
	return target->running || target->monitor_line || target->monitor_over || target->client_left ||
	       target->broken.status != STATUS_OK;
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

/* The stub hears of the end at the next turn: what the client has sent meanwhile, to end the command, comes first. */
static void run_monitor(struct replay_target *target)
{
	struct timeline_place before = timeline_place(target->timeline);
	bool diverted = diversion_is_on(target->timeline);
	target->monitor_ok = monitor_command(target->timeline, target->stub, target->monitor_line);
	target->monitor_over = true;
	free(target->monitor_line);
	target->monitor_line = NULL;
	struct timeline_place here = timeline_place(target->timeline);
	if (here.n != before.n || here.pc != before.pc || diversion_is_on(target->timeline) != diverted)
		replay_target_moved(target);
}

/* Leaves a diversion that nobody knows of any more. */
static bool leave_after_client(struct replay_target *target, struct error *error)
{
	target->client_left = false;
	if (!diversion_leave(target->timeline, error))
		return false;
	if (!target->running)
		replay_target_moved(target);
	return true;
}

/* One turn of a resume. */
static struct stop turn(struct replay_target *target, struct error *error)
{
	bool diverted = diversion_is_on(target->timeline);
	if (diverted && target->resume.reverse)
		return (struct stop){replay_target_leave_to_go_back(target, error) ? STOP_NONE : STOP_FAILED, 0};
	if (target->interrupted) {
		if (!diverted)
			replay_target_searched(target);
		return (struct stop){STOP_INTERRUPTED, 0};
	}
	return diverted ? replay_target_turn_diverted(target, error) : replay_target_turn(target, error);
}

bool replay_target_run(struct replay_target *target, struct error *error)
{
	if (target->broken.status != STATUS_OK) {
		*error = target->broken;
		return false;
	}
	if (target->monitor_line) {
		run_monitor(target);
		return true;
	}
	if (target->monitor_over) {
		target->monitor_over = false;
		gdbstub_monitor_done(target->stub, target->monitor_ok);
		return true;
	}
	if (target->client_left)
		return leave_after_client(target, error);
	struct stop stop = turn(target, error);
	if (stop.kind != STOP_FAILED)
		replay_target_report(target, stop);
	return stop.kind != STOP_FAILED;
}
