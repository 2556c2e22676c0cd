/* Replaced reads of the counter: values as before, no traps, and nothing of it to be seen by the guest, by the host, or
 * in what a replay comes to, wherever an interrupt, a keyframe or a debugger's stop falls. */
#include "hv/arch/arch.h"
#include "hv/core/abort.h"
#include "hv/core/hv.h"
#include "hv/core/patch.h"
#include "tests/unit/fake_check.h"

TestSuite(patch, .timeout = 300);

#define PAGE_MASK UINT64_C(0xfff)
#define SITE      (FAKE_CODE + 4) /* of FAKE_POLL's MRS, where it is the program's second step */
#define BESIDE    (FAKE_CODE + 0x800)
#define UART_DR   GUEST_UART_IPA
#define UART_IMSC (GUEST_UART_IPA + 0x38)

/* x5 = the counter since the start, in a loop of 16 instructions, till it is `until`; every reading goes into x19. */
#define FAKE_POLL(until)                                                                                               \
	FAKE_MRS(5, FAKE_CNTPCT), FAKE_SINCE(5), FAKE_FOLD(5), FAKE_UNLESS(5, until, 1), FAKE_GOTO(3), FAKE_LOOP(11),  \
		FAKE_GOTO(-6)

/* Handlers of 16 instructions, so that a loop comes to its end all the same: with an access to the page, and without.
 */
#define FAKE_MOVS FAKE_MOV(3, 1), FAKE_MOV(3, 2), FAKE_MOV(3, 3), FAKE_MOV(3, 4), FAKE_MOV(3, 5)
static const struct fake_op peeking_handler[] = {
	FAKE_ACK(1), FAKE_FOLD(1), FAKE_PEEK(2, BESIDE), FAKE_LOAD(4, UART_DR, 4), FAKE_EOI(1), FAKE_MOVS,
	FAKE_MOVS,   FAKE_ERET,
};
static const struct fake_op handler[] = {
	FAKE_ACK(1), FAKE_FOLD(1), FAKE_MOV(2, 1), FAKE_LOAD(4, UART_DR, 4),
	FAKE_EOI(1), FAKE_MOVS,    FAKE_MOVS,      FAKE_ERET,
};

static uint64_t words_in(const struct guest_state *guest)
{
	uint64_t count = 0;
	for (uint32_t i = 0; i < GUEST_PATCH_COUNT; i++)
		count += guest->patch.word_ipa[i] != 0;
	return count;
}

static void run(const struct fake_op *ops, size_t count, uint64_t machine_version)
{
	struct fake_config config = {.segments = {{FAKE_CODE, ops, count}}, .machine_version = machine_version};
	fake_round_trip(config, END_REASON_POWER_OFF);
}
#define RUN(ops, version) run(ops, sizeof(ops) / sizeof((ops)[0]), version)

Test(patch, a_polled_counter_reads_as_it_did_when_each_read_was_a_trap)
{
	static const struct fake_op ops[] = {FAKE_LOOP(160), FAKE_POLL(110), FAKE_OFF};
	RUN(ops, 1);
	uint64_t readings = fake_x(19), n = fake_mailbox()->final_state.n;
	cr_assert_eq(fake_count(EVENT_SYSREG_READ), 101);
	cr_assert_eq(words_in(&fake_mailbox()->final_state), 0);
	RUN(ops, 2);
	cr_assert_eq(fake_x(19), readings);
	cr_assert_eq(fake_mailbox()->final_state.n, n);
	cr_assert_eq(fake_mailbox()->final_state.patch.word_ipa[0], SITE);
	cr_assert_eq(*fake_ram_word(SITE), FAKE_CNTPCT_WORD(5), "the host sees hv's word");
}

Test(patch, a_read_that_traps_seldom_stays)
{
	static const struct fake_op ops[] = {FAKE_LOOP(160), FAKE_POLL(10 + 30), FAKE_OFF};
	RUN(ops, 2);
	cr_assert_eq(words_in(&fake_mailbox()->final_state), 0);
}

Test(patch, el0_s_reads_stay)
{
	static const struct fake_op ops[] = {FAKE_LEVEL(0), FAKE_LOOP(159), FAKE_POLL(110), FAKE_LEVEL(5), FAKE_OFF};
	RUN(ops, 2);
	cr_assert_eq(words_in(&fake_mailbox()->final_state), 0);
}

Test(patch, the_guest_reads_its_own_instruction)
{
	static const struct fake_op ops[] = {FAKE_LOOP(160), FAKE_POLL(50), FAKE_PEEK(7, SITE),
					     FAKE_LOOP(8),   FAKE_POLL(90), FAKE_PEEK(8, BESIDE),
					     FAKE_OFF};
	RUN(ops, 2);
	cr_assert_eq(fake_x(7), FAKE_CNTPCT_WORD(5));
	cr_assert_eq(words_in(&fake_mailbox()->final_state), 0, "they went with the read of the page");
}

Test(patch, el0_does_not_execute_a_replaced_word)
{
	static const struct fake_op ops[] = {FAKE_LOOP(160), FAKE_POLL(50), FAKE_LEVEL(0),
					     FAKE_MOV(9, 1), FAKE_LEVEL(5), FAKE_OFF};
	RUN(ops, 2);
	cr_assert_eq(fake_x(9), 1);
	cr_assert_eq(words_in(&fake_mailbox()->final_state), 0);
}

/* Polls, reads beside the code, is at EL0 for a while, and polls again. */
static const struct fake_op busy[] = {
	FAKE_GIC_SETUP,       FAKE_MOV(9, 0x10), FAKE_STORE(9, UART_IMSC, 4),
	FAKE_UNMASK,          FAKE_LOOP(1588),   FAKE_POLL(140),
	FAKE_PEEK(7, BESIDE), FAKE_LOOP(7),      FAKE_POLL(180),
	FAKE_LEVEL(0),        FAKE_MOV(9, 1),    FAKE_LEVEL(5),
	FAKE_LOOP(5),         FAKE_POLL(220),    FAKE_OFF,
};

#define BUSY_N_FIRST 2086
#define BUSY_N_MAX   3600

static struct fake_config busy_config(uint64_t n)
{
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(busy), FAKE_IRQ_SEGMENT(handler)},
				     .limit_n = BUSY_N_MAX, /* a loop may miss its end */
				     .virtual_first = n % 2};
	if (n % 3 == 0)
		config.segments[1] = (struct fake_segment)FAKE_IRQ_SEGMENT(peeking_handler);
	return config;
}

static void record_and_replay(const struct fake_config *config)
{
	fake_expect_state(fake_record(config), HV_STATE_ENDED, "recording");
	struct guest_state recorded = fake_mailbox()->final_state;
	fake_expect_replay(config, &recorded, fake_mailbox()->end_reason);
}

Test(patch, a_busy_page_is_polled_from_again)
{
	struct fake_config config = busy_config(1);
	record_and_replay(&config);
	cr_assert_eq(fake_mailbox()->end_reason, END_REASON_POWER_OFF);
	cr_assert_eq(words_in(&fake_mailbox()->final_state), 1);
}

Test(patch, an_interrupt_comes_at_whatever_instruction)
{
	for (uint64_t n = BUSY_N_FIRST; n < BUSY_N_MAX; n += n % 16 < 8 ? 1 : 3) {
		const struct fake_act acts[] = {
			{FAKE_INPUT, n, 'x'}, {FAKE_RING, n + 3, 0}, {FAKE_RING_ENTRY, n + 4, 0}};
		struct fake_config config = busy_config(n);
		config.acts = acts;
		config.act_count = 3;
		record_and_replay(&config);
	}
}

Test(patch, a_keyframe_has_the_guest_s_own_page)
{
	for (uint64_t n = BUSY_N_FIRST; n < BUSY_N_MAX; n += 7) {
		const struct fake_act acts[] = {{FAKE_KEYFRAME, n, 0}, {FAKE_INPUT, n + 50, 'x'}};
		struct fake_config config = busy_config(n);
		config.acts = acts;
		config.act_count = 2;
		record_and_replay(&config);
	}
}

/* A debugger's host: stops, goes on, goes back to where it stopped, and runs through. */
Test(patch, a_stop_changes_nothing)
{
	for (uint64_t n = BUSY_N_FIRST; n < BUSY_N_MAX - 100; n += 4) {
		const struct fake_act acts[] = {{FAKE_INPUT, n + 5, 'x'}};
		const struct fake_command commands[] = {
			{.command = HV_COMMAND_RUN, .until_n = n},
			{.command = HV_COMMAND_RUN, .until_n = UINT64_MAX},
			{.command = HV_COMMAND_LOAD, .from = 0},
			{.command = HV_COMMAND_RUN, .until_n = n + 1},
			{.command = HV_COMMAND_RUN, .until_n = UINT64_MAX},
		};
		struct fake_config config = busy_config(n);
		config.acts = acts;
		config.act_count = 1;
		fake_expect_state(fake_record(&config), HV_STATE_ENDED, "recording");
		struct guest_state recorded = fake_mailbox()->final_state;
		config.commands = commands;
		config.command_count = 5;
		cr_assert_eq(fake_replay(&config), FAKE_STOPPED);
		for (size_t i = 1; i < 5; i += 3)
			cr_assert_eq(memcmp(&fake_stopped(i)->guest, &recorded, sizeof(recorded)), 0,
				     "stopped at %" PRIu64 ": another guest after command %zu", n, i);
		cr_assert_eq(*fake_ram_word(FAKE_CODE + 13 * 4) & ~31U, FAKE_CNTPCT_WORD(0));
	}
}

/* ---- the table ---- */

static ipa_t site(uint64_t number)
{
	return (ipa_t){GUEST_RAM_IPA + number * 0x1000 + number * 4};
}

static bool is_replaced(uint64_t number)
{
	uint32_t word = *fake_ram_word(site(number).v);
	cr_assert(word == FAKE_CNTPCT_WORD(number % 32) || word == FAKE_CNTVCT_WORD(number % 32));
	cr_assert_eq(fake_is_execute_only(site(number).v), word == FAKE_CNTVCT_WORD(number % 32));
	return word == FAKE_CNTVCT_WORD(number % 32);
}

static void sites_write(uint64_t count)
{
	hv.boot = fake_boot();
	hv.guest.patch = (struct patch_state){0};
	for (uint32_t i = 0; i < count; i++)
		*fake_ram_word(site(i).v) = FAKE_CNTPCT_WORD(i % 32);
	patch_show();
}

Test(patch, one_more_than_the_table_holds_begins_it_again)
{
	enum { COUNT = GUEST_PATCH_COUNT + 6 };
	sites_write(COUNT);
	for (uint64_t i = 0; i < COUNT; i++) {
		patch_word(site(i));
		cr_assert(is_replaced(i));
		cr_assert_eq(words_in(&hv.guest), i % GUEST_PATCH_COUNT + 1);
	}
	cr_assert_not(is_replaced(0));
	cr_assert_not(patch_release((ipa_t){site(3).v & ~PAGE_MASK}));
	cr_assert(patch_release((ipa_t){site(COUNT - 1).v & ~PAGE_MASK}));
	cr_assert_not(is_replaced(COUNT - 1));
	patch_hide();
	for (uint64_t i = 0; i < COUNT; i++)
		cr_assert_eq(*fake_ram_word(site(i).v), FAKE_CNTPCT_WORD(i % 32));
	patch_show();
	for (uint64_t i = 0; i < COUNT; i++)
		cr_assert_eq(is_replaced(i), i >= GUEST_PATCH_COUNT && i < COUNT - 1);
}

Test(patch, an_alarm_of_the_position_comes_before_the_fault)
{
	const struct exit exit = {.ipa = site(0), .esr = 0xf};
	sites_write(1);
	patch_word(site(0));
	clock_alarm_set((insn_t){clock_now().v + 5});
	hv.guest.n = clock_alarm().v;
	cr_assert_eq(abort_instruction(&exit), EXIT_AGAIN);
	cr_assert(is_replaced(0));
	hv.guest.n--;
	cr_assert_eq(abort_instruction(&exit), EXIT_AGAIN);
	cr_assert_not(is_replaced(0));
}

Test(patch, a_table_from_elsewhere_is_not_believed)
{
	static const uint64_t nonsense[] = {8, GUEST_RAM_IPA + FAKE_RAM_BYTES, UINT64_MAX, GUEST_RAM_IPA + 0x2000, 0};
	sites_write(2);
	patch_hide();
	memcpy(hv.guest.patch.word_ipa, nonsense, sizeof(nonsense));
	hv.guest.patch.word_ipa[10] = site(1).v;
	hv.guest.patch.word_ipa[11] = site(1).v;
	hv.guest.patch.word_ipa[12] = site(0).v + 2;
	patch_show();
	cr_assert_eq(words_in(&hv.guest), 1);
	cr_assert(is_replaced(1));
	cr_assert_eq(*fake_ram_word(GUEST_RAM_IPA + 0x2000), 0);
	patch_word((ipa_t){GUEST_RAM_IPA + 0x2000});
	patch_word((ipa_t){GUEST_RAM_IPA - 4});
	cr_assert_eq(words_in(&hv.guest), 1, "that is no read of the counter");
}
