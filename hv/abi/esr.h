/* Why an exception was taken, as ESR_EL1 and ESR_EL2 say it (Arm ARM D17.2.37). */
#pragma once
#include "hv/abi/field.h"
#include <stdbool.h>

#define ESR_EC_HI 31
#define ESR_EC_LO 26
#define ESR_IL    BIT(25) /* the instruction has 32 bits, not 16 */

/* of aborts */
#define ISS_WNR   BIT(6) /* a write */
#define ISS_S1PTW BIT(7) /* stage 2, of a walk of the guest's own tables */

/* of BRK and BKPT */
#define ISS_COMMENT_HI 15
#define ISS_COMMENT_LO 0

/* Exception classes. Those of aborts and debug exceptions are of a lower level; one more is the
 * same level's, bit 0 of EC_SAME_LEVEL. */
enum {
	EC_UNKNOWN = 0x00,
	EC_WFX = 0x01,
	EC_HVC64 = 0x16,
	EC_SYSREG = 0x18,
	EC_INSTRUCTION_ABORT = 0x20,
	EC_DATA_ABORT = 0x24,
	EC_BREAKPOINT = 0x30,
	EC_SOFTWARE_STEP = 0x32,
	EC_WATCHPOINT = 0x34,
	EC_BKPT32 = 0x38,
	EC_BRK = 0x3c,
	EC_COUNT = 64,
	EC_SAME_LEVEL = 1,
};

/* Whether an abort was taken for an instruction that was to be fetched. */
static inline bool esr_abort_is_fetch(uint64_t esr)
{
	return FIELD_GET(esr, ESR_EC) <= (EC_INSTRUCTION_ABORT | EC_SAME_LEVEL);
}
