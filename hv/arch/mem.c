/* The memory functions that a freestanding compiler may call (C11 7.24), and the store to the guest's code. */
#include "hv/arch/mem.h"
#include "hv/arch/arch.h"

void *memset(void *to, int value, size_t bytes)
{
	unsigned char *p = to;
	for (; bytes != 0; bytes--)
		*p++ = (unsigned char)value;
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
	unsigned char *p = to;
	const unsigned char *q = from;
	for (; bytes != 0; bytes--)
		*p++ = *q++;
	return to;
}

void arch_code_write(volatile uint32_t *at, uint32_t word)
{
	*at = word;
	__asm__ volatile(
		"dc cvau, %0\n"
		"dsb ish\n" /* the word is at the point of unification before the instruction cache forgets it */
		"ic ivau, %0\n"
		"dsb ish\n" /* … has forgotten it */
		"isb" ::"r"(at)
		: "memory");
}
