/* Why an exception was taken, as ESR_EL1 and ESR_EL2 say it (Arm ARM D17.2.37). */
#pragma once
#include "hv/abi/field.h"

#define ESR_EC_HI 31
#define ESR_EC_LO 26

/* Exception classes. Those of aborts and debug exceptions are of a lower level; one more is the same level's. */
enum {
	EC_UNKNOWN = 0x00,
	EC_WFX = 0x01,
	EC_HVC64 = 0x16,
	EC_SYSREG = 0x18,
	EC_INSTRUCTION_ABORT = 0x20,
	EC_DATA_ABORT = 0x24,
	EC_BREAKPOINT = 0x30,
	EC_WATCHPOINT = 0x34,
	EC_BKPT32 = 0x38,
	EC_BRK = 0x3c,
	EC_COUNT = 64,
};
