/* The units that must never mix, as one-member structs: mixing them does not compile.
 * Included by hv (AArch64, freestanding) and by every host folder. */
#pragma once
#include <stdint.h>

typedef struct {
	uint64_t v;
} pa_t; /* an address of the physical machine, as EL2 uses it */

typedef struct {
	uint64_t v;
} ipa_t; /* a guest physical address */

typedef struct {
	uint64_t v;
} va_t; /* a guest virtual address */

typedef struct {
	uint64_t v;
} insn_t; /* a number of guest instructions: a position N, or a distance */

typedef struct {
	uint64_t v;
} ns_t; /* guest time in nanoseconds */

#define NS_PER_S UINT64_C(1000000000)
