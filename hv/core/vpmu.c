/* The virtual PMU (Arm ARM D13): no event counters, and a 64-bit cycle counter that counts guest instructions while it
 * is enabled. It is a function of the position, so reading it needs no input. It raises no overflow interrupt
 * (docs/LIMITS.md). */
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/core/hv.h"
#include "hv/core/sysreg.h"
#include "hv/core/sysreg_rows.h"

#define PMCR_E             UINT64_C(1)
#define PMCR_C             UINT64_C(4)
#define PMCR_WRITABLE      UINT64_C(0x79)       /* E, D, X, DP, LC; no counters in N */
#define PMCR_ARM           UINT64_C(0x410c0000) /* IMP, IDCODE as neoverse-n1 has them; N = 0: no event counters */
#define CYCLE              (UINT64_C(1) << 31)
#define PMCCFILTR_WRITABLE UINT64_C(0xf8000000) /* P, U, NSK, NSU, NSH */

/* PMUSERENR_EL0 (Arm ARM D17.5.17) */
enum { USER_EN = 1, USER_SW = 2, USER_CR = 4, USER_ER = 8 };

static bool counting(void)
{
	return hv_vcpu()->pmcr_el0 & PMCR_E && hv_vcpu()->pmcntenset_el0 & CYCLE;
}

uint64_t read_pmccntr(uint32_t key)
{
	(void)key;
	return hv_vcpu()->pmccntr_base + (counting() ? hv.guest.n : 0);
}

void write_pmccntr(uint32_t key, uint64_t value)
{
	(void)key;
	hv_vcpu()->pmccntr_base = value - (counting() ? hv.guest.n : 0);
}

/* Changes what may switch the counter on or off, without a jump of its value. */
static void control_write(uint64_t *control, uint64_t value)
{
	uint64_t count = read_pmccntr(0);
	*control = value;
	write_pmccntr(0, count);
}

uint64_t read_pmcr(uint32_t key)
{
	(void)key;
	return PMCR_ARM | hv_vcpu()->pmcr_el0;
}

void write_pmcr(uint32_t key, uint64_t value)
{
	(void)key;
	control_write(&hv_vcpu()->pmcr_el0, value & PMCR_WRITABLE);
	if (value & PMCR_C)
		write_pmccntr(0, 0);
}

uint64_t read_pmcnten(uint32_t key)
{
	(void)key;
	return hv_vcpu()->pmcntenset_el0;
}

void write_pmcntenset(uint32_t key, uint64_t value)
{
	(void)key;
	control_write(&hv_vcpu()->pmcntenset_el0, hv_vcpu()->pmcntenset_el0 | (value & CYCLE));
}

void write_pmcntenclr(uint32_t key, uint64_t value)
{
	(void)key;
	control_write(&hv_vcpu()->pmcntenset_el0, hv_vcpu()->pmcntenset_el0 & ~value);
}

uint64_t read_pmccfiltr(uint32_t key)
{
	(void)key;
	return hv_vcpu()->pmccfiltr_el0;
}

void write_pmccfiltr(uint32_t key, uint64_t value)
{
	(void)key;
	hv_vcpu()->pmccfiltr_el0 = value & PMCCFILTR_WRITABLE;
}

uint64_t read_pmuserenr(uint32_t key)
{
	(void)key;
	return hv_vcpu()->pmuserenr_el0;
}

void write_pmuserenr(uint32_t key, uint64_t value)
{
	(void)key;
	hv_vcpu()->pmuserenr_el0 = value & (USER_EN | USER_SW | USER_CR | USER_ER);
	vpmu_load();
}

/* QEMU lets EL0 pass to hv's own counters by SW, CR and ER before it looks whether EL2 traps. By EN it does not. */
void vpmu_load(void)
{
	arch_pmuserenr_load(hv_vcpu()->pmuserenr_el0 != 0 ? USER_EN : 0);
}

static bool is_event_counter(uint32_t key)
{
	return key == SYSREG_KEY(3, 3, 9, 13, 2) || (key & ~UINT32_C(0x1f)) == SYSREG_KEY(3, 3, 14, 8, 0);
}

/* Each of these bits opens the register to EL0. */
static uint64_t opened_by(uint32_t key, bool is_write)
{
	switch (key) {
	case SYSREG_KEY(3, 3, 9, 12, 4): /* PMSWINC_EL0 */
		return USER_EN | USER_SW;
	case SYSREG_KEY(3, 3, 9, 12, 5): /* PMSELR_EL0 */
		return USER_EN | USER_ER;
	case SYSREG_KEY(3, 3, 9, 13, 0): /* PMCCNTR_EL0 */
		return is_write ? USER_EN : USER_EN | USER_CR;
	default:
		return is_event_counter(key) && !is_write ? USER_EN | USER_ER : USER_EN;
	}
}

bool vpmu_is_closed(uint32_t key, bool is_write)
{
	bool is_pmu = key >> 7 == SYSREG_KEY(3, 3, 9, 0, 0) >> 7 || key >> 6 == SYSREG_KEY(3, 3, 14, 8, 0) >> 6;
	if (!is_pmu || hv_vcpu()->pstate & FIELD_MASK(PSTATE_M) ||
	    key == SYSREG_KEY(3, 3, 9, 14, 0)) /* PMUSERENR_EL0 */
		return false;
	return !(hv_vcpu()->pmuserenr_el0 & opened_by(key, is_write));
}

/* PMSELR_EL0 = 31 selects the cycle counter's filter. */
uint64_t read_pmxevtyper(uint32_t key)
{
	return hv_vcpu()->pmselr_el0 == 31 ? read_pmccfiltr(key) : 0;
}

void write_pmxevtyper(uint32_t key, uint64_t value)
{
	if (hv_vcpu()->pmselr_el0 == 31)
		write_pmccfiltr(key, value);
}
