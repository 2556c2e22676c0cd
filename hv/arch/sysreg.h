/* Access to system registers from EL2, and the fields of those that hv itself programs (Arm ARM D17, GICv3 manual 12).
 * Only hv/arch and hv/board include this. */
#pragma once
#include "hv/abi/field.h"
#include <stdint.h>

#define READ_SYSREG(reg)                                                                                               \
	__extension__({                                                                                                \
		uint64_t value_;                                                                                       \
		__asm__ volatile("mrs %0, " #reg : "=r"(value_));                                                      \
		value_;                                                                                                \
	})
#define WRITE_SYSREG(reg, value) __asm__ volatile("msr " #reg ", %0" ::"r"((uint64_t)(value)) : "memory")

/* Names that binutils 2.40 does not know without -march extensions, by encoding. */
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_DIR_EL1     S3_0_C12_C11_1
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_CTLR_EL1    S3_0_C12_C12_4
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_SRE_EL2     S3_4_C12_C9_5
#define ICC_SGI1R_EL1   S3_0_C12_C11_5
#define ICH_HCR_EL2     S3_4_C12_C11_0
#define ICH_VTR_EL2     S3_4_C12_C11_1
#define ICH_VMCR_EL2    S3_4_C12_C11_7
#define ICH_AP0R0_EL2   S3_4_C12_C8_0
#define ICH_AP1R0_EL2   S3_4_C12_C9_0
#define ICH_LR0_EL2     S3_4_C12_C12_0
#define ICH_LR1_EL2     S3_4_C12_C12_1
#define ICH_LR2_EL2     S3_4_C12_C12_2
#define ICH_LR3_EL2     S3_4_C12_C12_3

/* HCR_EL2 */
#define HCR_VM   BIT(0)
#define HCR_SWIO BIT(1)
#define HCR_FMO  BIT(3)
#define HCR_IMO  BIT(4)
#define HCR_AMO  BIT(5)
#define HCR_TWI  BIT(13)
#define HCR_TID3 BIT(18)
#define HCR_TSC  BIT(19)
#define HCR_RW   BIT(31)

/* MDCR_EL2: HPMN = 2 leaves counters 2 and up to EL2; the clock uses the cycle counter and counter 1. */
#define MDCR_HPMN_HI 4
#define MDCR_HPMN_LO 0
#define MDCR_TPMCR   BIT(5)
#define MDCR_TPM     BIT(6)
#define MDCR_HPME    BIT(7)
#define MDCR_TDE     BIT(8)
#define MDCR_TDA     BIT(9)
#define MDCR_TDOSA   BIT(10)
#define MDCR_TDRA    BIT(11)

/* CNTV_CTL_EL0 and CNTHP_CTL_EL2 */
#define CNTV_CTL_ENABLE  BIT(0)
#define CNTV_CTL_IMASK   BIT(1)
#define CNTV_CTL_ISTATUS BIT(2)

/* PMU */
#define PMCR_E         BIT(0)
#define PMCR_LC        BIT(6)
#define PMU_CYCLE      BIT(31)
#define PMU_COUNTER1   BIT(1)
#define PMEVTYPER_NSH  BIT(27) /* count at EL2 too */
#define PMU_CPU_CYCLES 0x11

/* SCTLR_EL2 */
#define SCTLR_EL2_RES1 UINT64_C(0x30c50830)
#define SCTLR_M        BIT(0)
#define SCTLR_C        BIT(2)
#define SCTLR_I        BIT(12)
#define SCTLR_WXN      BIT(19)

/* SCTLR_EL1 at reset: RES1 bits of ARMv8.2, MMU and caches off. */
#define SCTLR_EL1_RESET UINT64_C(0x30d00800)
#define SCTLR_EL1_SPAN  BIT(23)
#define SCTLR_EL1_DSSBS BIT(44)

/* GIC CPU interface */
#define ICC_CTLR_EOIMODE BIT(1)
#define ICC_SRE_ENABLE   (BIT(0) | BIT(3))
#define ICH_HCR_EN       BIT(0)
