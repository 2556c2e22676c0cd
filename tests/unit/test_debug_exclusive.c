/* Exclusive sequences of a guest that is stepped, or stopped, by debug events that it has masked: the decoder against
 * the assembler's words, and sequences on the fake machine, whose monitor each entry clears. */
#include "hv/core/decode_exclusive.h"
#include "tests/unit/fake_check.h"

struct load_case {
	uint32_t word;
	const char *text;
	uint8_t rn, bytes;
};

struct store_case {
	uint32_t word, plain;
	const char *text;
	uint8_t rs, rn, bytes;
};

struct between_case {
	uint32_t word;
	const char *text;
	bool passes, ends;
};

#include "tests/unit/exclusive_cases.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

Test(debug_exclusive, loads_and_stores_have_the_fields_that_their_text_says)
{
	struct decode_exclusive access;
	for (size_t i = 0; i < COUNT_OF(loads); i++) {
		cr_assert(decode_exclusive(loads[i].word, &access) && access.is_load, "%s", loads[i].text);
		cr_expect(access.rn == loads[i].rn && access.bytes == loads[i].bytes, "%s", loads[i].text);
	}
	for (size_t i = 0; i < COUNT_OF(stores); i++) {
		cr_assert(decode_exclusive(stores[i].word, &access) && !access.is_load, "%s", stores[i].text);
		cr_expect(access.rn == stores[i].rn && access.bytes == stores[i].bytes, "%s", stores[i].text);
		cr_expect(access.rs == stores[i].rs, "%s", stores[i].text);
		cr_expect_eq(decode_exclusive_plain(stores[i].word), stores[i].plain, "%s", stores[i].text);
	}
}

static void expect_between(const struct between_case *row, uint8_t rn)
{
	cr_expect_eq(decode_exclusive_passes(row->word, rn), row->passes, "%s", row->text);
	cr_expect_eq(decode_exclusive_ends(row->word), row->ends, "%s", row->text);
}

Test(debug_exclusive, what_may_stand_before_the_store_is_known)
{
	struct decode_exclusive access;
	for (size_t i = 0; i < COUNT_OF(between); i++) {
		expect_between(&between[i], 9);
		bool exclusive = strstr(between[i].text, "xr ") || strstr(between[i].text, "xp ");
		cr_expect_eq(decode_exclusive(between[i].word, &access), exclusive, "%s", between[i].text);
	}
	for (size_t i = 0; i < COUNT_OF(between_sp); i++)
		expect_between(&between_sp[i], 31);
}

/* ---- on the fake machine ---- */

#define KEY_MDSCR FAKE_KEY(2, 0, 0, 2, 2)
#define MDSCR_SS  UINT64_C(1)
#define MDSCR_MDE (UINT64_C(1) << 15)
#define UART_IMSC (GUEST_UART_IPA + 0x38)

enum { CELL = 0x1000 };

/* Sets MDSCR_EL1, goes through the sequence, and sets it to 0. */
#define SEQUENCE(mdscr, ...)                                                                                           \
	FAKE_MOV(9, mdscr), FAKE_MSR(KEY_MDSCR, 9), FAKE_MOV(2, CELL), __VA_ARGS__, FAKE_MOV(9, 0),                    \
		FAKE_MSR(KEY_MDSCR, 9), FAKE_OFF

/* What came of it: the status, what was loaded and added to, and how many instructions it took. */
static void expect_outcome(const struct fake_op *ops, size_t count, uint64_t version, uint64_t status)
{
	struct fake_config config = {.segments = {{FAKE_CODE, ops, count}}, .machine_version = version};
	fake_round_trip(config, END_REASON_POWER_OFF);
	cr_assert_eq(fake_x(3), status);
	cr_assert_eq(fake_count(EVENT_DEBUG_EXCEPTION), 0);
	cr_assert_eq(fake_find(EVENT_SMCCC_CALL, 0)->n, count - 1, "each instruction counts once");
	cr_assert_eq(fake_vcpu()->stepping & ~(uint32_t)VCPU_MASKED_STEP, 0);
}

#define EXPECT_OUTCOME(ops, version, status) expect_outcome(ops, COUNT_OF(ops), version, status)

Test(debug_exclusive, a_masked_event_anywhere_in_a_sequence_does_not_fail_its_store)
{
	for (unsigned breaks = 0; breaks < 8; breaks++) {
		for (unsigned steps = 0; steps < 2; steps++) {
			const struct fake_op ops[] = {
				SEQUENCE(MDSCR_MDE | steps, FAKE_WORD(FAKE_LDXR, breaks & 1),
					 FAKE_WORD(FAKE_ADD, breaks & 2), FAKE_WORD(FAKE_STXR, breaks & 4),
					 FAKE_WORD(FAKE_LDXR, 0)),
			};
			EXPECT_OUTCOME(ops, 0, 0);
			cr_assert_eq(fake_x(1), 1, "the store was done: breaks %u, steps %u", breaks, steps);
		}
	}
}

Test(debug_exclusive, a_store_that_hardware_lets_fail_fails)
{
	for (unsigned steps = 0; steps < 2; steps++) {
		const struct fake_op cleared[] = {
			SEQUENCE(MDSCR_MDE | steps, FAKE_WORD(FAKE_LDXR, 1), FAKE_WORD(FAKE_CLREX, 0),
				 FAKE_WORD(FAKE_STXR, 1)),
		};
		const struct fake_op moved[] = {
			SEQUENCE(MDSCR_MDE | steps, FAKE_WORD(FAKE_LDXR, 1), FAKE_MOV(2, CELL + 8),
				 FAKE_WORD(FAKE_STXR, 1)),
		};
		const struct fake_op twice[] = {
			SEQUENCE(MDSCR_MDE | steps, FAKE_WORD(FAKE_LDXR, 0), FAKE_WORD(FAKE_STXR, 0),
				 FAKE_WORD(FAKE_STXR, 1)),
		};
		EXPECT_OUTCOME(cleared, 0, 1);
		EXPECT_OUTCOME(moved, 0, 1);
		EXPECT_OUTCOME(twice, 0, 1);
	}
}

Test(debug_exclusive, a_trap_in_a_sequence_clears_the_monitor)
{
	const struct fake_op ops[] = {
		SEQUENCE(MDSCR_MDE, FAKE_WORD(FAKE_LDXR, 0), FAKE_MSR(KEY_MDSCR, 9), FAKE_WORD(FAKE_ADD, 0),
			 FAKE_WORD(FAKE_STXR, 1)),
	};
	EXPECT_OUTCOME(ops, 0, 1);
}

Test(debug_exclusive, version_1_lets_the_store_fail)
{
	for (unsigned steps = 0; steps < 2; steps++) {
		const struct fake_op ops[] = {
			SEQUENCE(MDSCR_MDE | steps, FAKE_WORD(FAKE_LDXR, 0), FAKE_WORD(FAKE_ADD, 0),
				 FAKE_WORD(FAKE_STXR, !steps)),
		};
		EXPECT_OUTCOME(ops, 1, 1);
		EXPECT_OUTCOME(ops, 2, 0);
	}
}

static const struct fake_op irq_handler[] = {
	FAKE_ACK(4), FAKE_MOV(5, 0x7ff), FAKE_STORE(5, GUEST_UART_IPA + 0x44, 4), FAKE_LOAD(6, GUEST_UART_IPA, 4),
	FAKE_EOI(4), FAKE_ERET,
};

/* … and the replay finds it so, wherever the interrupt and the limit are. */
Test(debug_exclusive, an_interrupt_on_the_way_fails_the_store_at_most_once, .timeout = 120)
{
	static const struct fake_op ops[] = {
		FAKE_GIC_SETUP,
		FAKE_MOV(9, 0x10),
		FAKE_STORE(9, UART_IMSC, 4),
		FAKE_DAIF(0x200),
		FAKE_MOV(9, MDSCR_MDE),
		FAKE_MSR(KEY_MDSCR, 9),
		FAKE_MOV(2, CELL),
		FAKE_WORD(FAKE_LDXR, 0),
		FAKE_WORD(FAKE_ADD, 1),
		FAKE_WORD(FAKE_ADD, 0),
		FAKE_WORD(FAKE_STXR, 1),
		FAKE_UNLESS(3, 0, 1), /* back, if it failed */
		FAKE_GOTO(2),
		FAKE_GOTO(-6),
		FAKE_LOOP(5),
		FAKE_OFF,
	};
	for (uint64_t n = 0; n < 50; n++) {
		const struct fake_act acts[] = {{FAKE_INPUT, n, 'x'}, {FAKE_RING, n + 1, 0}};
		struct fake_config config = {.segments = {FAKE_CODE_SEGMENT(ops), FAKE_IRQ_SEGMENT(irq_handler)},
					     .acts = acts,
					     .act_count = 1 + n % 2};
		fake_round_trip(config, END_REASON_POWER_OFF);
		cr_assert_eq(fake_x(3), 0);
		if (n + 1 >= fake_find(EVENT_END, 0)->n)
			break;
		config.limit_n = n + 1;
		fake_round_trip(config, END_REASON_LIMIT);
		cr_assert_eq(fake_find(EVENT_END, 0)->n, n + 1);
	}
}
