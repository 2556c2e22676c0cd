/* Where a range of code can be left: what a debugger's step of a line, which may be a long loop, is run to. */
#pragma once
#include "replay/guest/guest_memory.h"

enum { RANGE_EXITS_MAX = 64 };

/* The addresses that the vCPU comes to first when it leaves [start, end): those after branches out of it, its end, the
 * vectors of exceptions; and the instructions in it that may lead anywhere. Answers how many; 0: it is not known. */
size_t range_exits(struct guest_memory memory, const struct vcpu_state *vcpu, uint64_t start, uint64_t end,
		   uint64_t exits[RANGE_EXITS_MAX]);
