/* Facts of the exception model, applied to a vCPU's registers. */
#include "replay/guest/exceptions.h"
#include "hv/abi/pstate.h"

#include <string.h>

#define PSTATE_MODE UINT64_C(0x1f)

/* PSTATE.M of the guest's modes. EL0t is 0. */
enum { MODE_EL1T = 4, MODE_EL1H = 5, MODE_AARCH32_USER = 0x10 };

/* Arm ARM D1.3.1.5. */
static uint64_t level_offset(uint64_t pstate)
{
	switch (pstate & PSTATE_MODE) {
	case MODE_EL1T:
		return 0;
	case MODE_EL1H:
		return 0x200;
	case MODE_AARCH32_USER:
		return 0x600;
	default:
		return 0x400;
	}
}

void exceptions_vectors(const struct vcpu_state *vcpu, uint64_t vectors[EXCEPTION_VECTORS])
{
	for (uint64_t i = 0; i < EXCEPTION_VECTORS; i++)
		vectors[i] = vcpu->vbar_el1 + level_offset(vcpu->pstate) + i * VECTOR_BYTES;
}

bool exceptions_is_asynchronous(const struct vcpu_state *vcpu, uint64_t address)
{
	uint64_t offset = address - vcpu->vbar_el1;
	return offset < VECTORS_BYTES && offset % VECTOR_BYTES == 0 &&
	       offset / VECTOR_BYTES % EXCEPTION_VECTORS != EXCEPTION_SYNCHRONOUS;
}

uint64_t exceptions_vector_of(const struct vcpu_state *vcpu, uint64_t address)
{
	uint64_t offset = address - vcpu->vbar_el1;
	return offset < VECTORS_BYTES ? address - offset % VECTOR_BYTES : UINT64_MAX;
}

static struct exception_context context_of(const struct vcpu_state *vcpu, uint64_t pc, uint64_t pstate)
{
	struct exception_context context = {.pc = pc, .pstate = pstate & (PSTATE_MODE | PSTATE_NZCV)};
	memcpy(context.x, vcpu->x, sizeof(context.x));
	context.sp = (pstate & PSTATE_MODE) == MODE_EL1H ? vcpu->sp_el1 : vcpu->sp_el0;
	context.sp_el1 = vcpu->sp_el1;
	return context;
}

struct exception_context exceptions_context(const struct vcpu_state *vcpu)
{
	return context_of(vcpu, vcpu->pc, vcpu->pstate);
}

struct exception_context exceptions_context_taken(const struct vcpu_state *vcpu)
{
	return context_of(vcpu, vcpu->elr_el1, vcpu->spsr_el1);
}

bool exceptions_context_equal(const struct exception_context *a, const struct exception_context *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool exceptions_may_be_taken(const struct vcpu_state *vcpu, uint64_t pc)
{
	return vcpu->elr_el1 == pc && (vcpu->pstate & PSTATE_MODE) == MODE_EL1H &&
	       (vcpu->pstate & (PSTATE_I | PSTATE_F)) == (PSTATE_I | PSTATE_F);
}

bool exceptions_may_be_returned(const struct vcpu_state *vcpu)
{
	return vcpu->elr_el1 == vcpu->pc && ((vcpu->spsr_el1 ^ vcpu->pstate) & PSTATE_MODE) == 0;
}
