/* The decoder: one function per class of Arm ARM C4.1 "Loads and Stores", each tried by its fixed bits in one table.
 *
 *   1. A row's class owns every word with its fixed bits: when its function refuses, the word is refused.
 *   2. `*access` is only filled by a word that is accepted. */
#include "hv/core/decode.h"
#include <stddef.h>

enum { REG_ZR = 31 };

/* The field at bits hi to lo of an instruction word. */
static uint32_t bits(uint32_t word, unsigned hi, unsigned lo)
{
	return (word >> lo) & ((UINT32_C(1) << (hi - lo + 1)) - 1);
}

/* `width` low bits of `value`, as a two's complement number. */
static int64_t signed_bits(uint64_t value, unsigned width)
{
	const uint64_t sign = UINT64_C(1) << (width - 1);
	const uint64_t field = value & (sign | (sign - 1));

	/* Not a cast of a negative pattern: (field ^ sign) is below 2^width, so this never leaves int64_t. */
	return width == 64 ? (int64_t)value : (int64_t)(field ^ sign) - (int64_t)sign;
}

static void set_rt_rn(uint32_t word, struct decode_access *access)
{
	access->count = 1;
	access->rt = (uint8_t)bits(word, 4, 0);
	access->rn = (uint8_t)bits(word, 9, 5);
}

/* Transfers of general registers by size (bits 31:30) and opc (23:22): store, zero-extending load, sign-extending load
 * to 64 bits, and to 32. What that leaves out is PRFM or unallocated. */
static bool set_general(uint32_t size, uint32_t opc, struct decode_access *access)
{
	if ((opc == 2 && size == 3) || (opc == 3 && size >= 2))
		return false;
	access->is_write = opc == 0;
	access->sign_extend = opc >= 2;
	access->size = (uint8_t)(1u << size);
	access->register_bits = (opc == 2 || size == 3) ? 64 : 32;
	return true;
}

/* Transfers of V registers: opc's high bit extends size, so that 128 bits can be named. */
static bool set_simd(uint32_t size, uint32_t opc, struct decode_access *access)
{
	const uint32_t scale = (opc >> 1) << 2 | size;

	if (scale > 4)
		return false;
	access->is_simd = true;
	access->is_write = (opc & 1) == 0;
	access->size = (uint8_t)(1u << scale);
	access->register_bits = 128;
	return true;
}

/* What all single-register classes share: size, V (bit 26), opc, Rn, Rt. */
static bool set_single(uint32_t word, struct decode_access *access)
{
	const uint32_t size = bits(word, 31, 30);
	const uint32_t opc = bits(word, 23, 22);

	set_rt_rn(word, access);
	return bits(word, 26, 26) != 0 ? set_simd(size, opc, access) : set_general(size, opc, access);
}

/* C4.1, Load register (literal). */
static bool literal(uint32_t word, struct decode_access *access)
{
	const uint32_t opc = bits(word, 31, 30);

	if (opc == 3) /* PRFM, or unallocated */
		return false;
	set_rt_rn(word, access);
	access->rn = 0;
	access->is_literal = true;
	access->is_simd = bits(word, 26, 26) != 0;
	access->offset = signed_bits(bits(word, 23, 5), 19) * 4;
	if (access->is_simd) {
		access->size = (uint8_t)(4u << opc);
		access->register_bits = 128;
	} else {
		access->sign_extend = opc == 2;
		access->size = opc == 1 ? 8 : 4;
		access->register_bits = opc == 0 ? 32 : 64;
	}
	return true;
}

/* C4.1, Load/store ordered: LDAR, STLR, LDLAR, STLLR. */
static bool ordered(uint32_t word, struct decode_access *access)
{
	set_rt_rn(word, access);
	return set_general(bits(word, 31, 30), bits(word, 22, 22), access);
}

/* FEAT_LRCPC: LDAPR, which lives among the atomics. */
static bool load_acquire_rcpc(uint32_t word, struct decode_access *access)
{
	set_rt_rn(word, access);
	return set_general(bits(word, 31, 30), 1, access);
}

/* C4.1, LDAPR/STLR (unscaled immediate), of FEAT_LRCPC2. */
static bool ordered_unscaled(uint32_t word, struct decode_access *access)
{
	access->offset = signed_bits(bits(word, 20, 12), 9);
	set_rt_rn(word, access);
	return set_general(bits(word, 31, 30), bits(word, 23, 22), access);
}

/* Size and extension of the pair classes, by opc and L. */
static bool set_pair(uint32_t word, struct decode_access *access)
{
	const uint32_t opc = bits(word, 31, 30);
	const bool is_no_allocate = bits(word, 24, 23) == 0;

	access->is_write = bits(word, 22, 22) == 0;
	access->is_simd = bits(word, 26, 26) != 0;
	if (opc == 3)
		return false;
	if (access->is_simd) {
		access->size = (uint8_t)(4u << opc);
		access->register_bits = 128;
		return true;
	}
	access->sign_extend = opc == 1; /* LDPSW */
	access->size = opc == 2 ? 8 : 4;
	access->register_bits = opc == 0 ? 32 : 64;
	/* The store of this opc is STGP; without allocation hint there is none. */
	return opc != 1 || (!access->is_write && !is_no_allocate);
}

/* C4.1, Load/store register pair and no-allocate pair: bits 24:23 are no-allocate, post-index, offset, pre-index. */
static bool pair(uint32_t word, struct decode_access *access)
{
	const uint32_t mode = bits(word, 24, 23);

	if (!set_pair(word, access))
		return false;
	set_rt_rn(word, access);
	access->count = 2;
	access->rt2 = (uint8_t)bits(word, 14, 10);
	access->writeback = (mode & 1) != 0;
	access->post_index = mode == 1;
	access->offset = signed_bits(bits(word, 21, 15), 7) * access->size;
	return true;
}

/* C4.1, Load/store register (unsigned immediate). */
static bool unsigned_immediate(uint32_t word, struct decode_access *access)
{
	if (!set_single(word, access))
		return false;
	access->offset = (int64_t)bits(word, 21, 10) * access->size;
	return true;
}

/* C4.1, Load/store register with a 9-bit immediate: bits 11:10 are unscaled, post-index, unprivileged, pre-index. */
static bool immediate9(uint32_t word, struct decode_access *access)
{
	const uint32_t mode = bits(word, 11, 10);

	if (mode == 2 && bits(word, 26, 26) != 0) /* no V register is transferred unprivileged */
		return false;
	access->writeback = (mode & 1) != 0;
	access->post_index = mode == 1;
	access->offset = signed_bits(bits(word, 20, 12), 9);
	return set_single(word, access);
}

static uint8_t log2_of(uint8_t size)
{
	uint8_t exponent = 0;

	while (size > 1) {
		size >>= 1;
		exponent++;
	}
	return exponent;
}

/* C4.1, Load/store register (register offset). */
static bool register_offset(uint32_t word, struct decode_access *access)
{
	const uint32_t option = bits(word, 15, 13);

	if ((option & 2) == 0 || !set_single(word, access))
		return false;
	access->has_register_offset = true;
	access->rm = (uint8_t)bits(word, 20, 16);
	access->extend = (uint8_t)option;
	access->shift = bits(word, 12, 12) != 0 ? log2_of(access->size) : 0;
	return true;
}

static const struct decode_class {
	uint32_t mask, value;
	bool (*decode)(uint32_t word, struct decode_access *access);
} classes[] = {
	{0x3b000000, 0x18000000, literal},            /* xx011x00 */
	{0x3fbf7c00, 0x089f7c00, ordered},            /* xx001000 1x0 11111 x11111 */
	{0x3f200c00, 0x19000000, ordered_unscaled},   /* xx011001 xx0 … 00 */
	{0x3a000000, 0x28000000, pair},               /* xx101x0x */
	{0x3b000000, 0x39000000, unsigned_immediate}, /* xx111x01 */
	{0x3b200000, 0x38000000, immediate9},         /* xx111x00 xx0 */
	{0x3b200c00, 0x38200800, register_offset},    /* xx111x00 xx1 … 10 */
	{0x3ffffc00, 0x38bfc000, load_acquire_rcpc},  /* xx111000 101 11111 110000 */
};

/* CONSTRAINED UNPREDICTABLE by C6.2's LDP, LDR (immediate) and their like: nobody can say what the CPU did. */
static bool uses_register_twice(const struct decode_access *access)
{
	const bool is_pair = access->count == 2;

	if (is_pair && !access->is_write && access->rt == access->rt2)
		return true;
	if (!access->writeback || access->is_simd || access->rn == REG_ZR)
		return false;
	return access->rn == access->rt || (is_pair && access->rn == access->rt2);
}

bool decode_load_store(uint32_t word, struct decode_access *access)
{
	*access = (struct decode_access){0};
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
		struct decode_access candidate = {0};

		if ((word & classes[i].mask) != classes[i].value)
			continue;
		if (!classes[i].decode(word, &candidate) || uses_register_twice(&candidate))
			return false;
		*access = candidate;
		return true;
	}
	return false;
}

static uint64_t extend_index(uint8_t extend, uint64_t value)
{
	switch (extend) {
	case DECODE_EXTEND_UXTW:
		return (uint32_t)value;
	case DECODE_EXTEND_SXTW:
		return (uint64_t)signed_bits(value, 32);
	default: /* UXTX and SXTX of 64 bits are the same */
		return value;
	}
}

uint64_t decode_address(const struct decode_access *access, uint64_t base, uint64_t index_value)
{
	if (access->has_register_offset)
		return base + (extend_index(access->extend, index_value) << access->shift);
	return access->post_index ? base : base + (uint64_t)access->offset;
}

uint64_t decode_writeback(const struct decode_access *access, uint64_t base)
{
	return base + (uint64_t)access->offset;
}

uint64_t decode_load_value(const struct decode_access *access, uint64_t data)
{
	const unsigned data_bits = access->size * 8u;
	const uint64_t data_mask = data_bits < 64 ? (UINT64_C(1) << data_bits) - 1 : UINT64_MAX;

	if (!access->sign_extend)
		return data & data_mask;
	if (access->register_bits == 32)
		return (uint32_t)signed_bits(data, data_bits);
	return (uint64_t)signed_bits(data, data_bits);
}
