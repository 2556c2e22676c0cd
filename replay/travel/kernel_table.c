/* The kernel's table is where TTBR1 is on a vCPU at EL1, or was before; what it maps is in RAM as it is here. */
#include "replay/travel/kernel_table.h"
#include "replay/guest/guest_memory.h"
#include "replay/travel/timeline_state.h"

#define TTBR_BADDR UINT64_C(0x0000fffffffffffe) /* without ASID and CnP */

enum { TABLES_MAX = 4 };

static bool is_el1(const struct vcpu_state *vcpu)
{
	return vcpu->power == VCPU_ON && (vcpu->pstate >> 2 & 3) == 1;
}

/* A read with other tables than the vCPU's own. */
struct attempt {
	struct guest_memory memory;
	struct vcpu_state with;
	va_t va;
	void *to;
	size_t bytes;
	int tried;
};

/* With the tables of those that are at EL1 in this state. */
static bool read_with(struct attempt *attempt, const struct guest_state *state)
{
	for (uint32_t i = 0; i < state->vcpu_count && attempt->tried < TABLES_MAX; i++) {
		const struct vcpu_state *other = &state->vcpu[i];
		if (!is_el1(other) || ((other->ttbr1_el1 ^ attempt->with.ttbr1_el1) & TTBR_BADDR) == 0)
			continue;
		attempt->with.ttbr1_el1 = other->ttbr1_el1;
		attempt->tried++;
		if (guest_memory_read(attempt->memory, &attempt->with, attempt->va, attempt->to, attempt->bytes))
			return true;
	}
	return false;
}

bool kernel_table_read(const struct timeline *timeline, const struct vcpu_state *vcpu, va_t va, void *to, size_t bytes)
{
	const struct checkpoints *all = &timeline->checkpoints;
	struct attempt attempt = {timeline_memory(timeline), *vcpu, va, to, bytes, 0};
	if (guest_memory_read(timeline_memory(timeline), vcpu, va, to, bytes))
		return true;
	if (!(va.v >> 63))
		return false;
	if (read_with(&attempt, timeline_state(timeline)))
		return true;
	for (size_t i = checkpoints_before(all, timeline_n(timeline)) + 1; i-- > 0 && attempt.tried < TABLES_MAX;) {
		if (read_with(&attempt, all->at[i].state))
			return true;
	}
	return false;
}
