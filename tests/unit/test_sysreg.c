/* Trapped system registers: the encodings against the assembler's (sysreg_cases.h, made at build time by
 * make-sysreg-cases.sh), the policy of every row through the real dispatcher, and default deny. */
#include "hv/core/sysreg.h"
#include "tests/unit/fake_check.h"

struct sysreg_case {
	const char *name;
	const char *direction;
	uint32_t named, generic; /* the instruction with the register's name, and with its encoding */
};

#include "tests/unit/sysreg_cases.h"

TestSuite(sysreg, .timeout = 900);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define ESR_UNKNOWN     UINT64_C(0x02000000)
#define CNTPCT          FAKE_CNTPCT

struct row {
	const char *name;
	uint32_t key;
	const char *read, *write;
};

static const struct row rows[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, read, write) {#name, SYSREG_KEY(op0, op1, crn, crm, op2), #read, #write},
#include "hv/abi/sysreg.def"
#undef SYSREG
};

Test(sysreg, names_and_encodings_are_the_assemblers)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		cr_expect_eq(cases[i].named, cases[i].generic, "%s is %08" PRIx32 ", not %08" PRIx32, cases[i].name,
			     cases[i].named, cases[i].generic);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cr_expect_str_eq(rows[i].name, cases[i].name);
		cr_expect_eq(rows[i].key, cases[i].named >> 5 & 0xffff,
			     "%s: the key is not bits 20:5 of the instruction", rows[i].name);
	}
}

Test(sysreg, every_row_has_its_own_key)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (size_t j = 0; j < i; j++)
			cr_expect_neq(rows[i].key, rows[j].key, "%s and %s", rows[i].name, rows[j].name);
}

static void run_ops(const struct fake_op *ops, size_t count, uint64_t machine_version)
{
	struct fake_config config = {.segments = {{FAKE_CODE, ops, count}},
				     .over_count = 2,
				     .rtc_base_s = 1,
				     .machine_version = machine_version};
	fake_round_trip(config, END_REASON_POWER_OFF);
}
#define RUN(ops) run_ops(ops, COUNT_OF(ops), GUEST_MACHINE_VERSION)

static void every_row_is_as_it_says(uint64_t machine_version)
{
	struct fake_op ops[2 * COUNT_OF(rows) + 3];
	struct fake_op off[] = {FAKE_OFF};
	size_t used = 0, denied = 0;
	ops[used++] = (struct fake_op)FAKE_MOV(2, 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		ops[used++] = (struct fake_op)FAKE_MRS(5, rows[i].key);
		ops[used++] = (struct fake_op)FAKE_MSR(rows[i].key, 2);
	}
	memcpy(&ops[used], off, sizeof(off));
	run_ops(ops, used + 2, machine_version);
	size_t count;
	const struct event *event = fake_trace(&count);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bool reads = strcmp(rows[i].read, "sysreg_no_read") != 0;
		bool writes = strcmp(rows[i].write, "sysreg_no_write") != 0;
		if (rows[i].key != CNTPCT || machine_version == 1) {
			cr_expect_eq(event->address, rows[i].key);
			cr_expect_eq(event->kind, reads ? EVENT_SYSREG_READ : EVENT_SYSREG_DENIED, "%s", rows[i].name);
			event++;
		}
		cr_expect_eq(event->address, rows[i].key);
		cr_expect_eq(event->kind, writes ? EVENT_SYSREG_WRITE : EVENT_SYSREG_DENIED, "%s", rows[i].name);
		event++;
		denied += (reads ? 0U : 1U) + (writes ? 0U : 1U);
	}
	cr_assert_eq(fake_mailbox()->denied_count, denied);
}

Test(sysreg, every_row_is_emulated_in_its_directions_and_denied_in_the_others)
{
	for (uint64_t version = 1; version <= GUEST_MACHINE_VERSION; version++)
		every_row_is_as_it_says(version);
}

enum stored_how { PLAIN, SET, CLEAR };

static const struct stored {
	const char *name;
	uint32_t key;
	enum stored_how how;
	size_t offset;
	uint64_t mask;
} stored[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, read, write)
#define STORED(name, op0, op1, crn, crm, op2, how, since, array, field, mask)                                          \
	{#name, SYSREG_KEY(op0, op1, crn, crm, op2), how, offsetof(struct guest_state, array[0].field), mask},
#include "hv/abi/sysreg.def"
#undef SYSREG
};

/* What is left of all ones, and then of 1 alone. */
Test(sysreg, a_stored_register_keeps_the_bits_that_exist)
{
	for (size_t i = 0; i < COUNT_OF(stored); i++) {
		const struct stored *row = &stored[i];
		struct fake_op ops[] = {FAKE_MOV(2, UINT64_MAX),
					FAKE_MSR(row->key, 2),
					FAKE_MRS(3, row->key),
					FAKE_MOV(2, 1),
					FAKE_MSR(row->key, 2),
					FAKE_MRS(4, row->key),
					FAKE_OFF};
		RUN(ops);
		uint64_t ones = row->how == CLEAR ? 0 : row->mask;
		uint64_t one = row->how == PLAIN ? row->mask & 1 : ones;
		cr_expect_eq(fake_x(3), ones, "%s: %" PRIx64, row->name, fake_x(3));
		cr_expect_eq(fake_x(4), one, "%s: %" PRIx64, row->name, fake_x(4));
		cr_expect_eq(*(const uint64_t *)((const char *)&fake_mailbox()->final_state + row->offset), one, "%s",
			     row->name);
	}
}

Test(sysreg, a_read_of_the_counter_is_an_event_in_machine_version_1_only)
{
	static const struct fake_op ops[] = {FAKE_LOOP(160), FAKE_MRS(5, CNTPCT), FAKE_LOOP(16), FAKE_MRS(6, CNTPCT),
					     FAKE_OFF};
	for (uint64_t version = 1; version <= GUEST_MACHINE_VERSION; version++) {
		run_ops(ops, COUNT_OF(ops), version);
		cr_expect_eq(fake_count(EVENT_SYSREG_READ), version == 1 ? 2 : 0);
		cr_expect_eq(fake_x(5), (version == 1 ? 0 : GUEST_COUNTER_START) + 10);
		cr_expect_eq(fake_x(6), (version == 1 ? 0 : GUEST_COUNTER_START) + 11);
		cr_expect_eq(fake_find(EVENT_END, 0)->n, 160 + 1 + 16 + 1 + 1);
	}
}

Test(sysreg, an_unlisted_register_is_undefined_and_logged)
{
	static const struct fake_op ops[] = {
		FAKE_LOOP(10),  FAKE_DAIF(0x100), FAKE_MOV(5, 77), FAKE_MRS(5, FAKE_KEY(3, 0, 0, 8, 1)),
		FAKE_MOV(7, 1), FAKE_OFF,
	};
	RUN(ops);
	struct event *event = fake_find(EVENT_SYSREG_DENIED, 0);
	cr_assert_eq(event->address, FAKE_KEY(3, 0, 0, 8, 1));
	cr_assert_eq(event->value, 1, "it was a read");
	cr_assert_eq(event->pc, FAKE_CODE + 12);
	cr_assert_eq(fake_x(21), ESR_UNKNOWN);
	cr_assert_eq(fake_x(23), 0x200);
	cr_assert_eq(fake_x(24), 0x105);
	cr_assert_eq(fake_x(5), 77);
	cr_assert_eq(fake_x(7), 1, "the handler came back");
	cr_assert_eq(fake_mailbox()->denied_count, 1);
}

Test(sysreg, a_denied_write_says_that_it_was_one)
{
	static const struct fake_op ops[] = {FAKE_MSR(FAKE_KEY(3, 0, 15, 2, 3), 5), FAKE_OFF};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_SYSREG_DENIED, 0)->value, 0);
	cr_assert_eq(fake_find(EVENT_SYSREG_DENIED, 0)->n, 0);
}

/* The machine's when recording, and the recording's when replaying. */
Test(sysreg, id_registers_read_as_they_did_in_the_recording)
{
	static const struct fake_op ops[] = {FAKE_MRS(5, FAKE_KEY(3, 0, 0, 1, 2)), FAKE_MRS(6, FAKE_KEY(3, 0, 0, 7, 7)),
					     FAKE_LOOP(20), FAKE_OFF};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops)}, .over_count = 3};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_x(5), FAKE_FINGERPRINT + 12, "ID_DFR0_EL1 is the 13th of fingerprint.def");
	cr_assert_eq(fake_x(6), 0, "a reserved one");
	cr_assert_eq(fake_find(EVENT_SYSREG_READ, 0)->n, 3, "over-counted, and kept so");
	config.over_count = 7;
	config.fingerprint = FAKE_FINGERPRINT + 12;
	fake_expect_state(fake_replay(&config), HV_STATE_ENDED, "another count, the recorded value");
	config.fingerprint++;
	fake_expect_state(fake_replay(&config), HV_STATE_DIVERGED, "another value");
}

Test(sysreg, undefined_is_taken_where_the_guest_was)
{
	static const uint64_t modes[][2] = {{0x5, 0x200}, {0x4, 0x000}, {0x0, 0x400}, {0x10, 0x600}};
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		const struct fake_op ops[] = {FAKE_LEVEL(modes[i][0]), FAKE_MRS(5, FAKE_KEY(3, 0, 0, 8, 1)), FAKE_OFF};
		RUN(ops);
		cr_expect_eq(fake_x(23), modes[i][1], "PSTATE.M %#" PRIx64 ": vector %#" PRIx64, modes[i][0],
			     fake_x(23));
	}
}

Test(sysreg, xzr_reads_as_zero_and_takes_nothing)
{
	static const struct fake_op ops[] = {
		FAKE_MOV(5, 9),
		FAKE_MSR(FAKE_KEY(3, 3, 14, 2, 2), 5),
		FAKE_MSR(FAKE_KEY(3, 3, 14, 2, 2), 31),
		FAKE_MRS(6, FAKE_KEY(3, 3, 14, 2, 2)),
		FAKE_MRS(31, FAKE_KEY(3, 3, 14, 0, 1)),
		FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_find(EVENT_SYSREG_WRITE, 1)->value, 0);
	cr_assert_eq(fake_x(6), 0);
}

Test(sysreg, aarch32_registers_are_undefined)
{
	static const uint64_t classes[] = {0x03, 0x04, 0x05, 0x06, 0x0c};
	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		const struct fake_op ops[] = {FAKE_LEVEL(0x10), FAKE_TRAP(FAKE_ESR(classes[i], 1), 0, 0), FAKE_OFF};
		RUN(ops);
		cr_expect_eq(fake_x(23), 0x600);
		cr_expect_eq(fake_x(21), ESR_UNKNOWN);
	}
}

Test(sysreg, breakpoint_registers_are_kept_as_far_as_they_exist)
{
	struct fake_op ops[4 * 16 * 3 + 2];
	const struct fake_op off[] = {FAKE_OFF};
	size_t used = 0;
	for (uint32_t n = 0; n < 16; n++) {
		for (uint32_t op2 = 4; op2 < 8; op2++) {
			uint64_t key = FAKE_KEY(2, 0, 0, n, op2);
			ops[used++] = (struct fake_op)FAKE_MOV(2, 0x1000 * (n + 1) + op2);
			ops[used++] = (struct fake_op)FAKE_MSR(key, 2);
			ops[used++] = (struct fake_op)FAKE_MRS(3, key);
		}
	}
	memcpy(&ops[used], off, sizeof(off));
	run_ops(ops, COUNT_OF(ops), GUEST_MACHINE_VERSION);
	cr_assert_eq(fake_count(EVENT_SYSREG_WRITE), 2 * GUEST_BREAKPOINT_COUNT + 2 * GUEST_WATCHPOINT_COUNT);
	cr_assert_eq(fake_mailbox()->denied_count, 2 * (64 - 2 * GUEST_BREAKPOINT_COUNT - 2 * GUEST_WATCHPOINT_COUNT));
	cr_assert_eq(fake_vcpu()->dbgbvr[5], 0x6004);
	cr_assert_eq(fake_vcpu()->dbgbcr[0], 0x1005);
	cr_assert_eq(fake_vcpu()->dbgwvr[3], 0x4004);
	cr_assert_eq(fake_vcpu()->dbgwcr[1], 0x2007);
	cr_assert_eq(fake_find(EVENT_SYSREG_READ, 0)->value, 0x1004);
}

Test(sysreg, an_sgi_is_injected)
{
	static const struct fake_op handler[] = {FAKE_ACK(1), FAKE_EOI(1), FAKE_ERET};
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP,
		FAKE_UNMASK,
		FAKE_MOV(2, 7 << 24 | 1),
		FAKE_MSR(FAKE_KEY(3, 0, 12, 11, 5), 2),
		FAKE_LOOP(20),
		FAKE_MSR(FAKE_KEY(3, 0, 12, 11, 6), 2),
		FAKE_MSR(FAKE_KEY(3, 0, 12, 11, 7), 2),
		FAKE_LOOP(20),
		FAKE_OFF,
	};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(handler)}};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_count(EVENT_INJECT), 1);
	cr_assert_eq(fake_find(EVENT_INJECT, 0)->address, 7);
	cr_assert_eq(fake_find(EVENT_INJECT, 0)->n, fake_find(EVENT_SYSREG_WRITE, 0)->n + 1);
	cr_assert_eq(fake_x(1), 7);
}

/* ---- the physical timer's registers ---- */

#define CNTP_TVAL FAKE_KEY(3, 3, 14, 2, 0)
#define CNTP_CTL  FAKE_KEY(3, 3, 14, 2, 1)
#define CNTP_CVAL FAKE_KEY(3, 3, 14, 2, 2)

Test(sysreg, cntp_tval_is_signed_and_relative)
{
	static const struct fake_op ops[] = {
		FAKE_LOOP(1600),        FAKE_MOV(2, 0xffffffff), FAKE_MSR(CNTP_TVAL, 2),
		FAKE_MRS(3, CNTP_CVAL), FAKE_MRS(4, CNTP_TVAL),  FAKE_MOV(2, 50),
		FAKE_MSR(CNTP_TVAL, 2), FAKE_MRS(5, CNTP_CVAL),  FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_x(3), GUEST_COUNTER_START + 99);
	cr_assert_eq(fake_x(4), 0xffffffff);
	cr_assert_eq(fake_x(5), GUEST_COUNTER_START + 150);
}

Test(sysreg, cntp_ctl_keeps_two_bits_and_shows_the_status)
{
	static const struct fake_op ops[] = {
		FAKE_MOV(2, GUEST_COUNTER_START + 20),
		FAKE_MSR(CNTP_CVAL, 2),
		FAKE_MOV(2, 0xff),
		FAKE_MSR(CNTP_CTL, 2),
		FAKE_MRS(3, CNTP_CTL),
		FAKE_LOOP(400),
		FAKE_MRS(4, CNTP_CTL),
		FAKE_MOV(2, 2),
		FAKE_MSR(CNTP_CTL, 2),
		FAKE_MRS(5, CNTP_CTL),
		FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_x(3), 3);
	cr_assert_eq(fake_x(4), 7);
	cr_assert_eq(fake_x(5), 2, "a disabled timer has no status");
}

/* The alarm interrupts a loop in its middle, and the place is exact. */
Test(sysreg, the_physical_timer_interrupts_at_its_tick)
{
	static const struct fake_op handler[] = {FAKE_ACK(1),           FAKE_CNTVCT(10), FAKE_MOV(3, 0),
						 FAKE_MSR(CNTP_CTL, 3), FAKE_EOI(1),     FAKE_ERET};
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP,         FAKE_UNMASK,    FAKE_MOV(2, GUEST_COUNTER_START + 100),
		FAKE_MSR(CNTP_CVAL, 2), FAKE_MOV(2, 1), FAKE_MSR(CNTP_CTL, 2),
		FAKE_LOOP(5000),        FAKE_OFF,
	};
	struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(handler)}};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_find(EVENT_EXIT, 0)->n, 1600);
	cr_assert_eq(fake_find(EVENT_EXIT, 0)->address, EXIT_REASON_ALARM);
	cr_assert_eq(fake_find(EVENT_INJECT, 0)->address, GUEST_INTID_PTIMER);
	cr_assert_eq(fake_x(10), 100);
	cr_assert_eq(fake_x(1), GUEST_INTID_PTIMER);
}

/* ---- the virtual PMU ---- */

#define PMCR       FAKE_KEY(3, 3, 9, 12, 0)
#define PMCNTENSET FAKE_KEY(3, 3, 9, 12, 1)
#define PMCNTENCLR FAKE_KEY(3, 3, 9, 12, 2)
#define PMOVSCLR   FAKE_KEY(3, 3, 9, 12, 3)
#define PMSELR     FAKE_KEY(3, 3, 9, 12, 5)
#define PMCCNTR    FAKE_KEY(3, 3, 9, 13, 0)
#define PMXEVTYPER FAKE_KEY(3, 3, 9, 13, 1)
#define PMUSERENR  FAKE_KEY(3, 3, 9, 14, 0)
#define PMINTENSET FAKE_KEY(3, 0, 9, 14, 1)
#define PMINTENCLR FAKE_KEY(3, 0, 9, 14, 2)
#define PMOVSSET   FAKE_KEY(3, 3, 9, 14, 3)
#define PMCCFILTR  FAKE_KEY(3, 3, 14, 15, 7)

Test(sysreg, the_cycle_counter_counts_instructions_while_it_is_on)
{
	static const struct fake_op ops[] = {
		FAKE_MOV(2, UINT64_C(1) << 31),
		FAKE_MSR(PMCNTENSET, 2),
		FAKE_LOOP(100),
		FAKE_MRS(3, PMCCNTR),
		FAKE_MOV(4, 5),
		FAKE_MSR(PMCR, 4),
		FAKE_LOOP(100),
		FAKE_MRS(5, PMCCNTR),
		FAKE_MSR(PMCNTENCLR, 2),
		FAKE_LOOP(100),
		FAKE_MRS(6, PMCCNTR),
		FAKE_MOV(4, 1000),
		FAKE_MSR(PMCCNTR, 4),
		FAKE_MSR(PMCNTENSET, 2),
		FAKE_MRS(7, PMCCNTR),
		FAKE_MRS(8, PMCR),
		FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_x(3), 0, "not enabled yet");
	cr_assert_eq(fake_x(5), 101);
	cr_assert_eq(fake_x(6), 102, "it stands still");
	cr_assert_eq(fake_x(7), 1001);
	cr_assert_eq(fake_x(8), 0x410c0001, "PMCR.C reads as zero");
}

Test(sysreg, pmu_registers_keep_their_bits)
{
	static const struct fake_op ops[] = {
		FAKE_MOV(2, UINT64_MAX),
		FAKE_MOV(1, UINT64_C(1) << 31),
		FAKE_MSR(PMOVSSET, 2),
		FAKE_MRS(3, PMOVSCLR),
		FAKE_MSR(PMOVSCLR, 1),
		FAKE_MRS(4, PMOVSSET),
		FAKE_MSR(PMINTENSET, 2),
		FAKE_MRS(5, PMINTENCLR),
		FAKE_MSR(PMINTENCLR, 2),
		FAKE_MRS(6, PMINTENSET),
		FAKE_MSR(PMUSERENR, 2),
		FAKE_MSR(PMXEVTYPER, 2),
		FAKE_MRS(7, PMCCFILTR),
		FAKE_MSR(PMSELR, 2),
		FAKE_MSR(PMXEVTYPER, 2),
		FAKE_MRS(8, PMCCFILTR),
		FAKE_MRS(9, PMXEVTYPER),
		FAKE_MRS(10, FAKE_KEY(3, 3, 14, 8, 0)),
		FAKE_MRS(11, FAKE_KEY(3, 3, 14, 15, 6)),
		FAKE_OFF,
	};
	RUN(ops);
	cr_assert_eq(fake_x(3), UINT64_C(1) << 31);
	cr_assert_eq(fake_x(4), 0);
	cr_assert_eq(fake_x(5), UINT64_C(1) << 31);
	cr_assert_eq(fake_x(6), 0);
	cr_assert_eq(fake_vcpu()->pmuserenr_el0, 0xf);
	cr_assert_eq(fake_x(7), 0, "no counter was selected");
	cr_assert_eq(fake_x(8), 0xf8000000);
	cr_assert_eq(fake_x(9), 0xf8000000);
	cr_assert_eq(fake_x(10), 0);
	cr_assert_eq(fake_mailbox()->denied_count, 0);
}
