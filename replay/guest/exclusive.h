/* Whether a place is inside an exclusive sequence (LDXR … STXR), where a stop clears the monitor that the STXR needs.
 */
#pragma once
#include "replay/guest/guest_memory.h"

/* Looks back through the code before pc. Cannot fail: code that cannot be read is not inside one. */
bool exclusive_inside(struct guest_memory memory, const struct vcpu_state *vcpu);

/* Whether the instruction at pc is the store of a sequence around it, which fails if the guest was stopped inside. */
bool exclusive_ends_here(struct guest_memory memory, const struct vcpu_state *vcpu);

enum { EXCLUSIVE_EXITS_MAX = 4 };

/* If a sequence begins with the instruction at pc: the addresses at which it is over, after its store and where its
 * branches lead, and how many they are. 0: none begins, or it is none that this function knows. */
size_t exclusive_exits(struct guest_memory memory, const struct vcpu_state *vcpu, uint64_t exits[EXCLUSIVE_EXITS_MAX]);
