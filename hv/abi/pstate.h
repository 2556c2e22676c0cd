/* PSTATE as SPSR_ELx holds it (Arm ARM C5.2.19). */
#pragma once
#include "hv/abi/field.h"

#define PSTATE_M_HI  3 /* exception level and stack pointer */
#define PSTATE_M_LO  0
#define PSTATE_EL_HI 3
#define PSTATE_EL_LO 2
#define PSTATE_SP    BIT(0) /* SP_ELx, not SP_EL0 */
#define PSTATE_NRW   BIT(4) /* AArch32 */
#define PSTATE_F     BIT(6)
#define PSTATE_I     BIT(7)
#define PSTATE_D     BIT(9)
#define PSTATE_SSBS  BIT(12)
#define PSTATE_SS    BIT(21)
#define PSTATE_PAN   BIT(22)
#define PSTATE_DIT   BIT(24)
#define PSTATE_DAIF  UINT64_C(0x3c0)
#define PSTATE_NZCV  UINT64_C(0xf0000000)
#define PSTATE_EL1H  UINT64_C(5)

/* Exception vectors: one each for four kinds, from four places (Arm ARM D1.3.1). */
enum { VECTOR_BYTES = 0x80, VECTORS_BYTES = 0x800 };
