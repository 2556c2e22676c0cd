/* One look at each instruction of the range. */
#include "replay/range_exits.h"
#include "replay/branch.h"
#include "replay/guest_memory.h"

enum { RANGE_BYTES_MAX = 1 << 16, VECTOR_BYTES = 0x80, VECTORS_OF_LEVEL = 4 };

#define PSTATE_AARCH32 UINT64_C(0x10) /* other instructions, and other vectors */

struct exits {
	uint64_t *at;
	size_t count;
};

static bool add(struct exits *exits, uint64_t address)
{
	for (size_t i = 0; i < exits->count; i++) {
		if (exits->at[i] == address)
			return true;
	}
	if (exits->count == RANGE_EXITS_MAX)
		return false;
	exits->at[exits->count++] = address;
	return true;
}

/* MSR VBAR_EL1 and both forms of MSR SPSel, behind which exceptions lead elsewhere. */
static bool moves_vectors(uint32_t word)
{
	return (word & 0xffffffe0) == 0xd518c000 || (word & 0xffffffe0) == 0xd5184200 ||
	       (word & 0xfffff0ff) == 0xd50040bf;
}

/* Arm ARM D1.3.1.5: those for the current level with SP_EL0, with SP_EL1, and for EL0. */
static bool add_vectors(struct exits *exits, const struct vcpu_state *vcpu)
{
	bool el0 = (vcpu->pstate >> 2 & 3) == 0, sp_el1 = vcpu->pstate & 1;
	uint64_t offset = el0 ? 0x400 : sp_el1 ? 0x200 : 0;
	bool added = true;
	for (uint64_t i = 0; i < VECTORS_OF_LEVEL; i++)
		added &= add(exits, vcpu->vbar_el1 + offset + i * VECTOR_BYTES);
	return added;
}

size_t range_exits(const struct engine *engine, const struct vcpu_state *vcpu, uint64_t start, uint64_t end,
		   uint64_t exits[RANGE_EXITS_MAX])
{
	struct exits found = {.at = exits};
	/* Instructions begin at multiples of four. */
	start = (start + 3) & ~UINT64_C(3);
	end = (end + 3) & ~UINT64_C(3);
	if (vcpu->pstate & PSTATE_AARCH32 || end - start > RANGE_BYTES_MAX || !add(&found, end) ||
	    !add_vectors(&found, vcpu))
		return 0;
	for (uint64_t at = start; at < end; at += 4) {
		uint32_t word;
		if (!guest_memory_read(engine, vcpu, (va_t){at}, &word, sizeof(word)))
			return 0;
		uint64_t target = at + (uint64_t)branch_bytes(word);
		bool anywhere = branch_is_indirect(word) || moves_vectors(word);
		if ((anywhere && !add(&found, at)) || (target - start >= end - start && !add(&found, target)))
			return 0;
	}
	return found.count;
}
