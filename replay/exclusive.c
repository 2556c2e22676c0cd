/* Exclusive sequences are short and straight (Arm ARM B2.9.5), so the instructions before pc tell. */
#include "replay/exclusive.h"
#include "replay/branch.h"
#include "replay/guest_memory.h"

enum { LOOK_BACK = 32, LOOK_AHEAD = 32 };

/* Load/store exclusive, register and pair (Arm ARM C4.1.88): o2 = 0, and not CASP, which shares the encoding. */
static bool is_exclusive(uint32_t word, bool load)
{
	bool casp = word >> 31 == 0 && word & 0x200000;
	return (word & 0x3fc00000) == (load ? 0x08400000 : 0x08000000) && !casp;
}

/* What ends a sequence before pc: CLREX, RET, ERET, SVC and its like, unconditional branches. */
static bool is_barrier(uint32_t word)
{
	return (word & 0xfffff0ff) == 0xd503305f || branch_is_indirect(word) || (word & 0xfc000000) == 0x14000000;
}

bool exclusive_inside(const struct engine *engine, const struct vcpu_state *vcpu)
{
	for (uint64_t back = 1; back <= LOOK_BACK; back++) {
		uint32_t word;
		if (!guest_memory_read(engine, vcpu, (va_t){vcpu->pc - 4 * back}, &word, sizeof(word)))
			return false;
		if (is_exclusive(word, true))
			return true;
		if (is_exclusive(word, false) || is_barrier(word))
			return false;
	}
	return false;
}

bool exclusive_ends_here(const struct engine *engine, const struct vcpu_state *vcpu)
{
	uint32_t word;
	return guest_memory_read(engine, vcpu, (va_t){vcpu->pc}, &word, sizeof(word)) && is_exclusive(word, false) &&
	       exclusive_inside(engine, vcpu);
}

size_t exclusive_exits(const struct engine *engine, const struct vcpu_state *vcpu, uint64_t exits[EXCLUSIVE_EXITS_MAX])
{
	size_t count = 0;
	for (uint64_t ahead = 0; ahead <= LOOK_AHEAD; ahead++) {
		uint64_t at = vcpu->pc + 4 * ahead;
		uint32_t word;
		if (!guest_memory_read(engine, vcpu, (va_t){at}, &word, sizeof(word)) ||
		    (ahead == 0 && !is_exclusive(word, true)) || count == EXCLUSIVE_EXITS_MAX)
			return 0;
		if (is_exclusive(word, false)) {
			exits[count++] = at + 4;
			return count;
		}
		if (branch_bytes(word) != 0)
			exits[count++] = at + (uint64_t)branch_bytes(word);
		else if (is_barrier(word))
			return 0;
	}
	return 0;
}
