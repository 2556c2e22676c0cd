/* What a vCPU's registers tell of an exception that it has taken, or returned from. */
#include "replay/guest/exceptions.h"

#include <criterion/criterion.h>

enum { EL0T = 0, EL1T = 4, EL1H = 5, EL0_A32 = 0x10, MASKED = 0xc0 };

#define VBAR UINT64_C(0xffff800008010800)
#define CODE UINT64_C(0xffff800008020100)

static struct vcpu_state interrupted(uint64_t pstate)
{
	struct vcpu_state vcpu = {.pc = CODE, .pstate = pstate, .vbar_el1 = VBAR, .sp_el0 = 0x1000, .sp_el1 = 0x2000};
	for (uint64_t i = 0; i < 31; i++)
		vcpu.x[i] = 100 + i;
	return vcpu;
}

/* As the CPU does it (Arm ARM D1.3). */
static struct vcpu_state taken(const struct vcpu_state *from, unsigned kind)
{
	struct vcpu_state vcpu = *from;
	uint64_t vectors[EXCEPTION_VECTORS];
	exceptions_vectors(from, vectors);
	vcpu.elr_el1 = from->pc;
	vcpu.spsr_el1 = from->pstate;
	vcpu.pc = vectors[kind];
	vcpu.pstate = EL1H | MASKED;
	return vcpu;
}

Test(exceptions, vectors_are_those_of_the_level)
{
	static const struct {
		uint64_t pstate, offset;
	} levels[] = {{EL1T, 0}, {EL1H, 0x200}, {EL0T, 0x400}, {EL0_A32, 0x600}};
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct vcpu_state vcpu = interrupted(levels[i].pstate);
		uint64_t vectors[EXCEPTION_VECTORS];
		exceptions_vectors(&vcpu, vectors);
		for (uint64_t kind = 0; kind < EXCEPTION_VECTORS; kind++) {
			cr_expect_eq(vectors[kind], VBAR + levels[i].offset + kind * 0x80);
			cr_expect_eq(exceptions_is_asynchronous(&vcpu, vectors[kind]), kind != EXCEPTION_SYNCHRONOUS);
		}
	}
}

Test(exceptions, only_the_sixteen_are_vectors)
{
	struct vcpu_state vcpu = interrupted(EL1H);
	static const uint64_t others[] = {VBAR - 0x80, VBAR + 0x84, VBAR + 0x880, CODE};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_expect_not(exceptions_is_asynchronous(&vcpu, others[i]));
	cr_expect_eq(exceptions_vector_of(&vcpu, VBAR + 0x7fc), VBAR + 0x780);
	cr_expect_eq(exceptions_vector_of(&vcpu, VBAR), VBAR);
	cr_expect_eq(exceptions_vector_of(&vcpu, VBAR + 0x800), UINT64_MAX);
	cr_expect_eq(exceptions_vector_of(&vcpu, VBAR - 4), UINT64_MAX);
}

Test(exceptions, an_interrupted_place_is_known_again)
{
	static const uint64_t levels[] = {EL0T, EL1T, EL1H};
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct vcpu_state before = interrupted(levels[i] | UINT64_C(6) << 28);
		struct vcpu_state at_vector = taken(&before, EXCEPTION_IRQ), after = before;
		struct exception_context place = exceptions_context_taken(&at_vector);
		struct exception_context here = exceptions_context(&after);
		cr_expect(exceptions_context_equal(&place, &here));
		after.spsr_el1 = before.pstate;
		after.elr_el1 = before.pc;
		cr_expect(exceptions_may_be_returned(&after));
		uint64_t *const fields[] = {&after.x[0], &after.x[30], &after.pc, &after.pstate, &after.sp_el1};
		for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
			*fields[f] ^= UINT64_C(1) << 29;
			here = exceptions_context(&after);
			cr_expect_not(exceptions_context_equal(&place, &here), "field %zu", f);
			*fields[f] ^= UINT64_C(1) << 29;
		}
		after.sp_el0++; /* at EL1h it is not the stack pointer */
		here = exceptions_context(&after);
		cr_expect_eq(exceptions_context_equal(&place, &here), levels[i] == EL1H);
	}
}

Test(exceptions, a_step_that_may_have_been_an_interrupt)
{
	struct vcpu_state before = interrupted(EL1H), after = taken(&before, EXCEPTION_IRQ);
	after.pc += 4;
	cr_expect(exceptions_may_be_taken(&after, CODE));
	cr_expect_not(exceptions_may_be_taken(&after, CODE + 4));
	after.pstate = EL1H;
	cr_expect_not(exceptions_may_be_taken(&after, CODE), "interrupts are not masked");
	cr_expect_not(exceptions_may_be_returned(&after));
}
