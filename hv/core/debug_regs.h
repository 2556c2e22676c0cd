/* Fields of the debug registers that more than one file of hv/core reads or writes (Arm ARM D17.3: DBGBCR<n>_EL1,
 * DBGWCR<n>_EL1). */
#pragma once
#include "hv/abi/field.h"

#define DBGCR_E        BIT(0)
#define DBGWCR_MASK_HI 28
#define DBGWCR_MASK_LO 24
#define DBGWCR_BAS_HI  12
#define DBGWCR_BAS_LO  5
#define DBGWCR_LSC_HI  4
#define DBGWCR_LSC_LO  3
