/* The page table walk. Nothing in the tables is trusted. */
#include "hv/shared/guest_walk.h"
#include "hv/abi/descriptor.h"

#define SCTLR_M     BIT(0)
#define TCR_TG1_HI  31
#define TCR_TG1_LO  30
#define TCR_EPD1    BIT(23)
#define TCR_T1SZ_HI 21
#define TCR_T1SZ_LO 16
#define TCR_TG0_HI  15
#define TCR_TG0_LO  14
#define TCR_EPD0    BIT(7)
#define TCR_T0SZ_HI 5
#define TCR_T0SZ_LO 0

struct regime {
	uint64_t table;       /* ipa of the first one */
	uint32_t granule_log; /* of bytes */
	uint32_t va_bits;
};

/* TG0 and TG1 are encoded differently (Arm ARM D17.2.131); 0: reserved. */
static uint32_t granule_log(uint64_t tcr, bool upper)
{
	static const uint32_t tg0[] = {12, 16, 14, 0}, tg1[] = {0, 14, 12, 16};
	return upper ? tg1[FIELD_GET(tcr, TCR_TG1)] : tg0[FIELD_GET(tcr, TCR_TG0)];
}

static bool regime_of(const struct vcpu_state *vcpu, uint64_t va, struct regime *regime)
{
	bool upper = va >> 63;
	uint64_t tcr = vcpu->tcr_el1;
	uint64_t size = upper ? FIELD_GET(tcr, TCR_T1SZ) : FIELD_GET(tcr, TCR_T0SZ);
	if (tcr & (upper ? TCR_EPD1 : TCR_EPD0) || size < 16 || size > 39)
		return false;
	regime->va_bits = (uint32_t)(64 - size);
	regime->granule_log = granule_log(tcr, upper);
	regime->table = (upper ? vcpu->ttbr1_el1 : vcpu->ttbr0_el1) & UINT64_C(0x0000fffffffffffe);
	uint64_t above = va >> regime->va_bits;
	return regime->granule_log != 0 && above == (upper ? UINT64_MAX >> regime->va_bits : 0);
}

bool guest_walk(const struct vcpu_state *vcpu, va_t va, guest_walk_read *read, const void *context, ipa_t *ipa)
{
	struct regime regime;
	*ipa = (ipa_t){va.v};
	if (!(vcpu->sctlr_el1 & SCTLR_M))
		return true;
	/* A tag (TBI) is not part of the address. */
	uint64_t address = (uint64_t)((int64_t)(va.v << 8) >> 8);
	if (!regime_of(vcpu, address, &regime))
		return false;
	uint32_t index_bits = regime.granule_log - 3;
	uint32_t levels = (regime.va_bits - regime.granule_log + index_bits - 1) / index_bits;
	uint64_t table = regime.table;
	uint32_t top_bits = regime.va_bits - regime.granule_log - (levels - 1) * index_bits;
	for (uint32_t left = levels; left-- > 0;) {
		uint32_t shift = regime.granule_log + left * index_bits;
		uint32_t bits = left == levels - 1 ? top_bits : index_bits;
		uint64_t index = address >> shift & ((UINT64_C(1) << bits) - 1);
		uint64_t descriptor, below = (UINT64_C(1) << shift) - 1;
		if (!read(context, (ipa_t){table + index * 8}, &descriptor) || !(descriptor & DESC_VALID))
			return false;
		if (left == 0 || !(descriptor & DESC_TABLE)) {
			ipa->v = (descriptor & DESC_ADDRESS_MASK & ~below) | (address & below);
			return left != 0 || descriptor & DESC_TABLE;
		}
		table = descriptor & DESC_ADDRESS_MASK & ~((UINT64_C(1) << regime.granule_log) - 1);
	}
	return false;
}
