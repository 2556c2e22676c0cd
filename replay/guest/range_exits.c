/* One look at each instruction of the range. */
#include "replay/guest/range_exits.h"
#include "hv/abi/pstate.h"
#include "hv/shared/branch.h"
#include "replay/guest/exceptions.h"

enum { RANGE_BYTES_MAX = 1 << 16 };

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

/* MSR VBAR_EL1 and both forms of MSR SPSel, after which exceptions lead elsewhere. */
static bool moves_vectors(uint32_t word)
{
	return (word & 0xffffffe0) == 0xd518c000 || (word & 0xffffffe0) == 0xd5184200 ||
	       (word & 0xfffff0ff) == 0xd50040bf;
}

static bool add_vectors(struct exits *exits, const struct vcpu_state *vcpu)
{
	uint64_t vectors[EXCEPTION_VECTORS];
	bool added = true;
	exceptions_vectors(vcpu, vectors);
	for (size_t i = 0; i < EXCEPTION_VECTORS; i++)
		added &= add(exits, vectors[i]);
	return added;
}

size_t range_exits(struct guest_memory memory, const struct vcpu_state *vcpu, uint64_t start, uint64_t end,
		   uint64_t exits[RANGE_EXITS_MAX])
{
	struct exits found = {.at = exits};
	/* Instructions begin at multiples of four. */
	start = (start + 3) & ~UINT64_C(3);
	end = (end + 3) & ~UINT64_C(3);
	if (vcpu->pstate & PSTATE_NRW || end - start > RANGE_BYTES_MAX || !add(&found, end) ||
	    !add_vectors(&found, vcpu))
		return 0;
	for (uint64_t at = start; at < end; at += 4) {
		uint32_t word;
		if (!guest_memory_read(memory, vcpu, (va_t){at}, &word, sizeof(word)))
			return 0;
		uint64_t target = at + (uint64_t)branch_bytes(word);
		bool anywhere = branch_is_indirect(word) || moves_vectors(word);
		if ((anywhere && !add(&found, at)) || (target - start >= end - start && !add(&found, target)))
			return 0;
	}
	return found.count;
}
