/* The memory functions that a freestanding compiler may call. */
#pragma once
#include <stddef.h>

void *memset(void *to, int value, size_t bytes);
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
