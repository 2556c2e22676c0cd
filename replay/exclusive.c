/* Exclusive sequences are short and straight (Arm ARM B2.9.5), so the instructions before pc tell. */
#include "replay/exclusive.h"
#include "replay/guest_memory.h"

enum { LOOK_BACK = 32 };

/* Load/store exclusive, register and pair (Arm ARM C4.1.88): o2 = 0, and not CASP, which shares the encoding. */
static bool is_exclusive(uint32_t word, bool load)
{
	bool casp = word >> 31 == 0 && word & 0x200000;
	return (word & 0x3fc00000) == (load ? 0x08400000 : 0x08000000) && !casp;
}

/* What ends a sequence before pc: CLREX, RET, ERET, SVC and its like, unconditional branches. */
static bool is_barrier(uint32_t word)
{
	return (word & 0xfffff0ff) == 0xd503305f || (word & 0xfe000000) == 0xd6000000 ||
	       (word & 0xff000000) == 0xd4000000 || (word & 0xfc000000) == 0x14000000;
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
