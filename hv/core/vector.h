/* Whether the guest stands at one of its exception vectors. Such a place may share its position with the place where
 * the exception came from. */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>

/* Whether pc is one of the sixteen vectors of VBAR_EL1 (Arm ARM D1.3.1.5). */
bool vector_is_here(void);

/* Whether the exception that brought `vcpu` to its vector came from that vector itself, with the same PSTATE: the next
 * one leaves all as it is. Needs elr_el1 and spsr_el1 of `vcpu`. */
bool vector_is_own(const struct vcpu_state *vcpu);

/* Whether the guest has come to where it takes the same exception for ever. Changes nothing. */
bool vector_loops_here(void);
