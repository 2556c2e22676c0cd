/* Fields of the debug registers that more than one file of hv/core reads or writes (Arm ARM D17.3: MDSCR_EL1,
 * OSLSR_EL1, DBGBCR<n>_EL1, DBGWCR<n>_EL1). */
#pragma once
#include "hv/abi/field.h"

#define MDSCR_SS       BIT(0)
#define MDSCR_KDE      BIT(13)
#define MDSCR_MDE      BIT(15)
#define OSLSR_OSLK     BIT(1)
#define DBGCR_E        BIT(0)
#define DBGWCR_MASK_HI 28
#define DBGWCR_MASK_LO 24
#define DBGWCR_BAS_HI  12
#define DBGWCR_BAS_LO  5
#define DBGWCR_LSC_HI  4
#define DBGWCR_LSC_LO  3
