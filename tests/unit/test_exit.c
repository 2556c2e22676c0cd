/* Exits through the real dispatcher: device accesses with and without a syndrome, accesses to nothing, calls, debug
 * exceptions, and what hv does not know. Each guest is recorded and replayed. */
#include "tests/unit/fake_check.h"

TestSuite(exit, .timeout = 900);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define UART_IBRD       (GUEST_UART_IPA + 0x24)
#define UART_FBRD       (GUEST_UART_IPA + 0x28)
#define NOWHERE         UINT64_C(0x0c000123)

/* Data abort: no syndrome; write; on a table walk; cache maintenance. */
#define ABORT_PLAIN FAKE_ESR(0x24, 0x07)
#define ABORT_WRITE FAKE_ESR(0x24, 0x47)
#define ABORT_WALK  FAKE_ESR(0x24, 0x86)
#define ABORT_CACHE FAKE_ESR(0x24, 0x147)

static void run_ops(const struct fake_op *ops, size_t count, enum end_reason reason)
{
	struct fake_config config = {.segments = {{FAKE_CODE, ops, count}}, .over_count = 2};
	fake_round_trip(config, reason);
}
#define RUN(ops) run_ops(ops, COUNT_OF(ops), END_REASON_POWER_OFF)

/* ---- device accesses with a syndrome ---- */

Test(exit, accesses_have_their_size_and_extension)
{
	static const struct fake_op ops[] = {
		FAKE_MOV(2, 0xfffffffff234abcd),   FAKE_STORE(2, UART_IBRD, 4),       FAKE_LOAD(3, UART_IBRD, 4),
		FAKE_STORE(2, UART_IBRD, 2),       FAKE_LOAD(4, UART_IBRD, 8),        FAKE_LOAD(5, UART_IBRD, 1),
		FAKE_LOAD_SIGNED(6, UART_IBRD, 1), FAKE_LOAD_SIGNED(7, UART_IBRD, 2), FAKE_LOAD(31, UART_IBRD, 4),
		FAKE_STORE(31, UART_IBRD, 4),      FAKE_LOAD(8, UART_IBRD, 4),        FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 0)->value, 0xf234abcd, "the access has four bytes");
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 0)->size, 4);
	cr_assert_eq(fake_x(3), 0xf234abcd);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 1)->value, 0xabcd);
	cr_assert_eq(fake_find(EVENT_MMIO_READ, 1)->size, 8);
	cr_assert_eq(fake_x(4), 0xabcd);
	cr_assert_eq(fake_x(5), 0xcd);
	cr_assert_eq(fake_x(6), 0xffffffffffffffcd);
	cr_assert_eq(fake_x(7), 0xffffffffffffabcd);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 2)->value, 0);
	cr_assert_eq(fake_x(8), 0);
}

Test(exit, a_signed_load_of_a_32_bit_register_leaves_the_upper_half_zero)
{
	static const struct fake_op ops[] = {FAKE_MOV(2, 0x80),
					     FAKE_STORE(2, UART_IBRD, 4),
					     {FAKE_OP_LOAD, 3, UART_IBRD, 1, UINT64_C(1) << 21},
					     FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_x(3), 0xffffff80);
}

Test(exit, an_access_counts_once_and_goes_on_behind_it)
{
	static const struct fake_op ops[] = {FAKE_LOOP(50), FAKE_STORE(2, UART_IBRD, 4), FAKE_LOOP(50), FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 0)->n, 50);
	cr_assert_eq(fake_find(EVENT_SMCCC_CALL, 0)->n, 102);
	cr_assert_eq(fake_mailbox()->exit_count, 2);
}

Test(exit, a_device_page_ends_where_the_device_ends)
{
	static const struct fake_op ops[] = {
		FAKE_LOAD(3, GUEST_UART_IPA + 0xffc, 4),
		FAKE_LOAD(3, GUEST_UART_IPA - 4, 4),
		FAKE_LOAD(3, GUEST_GICR_IPA + 0x1fffc, 4),
		FAKE_LOAD(3, GUEST_GICR_IPA + 0x20000, 4),
		FAKE_LOAD(3, GUEST_VIRTIO_IPA, 4),
		FAKE_LOAD(3, GUEST_VIRTIO_IPA + 0x4000, 4),
		FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_count(EVENT_MMIO_READ), 3);
	cr_assert_eq(fake_count(EVENT_EXTERNAL_ABORT), 3, "one vCPU has one redistributor");
}

/* ---- device accesses without a syndrome ---- */

Test(exit, a_pair_is_two_accesses)
{
	/* stp w2, w3, [x4, #0x24]; ldp w5, w6, [x4, #0x24] */
	static const struct fake_op ops[] = {
		FAKE_MOV(2, 0x1111),
		FAKE_MOV(3, 0x22),
		FAKE_MOV(4, GUEST_UART_IPA),
		FAKE_TRAP(ABORT_WRITE, UART_IBRD, 0x29048c82),
		FAKE_TRAP(ABORT_PLAIN, UART_IBRD, 0x29449885),
		FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 0)->address, UART_IBRD);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 1)->address, UART_FBRD);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 0)->n, fake_find(EVENT_MMIO_WRITE, 1)->n);
	cr_assert_eq(fake_x(5), 0x1111);
	cr_assert_eq(fake_x(6), 0x22);
}

Test(exit, writeback_moves_the_base)
{
	/* str w2, [x4], #4; ldr w5, [x4, #-4]! */
	static const struct fake_op ops[] = {
		FAKE_MOV(2, 0x77),
		FAKE_MOV(4, UART_IBRD),
		FAKE_TRAP(ABORT_WRITE, UART_IBRD, 0xb8004482),
		FAKE_FOLD(4),
		FAKE_TRAP(ABORT_PLAIN, UART_IBRD, 0xb85fcc85),
		FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_x(19), UART_IBRD + 4);
	cr_assert_eq(fake_x(4), UART_IBRD);
	cr_assert_eq(fake_x(5), 0x77);
}

Test(exit, the_stack_pointer_is_that_of_the_level)
{
	/* str w2, [sp], #4; str w2, [sp], #8 */
	static const struct fake_op ops[] = {
		FAKE_MOV(2, 0x77), FAKE_SP(UART_IBRD), FAKE_TRAP(ABORT_WRITE, UART_IBRD, 0xb80047e2),
		FAKE_LEVEL(4),     FAKE_SP(UART_IBRD), FAKE_TRAP(ABORT_WRITE, UART_IBRD, 0xb80087e2),
		FAKE_LEVEL(5),     FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 1)->address, UART_IBRD);
	cr_assert_eq(fake_vcpu()->sp_el1, UART_IBRD + 4);
	cr_assert_eq(fake_vcpu()->sp_el0, UART_IBRD + 8);
}

Test(exit, simd_registers_go_in_halves)
{
	/* ldr q1, [x4]; str q1, [x4]; ldr d1, [x4] */
	static const struct fake_op ops[] = {
		FAKE_MOV(2, 0x33),
		FAKE_MOV(4, UART_IBRD),
		FAKE_STORE(2, UART_IBRD, 4),
		FAKE_TRAP(ABORT_PLAIN, UART_IBRD, 0x3dc00081),
		FAKE_TRAP(ABORT_WRITE, UART_IBRD, 0x3d800081),
		FAKE_TRAP(ABORT_PLAIN, UART_IBRD, 0xfd400081),
		FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_count(EVENT_MMIO_READ), 3);
	cr_assert_eq(fake_find(EVENT_MMIO_READ, 1)->address, UART_IBRD + 8);
	cr_assert_eq(fake_find(EVENT_MMIO_READ, 1)->size, 8);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 2)->address, UART_IBRD + 8);
	cr_assert_eq(fake_vcpu()->v[2], 0x33);
	cr_assert_eq(fake_vcpu()->v[3], 0, "a load of d1 clears the rest of v1");
}

Test(exit, an_instruction_that_hv_does_not_emulate_ends_the_recording)
{
	static const uint32_t words[] = {0xc85f7c82 /* ldxr */, 0xf8200082 /* ldadd */, 0, 0x0c407c82 /* ld1 */};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		const struct fake_op ops[] = {FAKE_LOOP(5), FAKE_TRAP(ABORT_PLAIN, UART_IBRD, words[i]), FAKE_OFF};
		run_ops(ops, COUNT_OF(ops), END_REASON_UNSUPPORTED);
		cr_assert(strstr(fake_mailbox()->text, "does not emulate"), "%s", fake_mailbox()->text);
	}
}

/* ---- accesses to nothing ---- */

Test(exit, an_access_to_nothing_is_an_external_abort)
{
	static const struct fake_op ops[] = {FAKE_LOOP(7), FAKE_STORE(2, NOWHERE, 4), FAKE_MOV(7, 1), FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_EXTERNAL_ABORT, 0)->address, NOWHERE);
	cr_assert_eq(fake_find(EVENT_EXTERNAL_ABORT, 0)->n, 7);
	cr_assert_eq(fake_x(21), FAKE_ESR(0x25, 0x50), "from EL1, a write, synchronous external");
	cr_assert_eq(fake_x(22), NOWHERE);
	cr_assert_eq(fake_x(23), 0x200);
	cr_assert_eq(fake_x(7), 1);
	cr_assert_eq(fake_find(EVENT_SMCCC_CALL, 0)->n, 7 + 1 + 1 + 1 + 1, "the aborted store itself does not count");
}

Test(exit, an_abort_says_what_it_was)
{
	static const struct {
		uint64_t esr, expected;
	} cases[] = {
		{FAKE_ESR(0x24, 0x07), FAKE_ESR(0x25, 0x10)}, /* a read */
		{ABORT_WALK, FAKE_ESR(0x25, 0x16)},           /* a walk, at level 2 */
		{FAKE_ESR(0x20, 0x07), FAKE_ESR(0x21, 0x10)}, /* an instruction fetch */
		{FAKE_ESR(0x20, 0x85), FAKE_ESR(0x21, 0x15)}, /* its walk, at level 1 */
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct fake_op ops[] = {FAKE_TRAP(cases[i].esr, NOWHERE, 0), FAKE_OFF};
		RUN(ops);
		cr_expect_eq(fake_x(21), cases[i].expected, "case %zu: %#" PRIx64, i, fake_x(21));
	}
}

Test(exit, an_abort_at_el0_comes_from_a_lower_level)
{
	static const struct fake_op ops[] = {FAKE_LEVEL(0), FAKE_LOAD(3, NOWHERE, 4), FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_x(21), FAKE_ESR(0x24, 0x10));
	cr_assert_eq(fake_x(23), 0x400);
}

Test(exit, a_walk_into_a_device_is_no_access_to_it)
{
	static const struct fake_op ops[] = {FAKE_TRAP(ABORT_WALK, UART_IBRD, 0), FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_count(EVENT_EXTERNAL_ABORT), 1);
	cr_assert_eq(fake_count(EVENT_MMIO_READ), 0);
}

Test(exit, cache_maintenance_of_a_device_does_nothing)
{
	static const struct fake_op ops[] = {FAKE_TRAP(ABORT_CACHE, UART_IBRD, 0), FAKE_LOAD(3, UART_IBRD, 4),
					     FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_MMIO_WRITE, 0)->size, 0);
	cr_assert_eq(fake_x(3), 0);
}

Test(exit, what_hv_does_not_know_ends_the_recording_with_a_text)
{
	static const struct {
		uint64_t esr;
		const char *text;
	} cases[] = {
		{FAKE_ESR(0x24, 0x0f), "stage-2 fault"}, /* a permission fault */
		{FAKE_ESR(0x19, 0), "does not know"},    /* SVE */
		{FAKE_ESR(0x3f, 0), "does not know"},
		{FAKE_ESR(0x2f, 0), "SError"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct fake_op ops[] = {FAKE_LOOP(5), FAKE_TRAP(cases[i].esr, UART_IBRD, 0), FAKE_OFF};
		run_ops(ops, COUNT_OF(ops), END_REASON_UNSUPPORTED);
		cr_assert(strstr(fake_mailbox()->text, cases[i].text), "%s", fake_mailbox()->text);
	}
}

/* ---- PSCI ---- */

static uint64_t psci(uint32_t function, uint64_t x1, uint64_t x2)
{
	const struct fake_op ops[] = {FAKE_MOV(0, function), FAKE_MOV(1, x1), FAKE_MOV(2, x2), FAKE_HVC,
				      FAKE_FOLD(0),          FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_SMCCC_CALL, 0)->address, function);
	cr_assert_eq(fake_find(EVENT_SMCCC_CALL, 0)->value, fake_x(19));
	cr_assert_eq(fake_find(EVENT_SMCCC_CALL, 0)->pc, FAKE_CODE + 12, "the call itself, not its successor");
	return fake_x(19);
}

Test(exit, psci_answers)
{
	static const struct {
		uint32_t function;
		uint64_t x1, x2;
		int64_t result;
	} cases[] = {
		{0x84000000, 0, 0, 0x10001},                                     /* PSCI_VERSION */
		{0x8400000a, 0x84000008, 0, 0},                                  /* PSCI_FEATURES */
		{0x8400000a, 0xc4000003, 0, 0}, {0x8400000a, 0x80000000, 0, -1}, /* … of SMCCC_VERSION */
		{0x84000004, 0, 0, 0},                                           /* AFFINITY_INFO: on */
		{0xc4000004, 1, 0, -2},                                          /* no such vCPU */
		{0xc4000004, 0, 1, -2},                                          /* no such level */
		{0x84000003, 0, 0, -4},                                          /* CPU_ON: already on */
		{0xc4000003, 7, 0, -2},         {0x84000002, 0, 0, -3},          /* CPU_OFF: the last one */
		{0x84000006, 0, 0, 2},                                           /* MIGRATE_INFO_TYPE */
		{0x84000007, 0, 0, -1},         {0x80008000, 0, 0, -1},          {0, 0, 0, -1},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		cr_expect_eq((int64_t)psci(cases[i].function, cases[i].x1, cases[i].x2), cases[i].result,
			     "function %#" PRIx32, cases[i].function);
}

Test(exit, psci_by_smc_is_the_same)
{
	static const struct fake_op ops[] = {FAKE_MOV(0, 0x84000000), FAKE_SMC, FAKE_FOLD(0), FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_x(19), 0x10001);
	cr_assert_eq(fake_find(EVENT_SMCCC_CALL, 0)->n, 1);
	cr_assert_eq(fake_find(EVENT_SMCCC_CALL, 1)->n, 4);
}

Test(exit, a_reset_ends_the_recording)
{
	static const struct fake_op ops[] = {FAKE_MOV(0, 0x84000009), FAKE_HVC, FAKE_OFF};
	run_ops(ops, COUNT_OF(ops), END_REASON_RESET);
	cr_assert_eq(fake_vcpu()->pc, FAKE_CODE + 4);
}

Test(exit, a_suspend_waits_as_a_wfi_does)
{
	static const struct fake_op ops[] = {FAKE_GIC_SETUP, FAKE_VTIMER(1, 100), FAKE_MOV(0, 0xc4000001),
					     FAKE_SMC,       FAKE_CNTVCT(5),      FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_count(EVENT_IDLE), 1);
	cr_assert_eq(fake_x(5), 100);
}

/* ---- debug exceptions ---- */

#define KEY_MDSCR  FAKE_KEY(2, 0, 0, 2, 2)
#define KEY_OSLAR  FAKE_KEY(2, 0, 1, 0, 4)
#define MDSCR_KDE  (UINT64_C(1) << 13)
#define MDSCR_MDE  (UINT64_C(1) << 15)
#define BREAKPOINT FAKE_ESR(0x30, 0x22)
#define WATCHPOINT FAKE_ESR(0x34, 0x62)
#define STEP       FAKE_ESR(0x32, 0x22)

Test(exit, brk_is_passed_on)
{
	static const struct fake_op ops[] = {FAKE_LOOP(5), FAKE_TRAP(FAKE_ESR(0x3c, 0x123), 0, 0), FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_DEBUG_EXCEPTION, 0)->n, 5);
	cr_assert_eq(fake_x(21), FAKE_ESR(0x3c, 0x123), "BRK has one class for both levels");
	cr_assert_eq(fake_x(22), 0, "FAR is untouched");
	cr_assert_eq(fake_x(23), 0x200);
	cr_assert_eq(fake_find(EVENT_SMCCC_CALL, 0)->n, 9, "the BRK counts");
}

static void debug_exception(uint64_t mdscr, uint64_t daif, uint64_t level, uint64_t oslar, uint64_t esr)
{
	const struct fake_op ops[] = {
		FAKE_MOV(2, mdscr),
		FAKE_MSR(KEY_MDSCR, 2),
		FAKE_MOV(2, oslar),
		FAKE_MSR(KEY_OSLAR, 2),
		FAKE_DAIF(daif),
		FAKE_LEVEL(level),
		FAKE_TRAP(esr, 0x40088888, 0),
		FAKE_OFF,
	};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}};
	fake_round_trip(config, END_REASON_POWER_OFF);
}

Test(exit, unmasked_debug_exceptions_are_passed_on)
{
	debug_exception(MDSCR_KDE | MDSCR_MDE, 0, 5, 0, BREAKPOINT);
	cr_assert_eq(fake_x(21), FAKE_ESR(0x31, 0x22), "from the same level");
	cr_assert_eq(fake_x(22), 0, "a breakpoint has no FAR");
	debug_exception(MDSCR_KDE | MDSCR_MDE, 0, 5, 0, WATCHPOINT);
	cr_assert_eq(fake_x(21), FAKE_ESR(0x35, 0x62));
	cr_assert_eq(fake_x(22), 0x40088888);
	cr_assert_eq(fake_find(EVENT_DEBUG_EXCEPTION, 0)->value, 0x40088888);
	debug_exception(MDSCR_MDE, 0x3c0, 0, 0, BREAKPOINT);
	cr_assert_eq(fake_x(21), BREAKPOINT, "from EL0, whatever PSTATE.D and KDE");
	cr_assert_eq(fake_x(23), 0x400);
	debug_exception(MDSCR_KDE | 1, 0, 5, 0, STEP);
	cr_assert_eq(fake_x(21), FAKE_ESR(0x33, 0x22));
}

/* Where EL1 would not take it, the guest goes on without noticing. */
Test(exit, masked_debug_exceptions_are_passed_over)
{
	static const struct {
		uint64_t mdscr, daif, level, oslar;
	} cases[] = {
		{MDSCR_MDE, 0, 5, 0},                 /* KDE is off */
		{MDSCR_KDE | MDSCR_MDE, 0x200, 5, 0}, /* PSTATE.D */
		{MDSCR_KDE | MDSCR_MDE, 0, 5, 1},     /* the OS lock */
		{MDSCR_KDE | MDSCR_MDE, 0, 0, 1},     /* … at EL0 too */
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct fake_op ops[] = {
			FAKE_MOV(2, cases[i].mdscr),
			FAKE_MSR(KEY_MDSCR, 2),
			FAKE_MOV(2, cases[i].oslar),
			FAKE_MSR(KEY_OSLAR, 2),
			FAKE_DAIF(cases[i].daif),
			FAKE_LEVEL(cases[i].level),
			FAKE_BREAK,
			FAKE_MOV(7, 1),
			FAKE_OFF,
		};
		struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}};
		fake_round_trip(config, END_REASON_POWER_OFF);
		cr_expect_eq(fake_count(EVENT_DEBUG_EXCEPTION), 0, "case %zu", i);
		cr_expect_eq(fake_x(7), 1);
		cr_expect_eq(fake_vcpu()->pstate & (UINT64_C(1) << 21), 0, "PSTATE.SS stays behind");
		cr_expect_eq(fake_vcpu()->mdscr_el1, cases[i].mdscr);
	}
}

Test(exit, the_os_lock_and_the_claim_tags_are_kept)
{
	static const struct fake_op ops[] = {
		FAKE_MRS(3, FAKE_KEY(2, 0, 1, 1, 4)),
		FAKE_MOV(2, 1),
		FAKE_MSR(KEY_OSLAR, 2),
		FAKE_MRS(4, FAKE_KEY(2, 0, 1, 1, 4)),
		FAKE_MOV(2, 0x1f5),
		FAKE_MSR(FAKE_KEY(2, 0, 7, 8, 6), 2),
		FAKE_MOV(2, 0x05),
		FAKE_MSR(FAKE_KEY(2, 0, 7, 9, 6), 2),
		FAKE_MRS(5, FAKE_KEY(2, 0, 7, 9, 6)),
		FAKE_MRS(6, FAKE_KEY(2, 0, 7, 8, 6)),
		FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_x(3), 10, "locked after reset");
	cr_assert_eq(fake_x(4), 10);
	cr_assert_eq(fake_x(5), 0xf0);
	cr_assert_eq(fake_x(6), 0xff);
}
