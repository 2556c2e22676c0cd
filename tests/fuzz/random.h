/* The fuzzers' random numbers: splitmix64, one state, so that a seed gives the same run everywhere. */
#pragma once
#include <stdint.h>

extern uint64_t random_state;

static inline uint64_t random_u64(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Below `bound`, which is not 0. */
static inline uint64_t random_below(uint64_t bound)
{
	return (random_u64() >> 1) % bound;
}
