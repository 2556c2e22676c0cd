/* Looks back, instruction by instruction. */
#include "hv/shared/exclusive_code.h"
#include "hv/shared/branch.h"

/* Arm ARM C4.1.88: o2 = 0, and not CASP, which shares the encoding. */
bool exclusive_code_is_exclusive(uint32_t word, bool load)
{
	bool casp = word >> 31 == 0 && word & 0x200000;
	return (word & 0x3fc00000) == (load ? 0x08400000 : 0x08000000) && !casp;
}

bool exclusive_code_is_barrier(uint32_t word)
{
	return (word & 0xfffff0ff) == 0xd503305f || branch_is_indirect(word) || (word & 0xfc000000) == 0x14000000;
}

bool exclusive_code_is_inside(exclusive_code_read *read, const void *context, uint64_t pc)
{
	for (uint64_t back = 1; back <= EXCLUSIVE_CODE_LOOK_BACK; back++) {
		uint32_t word;
		if (!read(context, pc - 4 * back, &word))
			return false;
		if (exclusive_code_is_exclusive(word, true))
			return true;
		if (exclusive_code_is_exclusive(word, false) || exclusive_code_is_barrier(word))
			return false;
	}
	return false;
}

bool exclusive_code_is_clear(exclusive_code_read *read, const void *context, uint64_t pc)
{
	uint32_t word;
	return read(context, pc, &word) && !exclusive_code_is_exclusive(word, true) &&
	       !exclusive_code_is_exclusive(word, false) && !exclusive_code_is_inside(read, context, pc);
}
