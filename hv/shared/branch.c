/* Masks of the encoding groups. */
#include "hv/shared/branch.h"

static int64_t sign_extend(uint64_t value, uint32_t bits)
{
	uint64_t sign = UINT64_C(1) << (bits - 1);
	return (int64_t)((value ^ sign) - sign);
}

int64_t branch_bytes(uint32_t word)
{
	if ((word & 0x7c000000) == 0x14000000)
		return sign_extend(word & 0x3ffffff, 26) * 4;
	if ((word & 0xfe000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000)
		return sign_extend(word >> 5 & 0x7ffff, 19) * 4;
	if ((word & 0x7e000000) == 0x36000000)
		return sign_extend(word >> 5 & 0x3fff, 14) * 4;
	return 0;
}

bool branch_is_indirect(uint32_t word)
{
	return (word & 0xfe000000) == 0xd6000000 || (word & 0xff000000) == 0xd4000000;
}
