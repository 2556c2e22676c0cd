/* The kernel's table is where TTBR1 was at EL1; what it maps is in RAM as it is here. */
#include "replay/travel/kernel_table.h"
#include "replay/guest/guest_memory.h"
#include "replay/travel/timeline_state.h"

#define TTBR_BADDR UINT64_C(0x0000fffffffffffe) /* without ASID and CnP */

enum { TABLES_MAX = 4 };

static bool is_el1(const struct vcpu_state *vcpu)
{
	return (vcpu->pstate >> 2 & 3) == 1;
}

bool kernel_table_read(const struct timeline *timeline, const struct vcpu_state *vcpu, va_t va, void *to, size_t bytes)
{
	const struct checkpoints *all = &timeline->checkpoints;
	struct vcpu_state with = *vcpu;
	if (guest_memory_read(timeline_memory(timeline), vcpu, va, to, bytes))
		return true;
	if (!(va.v >> 63))
		return false;
	int tried = 0;
	for (size_t i = checkpoints_before(all, timeline_n(timeline)) + 1; i-- > 0 && tried < TABLES_MAX;) {
		const struct guest_state *state = all->at[i].state;
		const struct vcpu_state *then = &state->vcpu[state->current];
		if (!is_el1(then) || ((then->ttbr1_el1 ^ with.ttbr1_el1) & TTBR_BADDR) == 0)
			continue;
		with.ttbr1_el1 = then->ttbr1_el1;
		tried++;
		if (guest_memory_read(timeline_memory(timeline), &with, va, to, bytes))
			return true;
	}
	return false;
}
