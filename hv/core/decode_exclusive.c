/* The classes of Arm ARM C4.1 by their fixed bits, as far as an exclusive sequence needs them. */
#include "hv/core/decode_exclusive.h"

enum { REG_SP = 31 };

/* The field at bits hi to lo of an instruction word. */
static uint32_t bits(uint32_t word, unsigned hi, unsigned lo)
{
	return (word >> lo) & ((UINT32_C(1) << (hi - lo + 1)) - 1);
}

static bool is_pair(uint32_t word)
{
	return bits(word, 21, 21) != 0;
}

/* C4.1, Load/store exclusive register and pair: xx001000 0. Of the pairs, those of bytes are CASP. */
bool decode_exclusive(uint32_t word, struct decode_exclusive *access)
{
	uint32_t size = bits(word, 31, 30);
	if ((word & 0x3f800000) != 0x08000000 || (is_pair(word) && size < 2))
		return false;
	*access = (struct decode_exclusive){
		.is_load = bits(word, 22, 22) != 0,
		.rs = (uint8_t)bits(word, 20, 16),
		.rn = (uint8_t)bits(word, 9, 5),
		.bytes = (uint8_t)(1u << (size + is_pair(word))),
	};
	return true;
}

uint32_t decode_exclusive_plain(uint32_t word)
{
	uint32_t rn_rt = word & 0x3ff;
	if (!is_pair(word))
		return bits(word, 31, 30) << 30 | 0x39000000 | rn_rt;
	return bits(word, 30, 30) << 31 | 0x29000000 | (word & 0x7c00) | rn_rt;
}

/* C4.1, Exception generation: SVC, HVC, SMC, BRK, HLT, DCPS. */
static bool generates_exception(uint32_t word)
{
	return (word & 0xff000000) == 0xd4000000;
}

static bool is_clrex(uint32_t word)
{
	return (word & 0xfffff0ff) == 0xd503305f;
}

/* ERET, ERETAA, ERETAB. */
static bool is_eret(uint32_t word)
{
	return (word & 0xfffff000) == 0xd69f0000;
}

bool decode_exclusive_ends(uint32_t word)
{
	return is_clrex(word) || is_eret(word) || generates_exception(word);
}

/* Branches, exceptions and system instructions: conditional branches pass, hints but WFI, barriers, and MRS. */
static bool system_passes(uint32_t word, uint8_t rn)
{
	bool is_conditional = (word & 0x7c000000) == 0x34000000 || (word & 0xfe000000) == 0x54000000;
	bool is_hint = (word & 0xfffff01f) == 0xd503201f && word != 0xd503207f;
	bool is_barrier = (word & 0xfffff01f) == 0xd503301f && !is_clrex(word);
	bool is_mrs = (word & 0xfff00000) == 0xd5300000;
	return is_conditional || is_hint || is_barrier || (is_mrs && bits(word, 4, 0) != rn);
}

/* Loads and stores: a load's registers, and the base of the forms that write it back. */
static bool access_passes(uint32_t word, uint8_t rn)
{
	struct decode_exclusive exclusive;
	bool pair = (word & 0x3a000000) == 0x28000000;
	bool is_simd = bits(word, 26, 26) != 0;
	bool pair_writes_back = pair && bits(word, 23, 23) != 0;
	bool single_writes_back = (word & 0x3b000400) == 0x38000400;
	bool simd_writes_back = (word & 0xbe800000) == 0x0c800000;
	if (decode_exclusive(word, &exclusive))
		return false;
	if ((pair_writes_back || single_writes_back || simd_writes_back) && bits(word, 9, 5) == rn)
		return false;
	return is_simd || (bits(word, 4, 0) != rn && (!pair || bits(word, 14, 10) != rn));
}

/* Data processing. Register 31 is SP only where no flags are set. */
static bool processing_passes(uint32_t word, uint8_t rn)
{
	bool is_logical_immediate = (word & 0x1f800000) == 0x12000000;
	if (bits(word, 4, 0) != rn)
		return true;
	return rn == REG_SP && bits(word, 29, 29) != 0 && !is_logical_immediate;
}

bool decode_exclusive_passes(uint32_t word, uint8_t rn)
{
	if (bits(word, 28, 26) == 5)
		return system_passes(word, rn);
	if (bits(word, 27, 27) == 1 && bits(word, 25, 25) == 0)
		return access_passes(word, rn);
	return processing_passes(word, rn);
}
