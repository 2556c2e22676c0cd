/* The recording loop: events from the machine's ring to the writer and the console, input and signals the other way.
 *
 * It sleeps in poll until the doorbell, input, a signal, or 20 ms, whatever is first. The machine rings only when it
 * needs something, so events wait in the ring for up to 20 ms. */
#include "recorder/record.h"
#include "hv/error/check.h"
#include "hv/host/event_console.h"
#include "hv/host/machine.h"
#include "hv/host/machine_process.h"
#include "hv/host/path.h"
#include "hv/host/session.h"
#include "hv/host/state_hash.h"
#include "recorder/devices.h"
#include "recorder/guest.h"
#include "recorder/hints.h"
#include "recorder/input.h"
#include "recorder/keyframes.h"
#include "recorder/outcome.h"
#include "recorder/pace.h"
#include "recorder/record_files.h"
#include "recorder/writer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 20, FULL_TICK_MS = 1, BATCH_EVENTS = 4096, TIMEOUT_S_MAX = 1000000000 };
#define STOP_BELL_NS INT64_C(50000000) /* between its bells: hv puts one off to an instruction that may not come */

struct recording {
	const struct record_options *options;
	struct machine *machine;
	struct trace_writer *trace;
	struct writer *writer;
	struct keyframes keyframes;
	struct console console;
	struct input input;
	struct text_watch until;
	struct hints hints;
	struct devices devices;
	struct pace pace;
	struct progress progress;
	char *machine_version; /* what QEMU says of itself */
	int signal_fd;
	int64_t start_ns, stop_ns, rang_ns; /* it was asked to stop at stop_ns (0: not), last rung for it at rang_ns */
	bool timed_out;
	bool until_shown;
	struct error failure; /* of the host, such as of writing the console: the recording ends, properly */
};

static void stop_request(struct recording *r)
{
	if (r->stop_ns != 0)
		return;
	r->stop_ns = r->rang_ns = session_now_ns();
	__atomic_store_n(&r->machine->mailbox->stop_request, 1, __ATOMIC_SEQ_CST);
	machine_wake(r->machine);
}

/* The console showed these bytes: somebody may wait for them. */
static void console_see(struct recording *r, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!input_see(&r->input, bytes[i], &r->failure))
			stop_request(r);
		if (text_watch_byte(&r->until, bytes[i])) {
			r->until_shown = true;
			stop_request(r);
		}
	}
}

/* Moves events from the ring to the writer, as many as it has room for. Returns whether any were left. */
static bool events_drain(struct recording *r)
{
	struct hv_mailbox *mailbox = r->machine->mailbox;
	uint8_t bytes[BATCH_EVENTS];
	for (;;) {
		uint64_t tail = mailbox->event_tail;
		uint64_t count = machine_index_load(&mailbox->event_head) - tail;
		uint64_t slot = tail % r->machine->boot->event_ring_count;
		uint64_t to_end = r->machine->boot->event_ring_count - slot;
		size_t room = writer_room(r->writer);
		CHECK(count <= r->machine->boot->event_ring_count);
		if (count == 0 || room == 0)
			return count != 0;
		count = count < to_end ? count : to_end;
		count = count < BATCH_EVENTS ? count : BATCH_EVENTS;
		count = count < room ? count : room;
		const struct event *events = &r->machine->events[slot];
		count = devices_see(&r->devices, events, count, tail);
		if (count == 0)
			return true;
		writer_give(r->writer, events, count);
		hints_see(&r->hints, events, count);
		size_t console = event_console_bytes(events, count, bytes);
		machine_index_store(&mailbox->event_tail, tail + count);
		console_see(r, bytes, console);
		if (!console_write(&r->console, bytes, console, &r->failure)) {
			r->console.output_fd = -1;
			stop_request(r);
		}
	}
}

/* Takes the keyframe that hv stands still for, or asks for the next one. */
static void keyframes_turn(struct recording *r)
{
	if (keyframes_due(&r->keyframes)) {
		struct capture *capture = keyframes_take(&r->keyframes, session_now_ns());
		if (capture)
			writer_give_keyframe(r->writer, capture);
	} else if (writer_wants_keyframe(r->writer) && r->stop_ns == 0) {
		keyframes_request(&r->keyframes, session_now_ns());
	}
}

/* --pace real: lets guest time go on, and wakes a guest that has slept long enough. Returns when to look again. */
static int pace_ms(struct recording *r)
{
	uint64_t left = pace_update(&r->pace, r->machine->mailbox, (uint64_t)(session_now_ns() - r->start_ns));
	if (left == 0)
		machine_ring_if_waiting(r->machine);
	return left / 1000000 + 1 < TICK_MS && left != 0 ? (int)(left / 1000000) + 1 : TICK_MS;
}

/* Sleeps, and looks at the machine from here on: who changes anything later rings again. */
static void sleep_until_something(struct recording *r, struct pollfd *fds, size_t count)
{
	int ms = pace_ms(r);
	if (machine_asks(r->machine))
		ms = writer_has_room_for_data(r->writer) ? 0 : FULL_TICK_MS; /* the answer has to wait for the writer */
	devices_poll(&r->devices, fds, count, ms);
	__atomic_store_n(&r->machine->mailbox->packets_sent, 0, __ATOMIC_SEQ_CST);
	machine_doorbell_take(r->machine);
	pace_ms(r);
}

static void limits_check(struct recording *r, struct error *error)
{
	int64_t now = session_now_ns();
	if (r->options->timeout_s > 0 && r->stop_ns == 0 && (double)(now - r->start_ns) > r->options->timeout_s * 1e9) {
		r->timed_out = true;
		stop_request(r);
	}
	if (r->stop_ns != 0 && now - r->rang_ns > STOP_BELL_NS) {
		r->rang_ns = now;
		machine_ring(r->machine);
	}
	if (machine_is_deaf(r->stop_ns, now))
		error_set(error, STATUS_FAILED, "the machine does not stop; the trace is kept up to its last event");
}

/* A machine that stands still for a keyframe goes on when the next turn has taken it. */
static bool goes_on(uint32_t state)
{
	return state == HV_STATE_OFF || state == HV_STATE_RUNNING || state == HV_STATE_KEYFRAME;
}

/* One turn of the loop. Returns whether the machine goes on. */
static bool turn(struct recording *r, struct error *error)
{
	struct pollfd fds[] = {
		{.fd = r->machine->doorbell_fd, .events = POLLIN},
		{.fd = r->signal_fd, .events = POLLIN},
		{.fd = input_fd(&r->input), .events = POLLIN},
	};
	sleep_until_something(r, fds, sizeof(fds) / sizeof(fds[0]));
	if (session_signal_take(r->signal_fd) != 0)
		stop_request(r);
	if (fds[2].revents != 0 && !input_take(&r->input))
		stop_request(r);
	keyframes_turn(r);
	bool ended = !goes_on(machine_state(r->machine));
	uint32_t shown = __atomic_load_n(&r->machine->mailbox->console_shown, __ATOMIC_ACQUIRE);
	bool left = events_drain(r);
	bool wake = input_release(&r->input);
	if (!left)
		devices_answer(&r->devices);
	if (shown && !left) { /* what was waited for has been seen, and acted on */
		__atomic_store_n(&r->machine->mailbox->console_shown, 0, __ATOMIC_SEQ_CST);
		wake = true;
	}
	if (wake)
		machine_wake(r->machine);
	devices_release(&r->devices);
	if (!left && r->machine->mailbox->idle_target_ns == 0)
		machine_ring_if_waiting(r->machine);
	if (!writer_healthy(r->writer, error) || !devices_healthy(&r->devices, error))
		return false;
	progress_update(&r->progress, r->machine);
	limits_check(r, error);
	if (ended)
		return left && error->status == STATUS_OK;
	return machine_running(r->machine, error) && error->status == STATUS_OK;
}

/* What the end means for the user; fills `error` unless it is a good one. */
static void judge(const struct recording *r, struct error *error)
{
	const struct hv_mailbox *mailbox = r->machine->mailbox;
	char why[ERROR_TEXT_BYTES / 2];
	switch (machine_state(r->machine)) {
	case HV_STATE_ENDED:
		break;
	case HV_STATE_REFUSED:
		error_set(error, STATUS_FAILED, "the machine cannot record: %.*s", HV_TEXT_BYTES, mailbox->text);
		return;
	case HV_STATE_PANIC:
		error_set(error, STATUS_FAILED, "hv failed, please report it: %.*s", HV_TEXT_BYTES, mailbox->text);
		return;
	default:
		error_set(error, STATUS_FAILED, "the machine ended early");
		return;
	}
	if (r->failure.status != STATUS_OK)
		*error = r->failure;
	else if (r->timed_out && mailbox->end_reason == END_REASON_HOST)
		error_set(error, STATUS_UNSUPPORTED, "the guest ran longer than --timeout %g seconds",
			  r->options->timeout_s);
	else if (mailbox->end_reason == END_REASON_LIMIT)
		error_set(error, STATUS_UNSUPPORTED, "the guest reached --max-instructions %llu",
			  (unsigned long long)r->options->max_instructions);
	else if (mailbox->end_reason == END_REASON_HANG)
		error_set(error, STATUS_UNSUPPORTED, "the guest %s (no timer is set, and %s)",
			  reason_end_sentence(END_REASON_HANG), input_end_text(&r->input, why, sizeof(why)));
	else if (mailbox->end_reason == END_REASON_EXCEPTION_LOOP || mailbox->end_reason == END_REASON_VECTOR_LOOP)
		outcome_standstill(r->machine->mailbox, error);
	else if (mailbox->end_reason == END_REASON_UNSUPPORTED)
		error_set(error, STATUS_UNSUPPORTED, "%.*s", HV_TEXT_BYTES, mailbox->text);
}

/* A machine that cannot be had must not cost an older trace. */
static bool machine_program_check(struct recording *r, struct error *error)
{
	r->machine_version = machine_process_version();
	return r->machine_version || error_set(error, STATUS_FAILED,
					       "there is no machine: install the package qemu-system-arm, or name the "
					       "program qemu-system-aarch64 by --qemu");
}

/* Writes what only the running machine knows. */
static bool machine_facts_put(struct recording *r, struct error *error)
{
	const struct hv_mailbox *mailbox = r->machine->mailbox;
	char text[HV_FINGERPRINT_COUNT * 17 + 1];
	size_t used = 0;
	for (uint32_t i = 0; i < mailbox->fingerprint_count && i < HV_FINGERPRINT_COUNT; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%llx ",
					 (unsigned long long)mailbox->fingerprint[i]);
	text[used > 0 ? used - 1 : 0] = 0;
	bool done = trace_put_text(r->trace, TRACE_META_FINGERPRINT, text, error) &&
		    trace_put_text(r->trace, TRACE_META_MACHINE, r->machine_version, error) &&
		    trace_commit(r->trace, error);
	return done;
}

/* Writes what only the end knows. */
static bool finish(struct recording *r, struct error *error)
{
	const struct hv_mailbox *mailbox = r->machine->mailbox;
	char hash[STATE_HASH_TEXT_BYTES];
	if (machine_state(r->machine) != HV_STATE_ENDED || mailbox->event_tail != mailbox->event_head)
		return trace_commit(r->trace, error);
	return state_hash(r->machine, &mailbox->final_state, hash, error) &&
	       trace_put_text(r->trace, TRACE_META_FINAL_STATE_HASH, hash, error) &&
	       trace_put_u64(r->trace, TRACE_META_FINAL_N, mailbox->now_n, error) &&
	       trace_put_u64(r->trace, TRACE_META_FINAL_NS, mailbox->now_ns, error) &&
	       trace_put_u64(r->trace, TRACE_META_CONSOLE_BYTES, r->console.output_bytes, error) &&
	       trace_put_u64(r->trace, TRACE_META_EXIT_COUNT, mailbox->exit_count, error) &&
	       trace_put_u64(r->trace, TRACE_META_DENIED_COUNT, mailbox->denied_count, error) &&
	       trace_put_text(r->trace, TRACE_META_END_REASON, outcome_text(r->machine->mailbox, r->until_shown),
			      error) &&
	       trace_finish(r->trace, error);
}

static void summary(const struct recording *r)
{
	const struct hv_mailbox *mailbox = r->machine->mailbox;
	if (r->options->quiet)
		return;
	console_restore();
	fprintf(stderr, "hvrec: recorded %llu instructions, %.3f s of guest time, %llu events in %s (%s)\n",
		(unsigned long long)mailbox->now_n, (double)mailbox->now_ns / 1e9,
		(unsigned long long)mailbox->event_head, r->options->trace,
		outcome_text(r->machine->mailbox, r->until_shown));
}

/* Runs the started machine to its end, with the writer beside it. */
static bool run_machine(struct recording *r, struct error *error)
{
	struct error failure = {.status = STATUS_OK};
	struct writer_keep keep = {.ns = r->options->keep_ns, .bytes = r->options->keep_bytes};
	r->start_ns = session_now_ns();
	if (r->options->timeout_s > 0 && r->options->timeout_s < TIMEOUT_S_MAX)
		r->console.deadline_ns = r->start_ns + (int64_t)(r->options->timeout_s * 1e9);
	if (!keyframes_open(&r->keyframes, r->machine, (int64_t)r->options->keyframe_ns, r->start_ns, error))
		return false;
	r->writer = writer_start(r->trace, keep, error);
	if (!r->writer)
		return false;
	devices_start(&r->devices, r->machine, r->writer);
	progress_start(&r->progress, !r->options->quiet && !r->console.on_terminal, 0);
	while (turn(r, &failure))
		;
	progress_end(&r->progress);
	bool written = writer_stop(r->writer, &failure);
	judge(r, &failure);
	struct error unwritten = {.status = STATUS_OK};
	if (!devices_flush(&r->devices, &unwritten) && failure.status == STATUS_OK)
		failure = unwritten;
	if (failure.status == STATUS_UNSUPPORTED)
		hints_add(&r->hints, r->machine, &failure);
	*error = failure;
	return written;
}

static enum hv_pace pace_of(const struct recording *r)
{
	if (r->options->pace_chosen)
		return r->options->pace;
	return r->console.raw || r->options->devices.net.user ? HV_PACE_REAL : HV_PACE_SKIP;
}

static bool until_open(struct recording *r, struct error *error)
{
	if (!r->options->until)
		return true;
	bool good = text_watch_open(&r->until, r->options->until) || error_set(error, STATUS_FAILED, "out of memory");
	r->machine->mailbox->console_watch[1] = text_watch_end(&r->until);
	return good;
}

static void record_in_machine(struct recording *r, struct machine_config *config, struct error *error)
{
	r->console.signal_fd = r->signal_fd;
	if (!input_open(&r->input, r->machine, &r->console, (const char *const *)r->options->input_after, error) ||
	    !until_open(r, error))
		return;
	if (machine_start(r->machine, config, error) && machine_facts_put(r, error) && run_machine(r, error) &&
	    finish(r, error))
		summary(r);
}

/* Everything that may be wrong with what the user gave is looked at before an older trace of that name is replaced. */
bool record_run(const struct record_options *options, struct error *error)
{
	struct recording r = {.options = options, .console = {.output_fd = -1, .input_fd = -1}};
	struct guest guest = {0};
	struct machine_config config = {
		.mode = HV_MODE_RECORD,
		.machine_version = GUEST_MACHINE_VERSION,
		.limit_n = options->max_instructions,
		.turn_seed = options->turn_seed,
		.until_n = UINT64_MAX,
	};
	r.signal_fd = session_signals(error);
	if (r.signal_fd >= 0 && devices_open(&r.devices, &options->devices, options->trace, error))
		r.machine = machine_create(options->memory_bytes, options->vcpu_count, error);
	memcpy(config.virtio, r.devices.list.device, sizeof(config.virtio));
	if (r.machine && guest_load(&guest, options, r.machine, &config, error) && machine_program_check(&r, error) &&
	    record_files_spare(options, error) && console_open_output(&r.console, options->console, error) &&
	    console_open_input(&r.console, options->input, error))
		r.trace = trace_create(options->trace, error);
	if (r.trace && guest.layout.warning && !options->quiet)
		fprintf(stderr, "hvrec: warning: %s: %s\n", record_program(options), guest.layout.warning);
	if (guest.layout.kind != GUEST_KIND_IMAGE)
		r.hints = (struct hints){.program = guest.kernel, .program_bytes = guest.kernel_bytes};
	if (r.trace)
		console_begin(&r.console); /* another recording of this trace has a console, too */
	config.pace = pace_of(&r);
	if (r.trace && devices_keep(&r.devices, r.trace, error) &&
	    guest_keep(&guest, options, r.machine, &config, r.trace, error))
		record_in_machine(&r, &config, error);
	devices_close(&r.devices);
	guest_free(&guest);
	keyframes_close(&r.keyframes);
	free(r.machine_version);
	trace_writer_free(r.trace);
	machine_destroy(r.machine);
	text_watch_close(&r.until);
	input_close(&r.input);
	console_close(&r.console);
	if (r.signal_fd >= 0)
		close(r.signal_fd);
	return error->status == STATUS_OK;
}
