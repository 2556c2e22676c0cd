/* A payload's arguments, which are /chosen/bootargs. */
#pragma once
#include <stdint.h>

/* The decimal number at `index` (0 is the first); `absent` if there is none, or no device tree. */
uint64_t argument_number(uint32_t index, uint64_t absent);
