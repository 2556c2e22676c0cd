/* Packets that make the target run, in both directions, and those that end a session: vCont, c, s, C, S, bc, bs, R,
 * vRun, D, k; and QEMU's switches for steps. A machine has no signals to be delivered: the numbers in C and S are read
 * and mean nothing. Who runs when is the target's affair too: a thread is named only as the one that a step is counted
 * for. */
#include "gdbstub/gdb_registers.h"
#include "gdbstub/packet_rows.h"
#include "gdbstub/stop_reply.h"

#include <string.h>

/* Backwards gdb says "any thread" before a step of the one that its user looks at. */
static enum packet_reply resume(struct gdbstub *stub, enum target_action action, bool reverse)
{
	const bool is_any = stub->thread_resume == TARGET_THREAD_ANY;
	const bool is_step = action != TARGET_CONTINUE;
	const struct target_resume how = {
		.action = action, .reverse = reverse, .thread = is_any && is_step ? stub->thread : stub->thread_resume};

	stub_resume(stub, &how);
	return PACKET_NONE;
}

enum packet_reply packet_reverse_continue(struct gdbstub *stub, struct args *args)
{
	(void)args;
	return resume(stub, TARGET_CONTINUE, true);
}

enum packet_reply packet_reverse_step(struct gdbstub *stub, struct args *args)
{
	(void)args;
	return resume(stub, TARGET_STEP, true);
}

/* "[address]": where to go on. */
static enum packet_reply resume_at(struct gdbstub *stub, struct args *args, enum target_action action)
{
	const bool is_moved = args->left > 0;
	const struct target_value pc = {.low = is_moved ? args_hex(args) : 0};

	if (!args_done(args))
		return PACKET_E_MALFORMED;
	if (is_moved && !stub->ops->register_write(stub->context, stub->thread, GDB_REG_pc, &pc))
		return PACKET_E_FAILED;
	return resume(stub, action, false);
}

/* "signal[;address]" */
static enum packet_reply resume_signal(struct gdbstub *stub, struct args *args, enum target_action action)
{
	args_hex(args);
	if (args->failed || (args->left > 0 && (!args_accept(args, ';') || args->left == 0)))
		return PACKET_E_MALFORMED;
	return resume_at(stub, args, action);
}

enum packet_reply packet_continue(struct gdbstub *stub, struct args *args)
{
	return resume_at(stub, args, TARGET_CONTINUE);
}

enum packet_reply packet_step(struct gdbstub *stub, struct args *args)
{
	return resume_at(stub, args, TARGET_STEP);
}

enum packet_reply packet_continue_signal(struct gdbstub *stub, struct args *args)
{
	return resume_signal(stub, args, TARGET_CONTINUE);
}

enum packet_reply packet_step_signal(struct gdbstub *stub, struct args *args)
{
	return resume_signal(stub, args, TARGET_STEP);
}

enum packet_reply packet_vcont_query(struct gdbstub *stub, struct args *args)
{
	static const char actions[] = "vCont;c;C;s;S;t;r";

	(void)args;
	text_add(&stub->reply, actions, sizeof actions - 1);
	return PACKET_TEXT;
}

/* One action of vCont, "action[:thread-id]". False: malformed. *is_running: it is not `t`. */
static bool take_action(struct gdbstub *stub, struct args *args, struct target_resume *how, bool *is_running)
{
	if (args->left == 0)
		return false;
	const char letter = *args->at;
	if (letter == '\0' || !strchr("cCsStr", letter))
		return false;
	args_accept(args, letter);
	if (letter == 'C' || letter == 'S')
		args_hex(args);
	how->action = letter == 'r'                    ? TARGET_STEP_RANGE
		      : letter == 's' || letter == 'S' ? TARGET_STEP
						       : TARGET_CONTINUE;
	*is_running = letter != 't';
	if (letter == 'r') {
		how->range_start.v = args_hex(args);
		args_expect(args, ',');
		how->range_end.v = args_hex(args);
	}
	how->thread = TARGET_THREAD_ANY;
	if (args_accept(args, ':')) {
		const int64_t id = args_thread(args);

		if (id > stub->ops->thread_count(stub->context))
			return false;
		if (id > 0)
			how->thread = (uint32_t)(id - 1);
	}
	return args_done(args);
}

/* gdb steps one thread and lets the others run: the first step there is decides, otherwise the first action. */
enum packet_reply packet_vcont(struct gdbstub *stub, struct args *args)
{
	struct target_resume chosen = {.action = TARGET_CONTINUE};
	bool is_any_running = false;

	do {
		struct args part = args_until(args, ';');
		struct target_resume how = {.action = TARGET_CONTINUE};
		bool is_running;

		if (!take_action(stub, &part, &how, &is_running))
			return PACKET_E_MALFORMED;
		if (is_running &&
		    (!is_any_running || (chosen.action == TARGET_CONTINUE && how.action != TARGET_CONTINUE)))
			chosen = how;
		is_any_running = is_any_running || is_running;
	} while (args->left > 0);
	if (!is_any_running)
		return packet_stop_reason(stub, args);
	stub_resume(stub, &chosen);
	return PACKET_NONE;
}

static bool restart(struct gdbstub *stub)
{
	if (!stub->ops->restart(stub->context))
		return false;
	stub->thread = stub->ops->thread_current(stub->context);
	stub->stop = (struct target_stop){.reason = TARGET_STOP_STEP, .thread = stub->thread};
	return true;
}

/* No reply: gdb asks with ? where it is now. */
enum packet_reply packet_restart(struct gdbstub *stub, struct args *args)
{
	(void)args;
	restart(stub);
	return PACKET_NONE;
}

/* Whatever program gdb names, it is the recording that begins again. */
enum packet_reply packet_run(struct gdbstub *stub, struct args *args)
{
	(void)args;
	if (!restart(stub))
		return PACKET_E_FAILED;
	stop_reply_put(stub, &stub->reply);
	return PACKET_TEXT;
}

static void leave(struct gdbstub *stub, void (*how)(void *context))
{
	stub_release(stub);
	stub->is_attached = false;
	stub->is_leaving = true;
	how(stub->context);
}

enum packet_reply packet_detach(struct gdbstub *stub, struct args *args)
{
	if (args->left > 0 && *args->at != ';')
		return PACKET_E_MALFORMED;
	leave(stub, stub->ops->detach);
	return PACKET_OK;
}

enum packet_reply packet_extended(struct gdbstub *stub, struct args *args)
{
	(void)args;
	stub->is_extended = true;
	return PACKET_OK;
}

/* In extended mode gdb's `run` is a kill and a restart: the target has to live on. */
enum packet_reply packet_kill(struct gdbstub *stub, struct args *args)
{
	(void)args;
	if (stub->is_extended)
		stub_release(stub);
	else
		leave(stub, stub->ops->kill);
	return PACKET_NONE;
}

enum packet_reply packet_vkill(struct gdbstub *stub, struct args *args)
{
	packet_kill(stub, args);
	return PACKET_OK;
}

enum packet_reply packet_step_bits(struct gdbstub *stub, struct args *args)
{
	(void)args;
	text_format(&stub->reply, "ENABLE=%x,NOIRQ=%x,NOTIMER=%x", STUB_STEP_ENABLE, STUB_STEP_NOIRQ,
		    STUB_STEP_NOTIMER);
	return PACKET_TEXT;
}

enum packet_reply packet_step_mode(struct gdbstub *stub, struct args *args)
{
	(void)args;
	text_format(&stub->reply, "0x%x", stub->single_step);
	return PACKET_TEXT;
}

enum packet_reply packet_set_step_mode(struct gdbstub *stub, struct args *args)
{
	args_word(args, "0x");
	const uint64_t bits = args_hex(args);
	if (!args_done(args) || (bits & ~(uint64_t)STUB_STEP_ALL) != 0)
		return PACKET_E_MALFORMED;
	stub->single_step = (uint32_t)bits;
	return PACKET_OK;
}
