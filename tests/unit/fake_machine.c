/* The host's side of the fake machine: shared memory where hv looks for it, a process for each run, scripted input. */
#include "tests/unit/fake_machine.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hv/core/main.h"

enum { INPUT_BYTES = 16, SLEEPS_MAX = 20000, SECONDS_MAX = 10, RING_BACK_STEPS = 7 };
#define REAL_STEP_NS UINT64_C(700)

struct fake_memory {
	struct hv_boot boot; /* at HV_BOOT_PA, as hv expects it */
	struct hv_mailbox mailbox;
	struct event ring[FAKE_RING_COUNT];
	uint8_t input[INPUT_BYTES];
	struct event trace[FAKE_EVENTS_MAX];
	size_t trace_count, fed_count;
	size_t act_next;
	struct event diverted[FAKE_EVENTS_MAX];
	struct fake_stopped stopped[FAKE_COMMANDS_MAX];
	size_t diverted_count, command_next, first_event;
	bool is_diverted;
	uint64_t sleeps, ring_most, asked;
	struct guest_state keyframe;
	uint64_t keyframe_next_event;
	uint32_t keyframe_shared[FAKE_SHARED_WORDS];
	uint32_t stopped_shared[FAKE_COMMANDS_MAX][FAKE_SHARED_WORDS];
	struct answer {
		uint64_t event;
		uint32_t bytes;
		uint8_t given[FAKE_ANSWER_BYTES_MAX];
	} answers[FAKE_ANSWERS_MAX]; /* of the recording, for its replays */
	size_t answer_count, asks;
	uint8_t transfer[HV_TRANSFER_BYTES], output[FAKE_OUTPUT_BYTES], packets[FAKE_PACKETS_BYTES];
	uint32_t ram[FAKE_RAM_BYTES / sizeof(uint32_t)];
};

const struct fake_config *fake_config;
static struct fake_memory *memory;

static void memory_map(void)
{
	void *at = (void *)HV_BOOT_PA;
	if (memory)
		return;
	memory = mmap(at, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		      0);
	cr_assert_eq((void *)memory, at);
}

static bool ended(void)
{
	return memory->mailbox.state != HV_STATE_OFF && memory->mailbox.state != HV_STATE_RUNNING;
}

static uint64_t turn_max(void)
{
	return fake_config->events_turn ? fake_config->events_turn : UINT64_MAX;
}

static void events_take(uint64_t max)
{
	struct hv_mailbox *mailbox = &memory->mailbox;
	uint64_t held = mailbox->event_head - mailbox->event_tail;
	if (held > memory->ring_most)
		memory->ring_most = held;
	struct event *to = memory->is_diverted ? memory->diverted : memory->trace;
	size_t *count = memory->is_diverted ? &memory->diverted_count : &memory->trace_count;
	for (; max != 0 && mailbox->event_tail != mailbox->event_head; max--) {
		if (*count == FAKE_EVENTS_MAX)
			fake_machine_end(FAKE_STUCK);
		to[(*count)++] = memory->ring[mailbox->event_tail++ % memory->boot.event_ring_count];
	}
}

static void events_give(uint64_t max)
{
	struct hv_mailbox *mailbox = &memory->mailbox;
	uint64_t count = memory->boot.event_ring_count;
	for (; max != 0 && memory->fed_count < memory->trace_count && mailbox->event_head - mailbox->event_tail < count;
	     max--)
		memory->ring[mailbox->event_head++ % count] = memory->trace[memory->fed_count++];
	if (memory->fed_count == memory->trace_count)
		mailbox->events_ended = 1;
}

/* There in a build for `make coverage` only: writes the counts, which a process that ends by _exit leaves behind else.
 * Of many runs the first are enough. */
void __gcov_dump(void) __attribute__((weak));
enum { RUNS_COUNTED = 20 };
static unsigned runs;

void fake_machine_end(enum fake_result result)
{
	if (memory->boot.mode == HV_MODE_RECORD)
		events_take(memory->trace_count < FAKE_EVENTS_MAX ? FAKE_EVENTS_MAX - memory->trace_count : 0);
	if (__gcov_dump && runs <= RUNS_COUNTED)
		__gcov_dump();
	_exit((int)result);
}

void fake_rule(bool holds, const char *rule)
{
	if (holds)
		return;
	strncpy((char *)memory->mailbox.text, rule, HV_TEXT_BYTES - 1);
	fake_machine_end(FAKE_BROKEN);
}

static uint32_t *shared(void)
{
	return fake_ram_word(FAKE_SHARED);
}

static bool type(uint8_t byte)
{
	struct hv_mailbox *mailbox = &memory->mailbox;
	if (mailbox->input_head - mailbox->input_tail == INPUT_BYTES)
		return false;
	memory->input[mailbox->input_head % INPUT_BYTES] = byte;
	mailbox->input_head++;
	return true;
}

uint8_t fake_given(uint64_t sector, uint32_t at)
{
	return (uint8_t)(sector * 17 + at * 3 + at / 512 + 1);
}

static void given_put(uint8_t *to, uint64_t sector, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		to[i] = fake_given(sector, i);
}

/* Its length, then its bytes (hv/abi/mailbox.h). */
static void packet_put(void)
{
	const uint32_t bytes = FAKE_PACKET_BYTES;
	uint64_t at = memory->mailbox.packet_head % FAKE_PACKETS_BYTES;
	memcpy(&memory->packets[at], &bytes, sizeof(bytes));
	given_put(&memory->packets[at + sizeof(bytes)], 0, bytes);
	memory->mailbox.packet_head +=
		(sizeof(bytes) + bytes + HV_PACKET_ALIGN - 1) / HV_PACKET_ALIGN * HV_PACKET_ALIGN;
}

static const struct fake_act *act_next(void)
{
	if (memory->boot.mode != HV_MODE_RECORD || memory->act_next == fake_config->act_count)
		return NULL;
	return &fake_config->acts[memory->act_next];
}

static uint32_t act_do(const struct fake_act *act, bool *spurious)
{
	memory->act_next++;
	switch (act->kind) {
	case FAKE_INPUT:
	case FAKE_INPUT_AT_WFI:
	case FAKE_INPUT_IDLE:
		if (!type(act->byte))
			fake_machine_end(FAKE_STUCK);
		return BOARD_IRQ_HOST;
	case FAKE_STOP:
		memory->mailbox.stop_request = 1;
		return BOARD_IRQ_HOST;
	case FAKE_KEYFRAME:
		memory->mailbox.keyframe_request = 1;
		return BOARD_IRQ_HOST;
	case FAKE_PACKET:
		packet_put();
		return BOARD_IRQ_HOST;
	case FAKE_SPURIOUS:
		*spurious = true;
		return 0;
	case FAKE_RING:
	case FAKE_RING_ENTRY:
	default:
		return BOARD_IRQ_HOST;
	}
}

uint64_t fake_machine_next_act(void)
{
	const struct fake_act *act = act_next();
	return act && act->kind != FAKE_INPUT_AT_WFI && act->kind != FAKE_INPUT_IDLE ? act->at_n : UINT64_MAX;
}

uint32_t fake_machine_acts(uint64_t n, bool at_entry, bool *spurious)
{
	uint32_t irqs = 0;
	for (const struct fake_act *act = act_next(); act && act->at_n <= n; act = act_next()) {
		if (act->kind == FAKE_INPUT_AT_WFI || act->kind == FAKE_INPUT_IDLE ||
		    (act->kind == FAKE_RING_ENTRY && (!at_entry || irqs != 0)))
			break;
		irqs |= act_do(act, spurious);
	}
	return irqs;
}

bool fake_machine_rings_back(void)
{
	bool wanted = memory->mailbox.waits || memory->mailbox.stop_request;
	if (!wanted || ++memory->asked % RING_BACK_STEPS != 0)
		return false;
	memory->mailbox.waits = 0;
	return true;
}

bool fake_machine_act_at_wfi(uint64_t n, bool *rang)
{
	const struct fake_act *act = act_next();
	bool spurious = false;
	if (!act || act->kind != FAKE_INPUT_AT_WFI || act->at_n > n)
		return false;
	*rang |= act_do(act, &spurious) != 0;
	return true;
}

static uint64_t next_event(void)
{
	return memory->first_event + (memory->is_diverted ? 0 : memory->mailbox.event_tail);
}

/* The ring from here on, as replay/run/engine.c does it. */
static void ring_restart(size_t first_event, bool diverted)
{
	memory->first_event = memory->fed_count = first_event;
	memory->is_diverted = diverted;
	memory->mailbox.event_head = memory->mailbox.event_tail = 0;
	memory->mailbox.events_ended = 0;
}

static void stopped_keep(struct fake_stopped *stopped)
{
	const struct hv_mailbox *mailbox = &memory->mailbox;
	*stopped = (struct fake_stopped){mailbox->state,      mailbox->end_reason, mailbox->stop,
					 mailbox->exit_count, next_event(),        mailbox->final_state};
	if (memory->is_diverted)
		events_take(UINT64_MAX);
}

static void command_give(void)
{
	struct hv_mailbox *mailbox = &memory->mailbox;
	size_t next = memory->command_next++;
	const struct fake_command *command = &fake_config->commands[next];
	if (next > 0) {
		stopped_keep(&memory->stopped[next - 1]);
		memcpy(memory->stopped_shared[next - 1], shared(), sizeof(memory->stopped_shared[0]));
	}
	if (next == fake_config->command_count)
		fake_machine_end(FAKE_STOPPED);
	if (command->command == HV_COMMAND_LOAD) {
		ring_restart(memory->stopped[command->from].next_event, false);
		mailbox->final_state = memory->stopped[command->from].guest;
		memcpy(shared(), memory->stopped_shared[command->from], sizeof(memory->stopped_shared[0]));
		if (command->change)
			command->change(&mailbox->final_state);
	} else if (command->diverted && !memory->is_diverted) {
		ring_restart(next_event(), true);
	}
	if (!memory->is_diverted)
		events_give(turn_max());
	mailbox->diverted = command->diverted;
	mailbox->interrupt = command->interrupt;
	mailbox->run_until_n = command->until_n;
	mailbox->command = command->command;
}

void fake_machine_yield(void)
{
	struct hv_mailbox *mailbox = &memory->mailbox;
	if (mailbox->state != HV_STATE_KEYFRAME || !mailbox->keyframe_request)
		fake_machine_end(FAKE_STUCK);
	memory->keyframe = mailbox->final_state;
	memory->keyframe_next_event = mailbox->event_head;
	memcpy(memory->keyframe_shared, shared(), sizeof(memory->keyframe_shared));
	mailbox->keyframe_request = 0;
	mailbox->state = HV_STATE_RUNNING;
}

static bool answer_make(struct answer *answer, struct hv_ask *ask)
{
	uint64_t fails_from = fake_config->asks_fail_from;
	if (fails_from != 0 && ++memory->asks >= fails_from)
		return false;
	if (memory->answer_count == FAKE_ANSWERS_MAX || ask->bytes > FAKE_ANSWER_BYTES_MAX)
		fake_machine_end(FAKE_STUCK);
	*answer = (struct answer){.event = memory->mailbox.event_head, .bytes = ask->bytes};
	given_put(answer->given, ask->sector, ask->bytes);
	memory->answer_count++;
	return true;
}

/* Packets are alike, and hv asks for them in a replay only. */
static const struct answer *packet_answer(void)
{
	static struct answer packet = {.bytes = FAKE_PACKET_BYTES};
	given_put(packet.given, 0, packet.bytes);
	return &packet;
}

static const struct answer *answer_find(uint64_t event)
{
	for (size_t i = 0; i < memory->answer_count; i++) {
		if (memory->answers[i].event == event)
			return &memory->answers[i];
	}
	return NULL;
}

/* Recording, what hv asks for is made; in a replay it is what the recording had for the event that comes next. */
static void ask_answer(void)
{
	struct hv_ask *ask = &memory->mailbox.ask;
	const struct answer *answer = &memory->answers[memory->answer_count];
	if (ask->kind == HV_ASK_NONE)
		return;
	if (memory->boot.mode == HV_MODE_RECORD)
		ask->failed = !answer_make(&memory->answers[memory->answer_count], ask);
	else
		answer = ask->kind == HV_ASK_PACKET ? packet_answer() : answer_find(next_event());
	if (!answer)
		fake_machine_end(FAKE_STUCK);
	if (!ask->failed)
		memcpy(memory->transfer, answer->given, answer->bytes);
	ask->kind = HV_ASK_NONE;
}

uint32_t fake_machine_sleep(void)
{
	struct hv_mailbox *mailbox = &memory->mailbox;
	const struct fake_act *act = act_next();
	bool spurious = false;
	uint32_t irqs = 0;
	if (memory->boot.serve && !mailbox->waits) {
		command_give();
		return BOARD_IRQ_HOST;
	}
	if (ended())
		fake_machine_end(FAKE_STOPPED);
	if (++memory->sleeps > SLEEPS_MAX || !mailbox->waits)
		fake_machine_end(FAKE_STUCK);
	if (memory->boot.mode == HV_MODE_RECORD || memory->is_diverted)
		events_take(turn_max());
	else
		events_give(turn_max());
	ask_answer();
	if (mailbox->console_shown)
		mailbox->stop_request = 1;
	mailbox->console_shown = 0;
	if (mailbox->idle_target_ns != 0 && act)
		irqs = act_do(act, &spurious);
	else if (mailbox->idle_target_ns != 0 && mailbox->idle_target_ns != UINT64_MAX)
		mailbox->real_ns += REAL_STEP_NS;
	else if (mailbox->idle_target_ns != 0)
		mailbox->input_ended = 1;
	mailbox->waits = 0;
	return irqs | BOARD_IRQ_HOST;
}

static void boot_write(const struct fake_config *config, enum hv_mode mode)
{
	memset(&memory->mailbox, 0, sizeof(memory->mailbox));
	memset(memory->ram, 0, sizeof(memory->ram));
	if (mode == HV_MODE_RECORD)
		memory->mailbox.console_watch[HV_CONSOLE_WATCHES - 1] = config->until;
	memory->boot = (struct hv_boot){
		.magic = HV_BOOT_MAGIC,
		.version = HV_ABI_VERSION,
		.mode = mode,
		.pace = config->pace,
		.vcpu_count = config->vcpu_count ? config->vcpu_count : 1,
		.guest_ram_pa = (uint64_t)memory->ram,
		.guest_ram_bytes = FAKE_RAM_BYTES,
		.mailbox_pa = (uint64_t)&memory->mailbox,
		.event_ring_pa = (uint64_t)memory->ring,
		.event_ring_count = config->ring_count ? config->ring_count : FAKE_RING_COUNT,
		.input_ring_pa = (uint64_t)memory->input,
		.input_ring_bytes = INPUT_BYTES,
		.entry_ipa = FAKE_CODE,
		.dtb_ipa = GUEST_RAM_IPA,
		.rtc_base_s = config->rtc_base_s,
		.limit_n = config->limit_n,
		.turn_seed = config->turn_seed,
		.until_n = config->until_n ? config->until_n : UINT64_MAX,
		.resume = mode == HV_MODE_REPLAY && config->from_keyframe,
		.serve = mode == HV_MODE_REPLAY && config->command_count > 0,
		.machine_version = config->machine_version ? config->machine_version : GUEST_MACHINE_VERSION,
		.output_ring_pa = (uint64_t)memory->output,
		.output_ring_bytes = FAKE_OUTPUT_BYTES,
		.transfer_pa = (uint64_t)memory->transfer,
		.packet_ring_pa = (uint64_t)memory->packets,
		.packet_ring_bytes = FAKE_PACKETS_BYTES,
	};
	for (size_t i = 0; i < config->device_count; i++)
		memory->boot.virtio[i] = config->devices[i];
	memory->boot.fingerprint_count = mode == HV_MODE_REPLAY && config->fingerprint ? HV_FINGERPRINT_COUNT : 0;
	for (size_t i = 0; i < memory->boot.fingerprint_count; i++)
		memory->boot.fingerprint[i] = config->fingerprint;
	memory->sleeps = memory->ring_most = memory->asked = memory->asks = 0;
	memory->fed_count = memory->act_next = 0;
	memory->diverted_count = memory->command_next = memory->first_event = 0;
	memory->is_diverted = false;
	fake_guest_load(config);
	if (config->prepare)
		config->prepare();
	if (memory->boot.resume) {
		memory->mailbox.final_state = memory->keyframe;
		memory->fed_count = memory->first_event = memory->keyframe_next_event;
		memcpy(shared(), memory->keyframe_shared, sizeof(memory->keyframe_shared));
	}
}

static enum fake_result machine_run(const struct fake_config *config)
{
	int status = 0;
	fake_config = config;
	runs++;
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		alarm(SECONDS_MAX);
		hv_main();
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) < FAKE_CRASHED ? (enum fake_result)WEXITSTATUS(status)
	       : WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM    ? FAKE_STUCK
								       : FAKE_CRASHED;
}

enum fake_result fake_record(const struct fake_config *config)
{
	memory_map();
	boot_write(config, HV_MODE_RECORD);
	memory->trace_count = memory->answer_count = 0;
	memory->keyframe_next_event = 0;
	return machine_run(config);
}

enum fake_result fake_replay(const struct fake_config *config)
{
	memory_map();
	boot_write(config, HV_MODE_REPLAY);
	return machine_run(config);
}

uint32_t *fake_ram_word(uint64_t ipa)
{
	uint64_t offset = ipa - GUEST_RAM_IPA;
	return offset < FAKE_RAM_BYTES ? &memory->ram[offset / sizeof(uint32_t)] : NULL;
}

const struct hv_boot *fake_boot(void)
{
	memory_map();
	boot_write(&(struct fake_config){0}, HV_MODE_RECORD);
	return &memory->boot;
}

struct hv_mailbox *fake_mailbox(void)
{
	return &memory->mailbox;
}

struct event *fake_trace(size_t *count)
{
	*count = memory->trace_count;
	return memory->trace;
}

void fake_trace_cut(size_t count)
{
	memory->trace_count = count;
}

const struct fake_stopped *fake_stopped(size_t command)
{
	return &memory->stopped[command];
}

const struct event *fake_diverted(size_t *count)
{
	*count = memory->diverted_count;
	return memory->diverted;
}

const struct guest_state *fake_keyframe(uint64_t *next_event)
{
	*next_event = memory->keyframe_next_event;
	return &memory->keyframe;
}

const uint8_t *fake_output(uint64_t *bytes)
{
	*bytes = memory->mailbox.output_head;
	return memory->output;
}

uint64_t fake_sleeps(void)
{
	return memory->sleeps;
}

uint64_t fake_ring_most(void)
{
	return memory->ring_most;
}
