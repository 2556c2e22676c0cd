/* Exceptions that the guest takes at EL1, as its registers tell of them. Source: Arm ARM D1.3. */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>

/* The vectors of one level, in the order of the table. */
enum { EXCEPTION_SYNCHRONOUS, EXCEPTION_IRQ, EXCEPTION_FIQ, EXCEPTION_SERROR, EXCEPTION_VECTORS };

/* Where an exception would lead from here. */
void exceptions_vectors(const struct vcpu_state *vcpu, uint64_t vectors[EXCEPTION_VECTORS]);

/* Whether this is a vector that IRQ, FIQ or SError lead to. */
bool exceptions_is_asynchronous(const struct vcpu_state *vcpu, uint64_t address);

/* The vector in whose part of the table an address is; UINT64_MAX: it is not in the table. */
uint64_t exceptions_vector_of(const struct vcpu_state *vcpu, uint64_t address);

/* By what an interrupted place is known again when its handler returns: an interrupt gives every register back. No
 * padding. */
struct exception_context {
	uint64_t x[31];
	uint64_t pc, pstate;
	uint64_t sp;     /* the one in use */
	uint64_t sp_el1; /* of EL0 it distinguishes the threads */
};

/* That of the place where the vCPU stands, and, at a vector, of the place that the exception came from. */
struct exception_context exceptions_context(const struct vcpu_state *vcpu);
struct exception_context exceptions_context_taken(const struct vcpu_state *vcpu);
bool exceptions_context_equal(const struct exception_context *a, const struct exception_context *b);

/* Whether the vCPU, now after one instruction from `pc` on, may have taken an interrupt instead of it; and whether it
 * may just have returned to where it stands. False is sure. */
bool exceptions_may_be_taken(const struct vcpu_state *vcpu, uint64_t pc);
bool exceptions_may_be_returned(const struct vcpu_state *vcpu);
