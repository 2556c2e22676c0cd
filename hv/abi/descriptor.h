/* VMSAv8-64 descriptors with a 4 KiB granule, for hv's own stage 1 and the guest's stage 2, in which the host reads
 * what was written (Arm ARM D8.3). */
#pragma once
#include "hv/abi/field.h"
#include <stdint.h>

enum {
	PAGE_BYTES = 4096,
	TABLE_ENTRIES = 512,
	PAGE_SHIFT = 12,    /* level 3 */
	BLOCK_SHIFT = 21,   /* level 2 */
	GIGABYTE_SHIFT = 30 /* level 1 */
};

/* Stage 2's walk starts at level 2 for IPAs of up to so many bits, and at level 1 above. */
enum { STAGE2_LEVEL2_START_IPA_BITS = 34 };

#define DESC_VALID BIT(0)
#define DESC_TABLE BIT(1) /* levels 0 to 2; at level 3: a page */
#define DESC_AF    BIT(10)
#define DESC_SH_IS (UINT64_C(3) << 8)
#define DESC_DBM   BIT(51)

/* stage 1 at EL2 */
#define S1_ATTR_NORMAL (UINT64_C(0) << 2) /* index into MAIR_EL2 */
#define S1_ATTR_DEVICE (UINT64_C(1) << 2)
#define S1_AP_RO       BIT(7)
#define S1_AP_RES1     BIT(6)
#define S1_XN          BIT(54)

/* stage 2 */
#define S2_ATTR_NORMAL (UINT64_C(0xf) << 2)
#define S2_AP_READ     BIT(6)
#define S2_AP_WRITE    BIT(7)
#define S2_XN          BIT(54)
#define S2_XN_EL0      (UINT64_C(3) << 53) /* executable at EL1 only (FEAT_XNX) */
#define S2_WAS_DIRTY   BIT(55)             /* hv's own: S2_AP_WRITE of a page that is execute-only now */

#define DESC_ADDRESS_MASK UINT64_C(0x0000fffffffff000)
