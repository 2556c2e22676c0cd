/* The stub's state machine: who waits for what, and the one place that sends.
 *
 *              stub_resume                    gdbstub_stopped (sends the stop)
 *   STOPPED -----------------> RUNNING ------------------------------------> STOPPED
 *      |                         +- the client leaves -> ENDING_RUN -gdbstub_stopped-> STOPPED
 *      |  qRcmd              gdbstub_monitor_done (sends OK, or what is wrong)
 *      +--------> MONITOR ------------------------------------> STOPPED
 *                    +- the client leaves -> ENDING_MONITOR -gdbstub_monitor_done-> STOPPED
 *
 * 1. While something is under way only an interrupt, D, k and vKill do anything: gdb sends nothing else then, and a
 *    reply to it would be taken for the one that is due.
 * 2. The target may end what it began before the operation returns. */
#include "gdbstub/packet.h"
#include "gdbstub/stop_reply.h"

#include <stdlib.h>
#include <string.h>

enum { PRINT_PIECE_BYTES = 0x4000, OUTPUT_BYTES_MAX = 16 << 20 };

struct gdbstub *gdbstub_new(const struct target_ops *ops, void *context)
{
	struct gdbstub *stub = calloc(1, sizeof *stub);

	if (!stub)
		return NULL;
	stub->ops = ops;
	stub->context = context;
	stub->stop = (struct target_stop){.reason = TARGET_STOP_STEP, .thread = ops->thread_current(context)};
	gdbstub_connect(stub);
	stub->is_attached = false;
	return stub;
}

void gdbstub_free(struct gdbstub *stub)
{
	if (!stub)
		return;
	gdb_breakpoints_clear(&stub->breakpoints, stub->ops, stub->context);
	text_free(&stub->frame.payload);
	text_free(&stub->reply);
	text_free(&stub->scratch);
	text_free(&stub->last);
	text_free(&stub->output);
	text_free(&stub->held);
	free(stub);
}

void gdbstub_connect(struct gdbstub *stub)
{
	stub->is_attached = true;
	stub->is_leaving = false;
	stub->is_interrupted = false;
	stub->is_extended = false;
	stub->no_ack = false;
	stub->knows_swbreak = stub->knows_hwbreak = false;
	stub->physical = false;
	stub->single_step = STUB_STEP_ALL;
	stub->thread = stub->stop.thread;
	stub->thread_resume = TARGET_THREAD_ANY;
	stub->frame.state = FRAME_IDLE;
	text_clear(&stub->last);
	text_clear(&stub->output);
	text_clear(&stub->held);
	stub->is_in_progress = stub->is_refused = stub->is_moved = false;
}

void stub_release(struct gdbstub *stub)
{
	gdb_breakpoints_clear(&stub->breakpoints, stub->ops, stub->context);
	if (stub->state == STUB_RUNNING || stub->state == STUB_MONITOR) {
		stub->state = stub->state == STUB_RUNNING ? STUB_ENDING_RUN : STUB_ENDING_MONITOR;
		stub->ops->interrupt(stub->context);
	}
}

void gdbstub_disconnect(struct gdbstub *stub)
{
	stub_release(stub);
	if (stub->is_attached)
		stub->ops->detach(stub->context);
	stub->is_attached = false;
}

bool gdbstub_is_leaving(const struct gdbstub *stub)
{
	return stub->is_leaving || stub->output.failed;
}

bool gdbstub_is_busy(const struct gdbstub *stub)
{
	return stub->state != STUB_STOPPED;
}

const void *gdbstub_output(const struct gdbstub *stub, size_t *count)
{
	*count = stub->output.count;
	return stub->output.data;
}

void gdbstub_sent(struct gdbstub *stub, size_t count)
{
	text_drop_front(&stub->output, count);
}

void stub_send(struct gdbstub *stub, const struct text *payload)
{
	const size_t start = stub->output.count;

	if (payload->failed)
		stub->is_leaving = true;
	frame_encode(&stub->output, payload->data, payload->count);
	if (stub->no_ack || stub->output.failed)
		return;
	text_clear(&stub->last);
	text_add(&stub->last, stub->output.data + start, stub->output.count - start);
}

void stub_resume(struct gdbstub *stub, const struct target_resume *resume)
{
	struct target_resume how = *resume;

	how.into_interrupts = gdbstub_steps_into_interrupts(stub);
	stub->state = STUB_RUNNING;
	stub->ops->resume(stub->context, &how);
	if (stub->is_interrupted && stub->state == STUB_RUNNING)
		stub->ops->interrupt(stub->context);
	stub->is_interrupted = false;
}

static void acknowledge(struct gdbstub *stub, char how)
{
	if (!stub->no_ack)
		text_byte(&stub->output, how);
}

/* Once acknowledgements are off, checksums need not be looked at: there is no way to ask again. */
static void take_packet(struct gdbstub *stub, bool is_corrupt)
{
	if (is_corrupt && !stub->no_ack) {
		acknowledge(stub, '-');
		return;
	}
	acknowledge(stub, '+');
	const bool no_ack = stub->no_ack;
	if (!packet_handle(stub, stub->frame.payload.data, stub->frame.payload.count))
		return;
	stub_send(stub, &stub->reply);
	if (!no_ack && stub->no_ack)
		text_clear(&stub->last);
}

static void take_event(struct gdbstub *stub, enum frame_event event)
{
	switch (event) {
	case FRAME_NOTHING:
		break;
	case FRAME_PACKET:
	case FRAME_CORRUPT:
		take_packet(stub, event == FRAME_CORRUPT);
		break;
	case FRAME_TOO_LONG:
		acknowledge(stub, '+');
		if (stub->state == STUB_STOPPED) {
			packet_refuse(stub);
			stub_send(stub, &stub->reply);
		}
		break;
	case FRAME_ACK:
		text_clear(&stub->last);
		break;
	case FRAME_NAK:
		text_add(&stub->output, stub->last.data, stub->last.count);
		break;
	case FRAME_INTERRUPT:
		if (stub->state == STUB_RUNNING || stub->state == STUB_MONITOR)
			stub->ops->interrupt(stub->context);
		else if (stub->state == STUB_STOPPED)
			stub->is_interrupted = true; /* it crossed a stop after which gdb may go on unasked */
		break;
	}
}

size_t gdbstub_feed(struct gdbstub *stub, const void *bytes, size_t count)
{
	const uint8_t *from = bytes;
	size_t done = 0;

	while (done < count && stub->is_attached && stub->output.count < OUTPUT_BYTES_MAX)
		take_event(stub, frame_byte(&stub->frame, from[done++]));
	return stub->is_attached ? done : count;
}

static void put_text(struct gdbstub *stub, const char *text, size_t count)
{
	for (size_t done = 0; done < count && stub->output.count < OUTPUT_BYTES_MAX; done += PRINT_PIECE_BYTES) {
		const size_t left = count - done;

		text_clear(&stub->reply);
		text_byte(&stub->reply, 'O');
		text_hex(&stub->reply, text + done, left < PRINT_PIECE_BYTES ? left : PRINT_PIECE_BYTES);
		stub_send(stub, &stub->reply);
	}
}

void gdbstub_stopped(struct gdbstub *stub, const struct target_stop *stop)
{
	const enum stub_state before = stub->state;

	stub->stop = *stop;
	if (before == STUB_RUNNING || before == STUB_ENDING_RUN)
		stub->state = STUB_STOPPED;
	stub->is_moved |= before == STUB_MONITOR;
	if (before != STUB_RUNNING)
		return; /* gdb still believes in the thread that it selected */
	stub->thread = stop->thread;
	if (stub->is_in_progress)
		put_text(stub, "\n", 1);
	stub->is_in_progress = false;
	text_clear(&stub->reply);
	stop_reply_put(stub, &stub->reply);
	stub_send(stub, &stub->reply);
}

bool gdbstub_wants_stop(const struct gdbstub *stub, const struct target_stop *stop)
{
	return gdb_breakpoints_want(&stub->breakpoints, stub->ops, stub->context, stop);
}

const uint8_t *gdbstub_conditions(const struct gdbstub *stub, enum target_break_kind kind, uint64_t address,
				  size_t *bytes)
{
	return gdb_breakpoints_conditions(&stub->breakpoints, kind, address, bytes);
}

static void put_held(struct gdbstub *stub)
{
	put_text(stub, stub->held.data, stub->held.count);
	text_clear(&stub->held);
}

void gdbstub_print(struct gdbstub *stub, const char *text, size_t count)
{
	if (stub->state != STUB_RUNNING && stub->state != STUB_MONITOR)
		return;
	put_held(stub);
	if (stub->is_in_progress)
		put_text(stub, "\n", 1);
	stub->is_in_progress = false;
	if (stub->state == STUB_MONITOR && count <= PRINT_PIECE_BYTES)
		text_add(&stub->held, text, count);
	else
		put_text(stub, text, count);
}

/* What is held stays held: it may be the reply. An empty text shows nothing, but gdb knows by it that the target is
 * there. */
void gdbstub_progress(struct gdbstub *stub, const char *text, size_t count)
{
	const bool is_held = stub->held.count > 0;

	if (stub->state != STUB_RUNNING && stub->state != STUB_MONITOR)
		return;
	stub->is_in_progress = stub->is_in_progress || !is_held;
	text_clear(&stub->reply);
	text_byte(&stub->reply, 'O');
	text_hex(&stub->reply, text, is_held ? 0 : count);
	stub_send(stub, &stub->reply);
}

void gdbstub_monitor_done(struct gdbstub *stub, bool ok)
{
	const enum stub_state before = stub->state;

	if (before != STUB_MONITOR && before != STUB_ENDING_MONITOR)
		return;
	if (before == STUB_MONITOR && ok)
		put_held(stub);
	stub->state = STUB_STOPPED;
	stub->is_in_progress = false;
	stub->is_refused = !ok;
	text_clear(&stub->reply);
	if (ok)
		text_add(&stub->reply, "OK", 2);
	else if (stub->held.count == 0)
		text_add(&stub->reply, "E01", 3);
	else
		text_hex(&stub->reply, stub->held.data, stub->held.count);
	text_clear(&stub->held);
	if (before == STUB_MONITOR)
		stub_send(stub, &stub->reply);
}

bool gdbstub_physical(const struct gdbstub *stub)
{
	return stub->physical;
}

void gdbstub_set_physical(struct gdbstub *stub, bool physical)
{
	stub->physical = physical;
}

bool gdbstub_steps_into_interrupts(const struct gdbstub *stub)
{
	return !(stub->single_step & STUB_STEP_NOIRQ);
}

void gdbstub_set_steps_into_interrupts(struct gdbstub *stub, bool into)
{
	stub->single_step = into ? stub->single_step & ~(uint32_t)STUB_STEP_NOIRQ : stub->single_step | STUB_STEP_NOIRQ;
}
