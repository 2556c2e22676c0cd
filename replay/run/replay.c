/* The replay loop: events from the trace to the machine's ring; what the machine has passed goes to the console. */
#include "replay/run/replay.h"
#include "hv/host/event_console.h"
#include "hv/host/sandbox.h"
#include "hv/host/session.h"
#include "hv/host/state_hash.h"
#include "replay/run/divergence.h"
#include "replay/run/guest.h"
#include "replay/run/supply.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 10, BATCH_EVENTS = 4096 };

struct replaying {
	const struct replay_options *options;
	struct trace_reader *trace;
	struct trace_cursor *cursor;
	struct supply *supply;
	struct machine *machine;
	struct console console;
	struct progress progress;
	uint64_t printed; /* events whose console output was printed */
	int signal_fd;
	bool interrupted;
	struct machine_watch watch;
};

/* Fills the ring from the trace, as far as there is room. */
static bool events_fill(struct replaying *r, struct error *error)
{
	struct hv_mailbox *mailbox = r->machine->mailbox;
	uint64_t ring_count = r->machine->boot->event_ring_count;
	while (!mailbox->events_ended) {
		uint64_t head = mailbox->event_head;
		uint64_t room = ring_count - (head - r->printed);
		uint64_t to_end = ring_count - head % ring_count;
		uint64_t max = room < to_end ? room : to_end;
		if (max == 0)
			break;
		int64_t count = trace_next(r->cursor, &r->machine->events[head % ring_count], (size_t)max, error);
		if (count < 0)
			return false;
		machine_index_store(&mailbox->event_head, head + (uint64_t)count);
		if (count == 0)
			__atomic_store_n(&mailbox->events_ended, 1, __ATOMIC_SEQ_CST);
	}
	machine_ring_if_waiting(r->machine);
	return true;
}

/* Prints what the machine has passed. */
static bool events_print(struct replaying *r, struct error *error)
{
	uint8_t bytes[BATCH_EVENTS];
	uint64_t ring_count = r->machine->boot->event_ring_count;
	uint64_t tail = machine_index_load(&r->machine->mailbox->event_tail);
	while (r->printed < tail) {
		uint64_t slot = r->printed % ring_count;
		uint64_t count = tail - r->printed < ring_count - slot ? tail - r->printed : ring_count - slot;
		count = count < BATCH_EVENTS ? count : BATCH_EVENTS;
		size_t console = event_console_bytes(&r->machine->events[slot], count, bytes);
		if (!console_write(&r->console, bytes, console, error))
			return false;
		r->printed += count;
	}
	return true;
}

/* One turn of the loop. Returns whether the machine goes on. */
static bool turn(struct replaying *r, struct error *error)
{
	struct pollfd fds[] = {
		{.fd = r->machine->doorbell_fd, .events = POLLIN},
		{.fd = r->signal_fd, .events = POLLIN},
	};
	poll(fds, sizeof(fds) / sizeof(fds[0]), machine_asks(r->machine) ? 0 : TICK_MS);
	machine_doorbell_take(r->machine);
	r->interrupted = session_signal_take(r->signal_fd) != 0;
	uint32_t state = machine_state(r->machine);
	uint64_t next = trace_first_event(r->trace) + machine_index_load(&r->machine->mailbox->event_tail);
	if (!events_print(r, error) || !events_fill(r, error) ||
	    !supply_answer(r->supply, r->machine, next, false, error))
		return false;
	progress_update(&r->progress, r->machine);
	if (r->interrupted || (state != HV_STATE_OFF && state != HV_STATE_RUNNING))
		return false;
	if (machine_stuck(r->machine, &r->watch))
		return error_set(error, STATUS_FAILED,
				 "the machine makes no progress at instruction %llu; is this computer overloaded?",
				 (unsigned long long)r->watch.n);
	return machine_running(r->machine, error);
}

static bool text_is(struct trace_reader *trace, enum trace_meta_text key, const char *expected, struct error *error)
{
	char *recorded = NULL;
	enum trace_found found = trace_get_text(trace, key, &recorded, error);
	bool same = found == TRACE_FOUND && strcmp(recorded, expected) == 0;
	free(recorded);
	return same;
}

/* A complete trace that was replayed to its end must have come to the very state that the recording ended in. */
static bool final_state_check(struct replaying *r, struct error *error)
{
	const struct hv_mailbox *mailbox = r->machine->mailbox;
	char hash[STATE_HASH_TEXT_BYTES];
	if (!trace_is_complete(r->trace) || mailbox->end_reason == 0)
		return true;
	if (!state_hash(r->machine, &mailbox->final_state, hash, error))
		return false;
	return text_is(r->trace, TRACE_META_FINAL_STATE_HASH, hash, error) ||
	       error_set(error, STATUS_DIVERGED,
			 "divergence: every event agreed, but the final state hash is %s and was another in the "
			 "recording%s",
			 hash, guest_fingerprint_hint(r->machine));
}

static bool judge(struct replaying *r, struct error *error)
{
	const struct hv_mailbox *mailbox = r->machine->mailbox;
	if (error->status != STATUS_OK)
		return false;
	if (r->interrupted)
		return error_set(error, STATUS_FAILED, "interrupted at instruction %llu",
				 (unsigned long long)mailbox->now_n);
	switch (machine_state(r->machine)) {
	case HV_STATE_ENDED:
		return final_state_check(r, error);
	case HV_STATE_DIVERGED:
		return divergence_report(mailbox, trace_first_event(r->trace), error);
	case HV_STATE_REFUSED:
		return error_set(error, STATUS_FAILED, "the machine cannot replay: %.*s", HV_TEXT_BYTES, mailbox->text);
	case HV_STATE_PANIC:
		return error_set(error, STATUS_FAILED, "hv failed, please report it: %.*s", HV_TEXT_BYTES,
				 mailbox->text);
	default:
		return error_set(error, STATUS_FAILED, "the machine ended early");
	}
}

/* Where the replay ended, if not at a position that was asked for. */
static const char *end_text(const struct replaying *r)
{
	const struct hv_mailbox *mailbox = r->machine->mailbox;
	if (trace_is_complete(r->trace))
		return mailbox->end_reason != 0 ? "; the final state hash agrees" : "";
	return mailbox->now_n >= r->options->until_n
		       ? ""
		       : "; the trace is incomplete and was replayed up to its last commit";
}

static void summary(const struct replaying *r)
{
	const struct hv_mailbox *mailbox = r->machine->mailbox;
	if (r->options->quiet)
		return;
	fprintf(stderr, "hvrec: replayed %llu instructions, %llu events, all as recorded%s\n",
		(unsigned long long)(mailbox->now_n - trace_start_n(r->trace)), (unsigned long long)mailbox->event_tail,
		end_text(r));
}

static bool replay_in_machine(struct replaying *r, struct machine_config *config, struct error *error)
{
	uint64_t event_count, last_n;
	if (!trace_get_end(r->trace, &event_count, &last_n, error))
		return false;
	r->cursor = trace_seek(r->trace, 0, error);
	if (!r->cursor || !events_fill(r, error) || !machine_start(r->machine, config, error))
		return false;
	sandbox_enter(NULL, SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	if (machine_state(r->machine) != HV_STATE_REFUSED && !guest_fingerprint_check(r->machine, error))
		return false;
	uint64_t total = last_n < config->until_n ? last_n : config->until_n;
	progress_start(&r->progress, !r->options->quiet && !r->console.on_terminal, total);
	while (turn(r, error))
		;
	progress_end(&r->progress);
	events_print(r, error);
	if (!judge(r, error))
		return false;
	summary(r);
	return true;
}

/* A trace that starts at a keyframe is replayed from there. */
static bool start_go(struct replaying *r, struct machine_config *config, struct error *error)
{
	struct keyframe_index index = {0};
	uint64_t start_n = trace_start_n(r->trace);
	if (start_n == 0)
		return true;
	if (config->until_n < start_n)
		return error_set(error, STATUS_FAILED, "--until %llu: %s starts at instruction %llu",
				 (unsigned long long)config->until_n, r->options->trace, (unsigned long long)start_n);
	bool good = keyframe_index_open(&index, r->trace, r->machine->guest_ram_bytes / TRACE_PAGE_BYTES, error) &&
		    guest_resume(&index, keyframe_index_before(&index, start_n), r->machine, config, error);
	keyframe_index_close(&index);
	return good;
}

bool replay_run(const struct replay_options *options, struct error *error)
{
	struct replaying r = {.options = options};
	struct machine_config config = {.mode = HV_MODE_REPLAY, .until_n = options->until_n};
	r.signal_fd = session_signals(error);
	r.console = (struct console){.output_fd = -1, .input_fd = -1};
	if (r.signal_fd >= 0)
		r.trace = trace_open(options->trace, error);
	if (r.trace && console_open_output(&r.console, options->console, error))
		r.machine = guest_restore(r.trace, &config, error);
	if (r.machine)
		console_begin(&r.console);
	r.console.signal_fd = r.signal_fd;
	config.until_n = options->until_n;
	if (r.machine)
		r.supply = supply_open(r.trace, error);
	if (r.machine && r.supply && start_go(&r, &config, error))
		replay_in_machine(&r, &config, error);
	trace_cursor_free(r.cursor);
	supply_close(r.supply);
	trace_close(r.trace);
	machine_destroy(r.machine);
	console_close(&r.console);
	if (r.signal_fd >= 0)
		close(r.signal_fd);
	return error->status == STATUS_OK;
}
