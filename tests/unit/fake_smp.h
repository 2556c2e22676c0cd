/* Scripts of guests with several vCPUs: one for each, at a place of its own, which vCPU 0 starts by PSCI; and what the
 * tests look for in their traces.
 *
 * The handler of interrupts is the same for all. It uses x1 to x4 and counts in x11; the scripts use others. */
#pragma once
#include "tests/unit/fake_check.h"

#define FAKE_CODE_OF(vcpu) ((vcpu) == 0 ? FAKE_CODE : FAKE_CODE - 0x10000 + UINT64_C(0x1000) * (vcpu))
#define FAKE_SEGMENT_OF(vcpu, ops)                                                                                     \
	{                                                                                                              \
		FAKE_CODE_OF(vcpu), ops, sizeof(ops) / sizeof((ops)[0])                                                \
	}

/* PSCI, with the results in x0. */
#define FAKE_CPU_ON_AT(vcpu, entry, context)                                                                           \
	FAKE_MOV(0, 0xc4000003), FAKE_MOV(1, vcpu), FAKE_MOV(2, entry), FAKE_MOV(3, context), FAKE_HVC
#define FAKE_CPU_ON(vcpu)          FAKE_CPU_ON_AT(vcpu, FAKE_CODE_OF(vcpu), 0x100 + (vcpu))
#define FAKE_CPU_OFF               FAKE_MOV(0, 0x84000002), FAKE_HVC
#define FAKE_SUSPEND               FAKE_MOV(0, 0xc4000001), FAKE_HVC
#define FAKE_AFFINITY(vcpu, level) FAKE_MOV(0, 0xc4000004), FAKE_MOV(1, vcpu), FAKE_MOV(2, level), FAKE_HVC

/* ICC_SGI1R_EL1: targets are a bit for each vCPU. */
#define FAKE_KEY_SGI1R            FAKE_KEY(3, 0, 12, 11, 5)
#define FAKE_SEND(intid, targets) FAKE_MOV(9, (uint64_t)(intid) << 24 | (targets)), FAKE_MSR(FAKE_KEY_SGI1R, 9)
#define FAKE_SEND_OTHERS(intid)   FAKE_MOV(9, (uint64_t)(intid) << 24 | UINT64_C(1) << 40), FAKE_MSR(FAKE_KEY_SGI1R, 9)

#define FAKE_REDIST(vcpu, offset) (GUEST_GICR_IPA + UINT64_C(0x20000) * (vcpu) + 0x10000 + (offset))
/* What FAKE_GIC_SETUP, which is vCPU 0's, does of a vCPU's own. */
#define FAKE_GIC_SETUP_OF(vcpu)                                                                                        \
	FAKE_MOV(9, 0xffffffff), FAKE_STORE(9, FAKE_REDIST(vcpu, 0x80), 4),                                            \
		FAKE_STORE(9, FAKE_REDIST(vcpu, 0x100), 4), FAKE_GIC_ON

/* A word that all vCPUs read and write. */
#define FAKE_WORD_AT(index)  (FAKE_SHARED + 4 * (index))
#define FAKE_PUT(reg, index) FAKE_POKE(reg, FAKE_WORD_AT(index))
#define FAKE_GET(reg, index) FAKE_PEEK(reg, FAKE_WORD_AT(index))
/* Loops, by WFE, YIELD or a plain instruction, until the word is `value`. */
#define FAKE_UNTIL(index, value, step) FAKE_GET(8, index), FAKE_UNLESS(8, value, 1), FAKE_GOTO(3), step, FAKE_GOTO(-4)

/* Counts in x11 and folds into x19; quiets the virtual timer, and takes the UART's byte. */
static const struct fake_op fake_smp_handler[] = {
	FAKE_ACK(1),
	FAKE_FOLD(1),
	FAKE_ADDS(11, 1),
	FAKE_UNLESS(1, GUEST_INTID_VTIMER, 1),
	FAKE_VTIMER(0, 0),
	FAKE_UNLESS(1, GUEST_INTID_PTIMER, 2),
	FAKE_MOV(3, 0),
	FAKE_MSR(FAKE_KEY(3, 3, 14, 2, 1), 3),
	FAKE_UNLESS(1, GUEST_INTID_UART, 4),
	FAKE_MOV(3, 0x7ff),
	FAKE_STORE(3, GUEST_UART_IPA + 0x44, 4),
	FAKE_LOAD(4, GUEST_UART_IPA, 4),
	FAKE_FOLD(4),
	FAKE_EOI(1),
	FAKE_ERET,
};

static inline uint32_t fake_word(uint32_t index)
{
	return *fake_ram_word(FAKE_WORD_AT(index));
}

/* The `nth` turn that ended for `why`, from 0. */
static inline struct event *fake_switch(enum switch_reason why, size_t nth)
{
	size_t count;
	struct event *events = fake_trace(&count);
	for (size_t i = 0; i < count; i++) {
		if (events[i].kind == EVENT_SWITCH && events[i].value == why && nth-- == 0)
			return &events[i];
	}
	cr_assert_fail("the trace has no such turn, of reason %d", why);
	return events;
}

static inline size_t fake_switches(enum switch_reason why)
{
	size_t count, found = 0;
	const struct event *events = fake_trace(&count);
	for (size_t i = 0; i < count; i++)
		found += events[i].kind == EVENT_SWITCH && events[i].value == why;
	return found;
}
