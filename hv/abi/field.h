/* Bit fields by NAME_HI and NAME_LO (the manual's order), used through 64 bits, masked, with the bounds asserted. */
#pragma once
#include <stdint.h>

#define BIT(n) (UINT64_C(1) << (n))

#define FIELD_WIDTH_MASK(hi, lo) (UINT64_MAX >> (63 - ((hi) - (lo))))
#define FIELD_CHECKED(hi, lo)    (FIELD_WIDTH_MASK(hi, lo) + 0 * sizeof(char[(hi) >= (lo) && (hi) < 64 ? 1 : -1]))

/* The field's value, moved to bit 0. */
#define FIELD_GET(word, name) (((uint64_t)(word) >> name##_LO) & FIELD_CHECKED(name##_HI, name##_LO))
/* `value`, cut to the field's width, at the field's place. */
#define FIELD_PUT(name, value) (((uint64_t)(value)&FIELD_CHECKED(name##_HI, name##_LO)) << name##_LO)
#define FIELD_MASK(name)       FIELD_PUT(name, UINT64_MAX)
