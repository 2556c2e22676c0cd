/* The memory functions that a freestanding compiler may call (C11 7.24). */
#include "hv/arch/mem.h"

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
