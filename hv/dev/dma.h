/* The guest's RAM as its devices see it. hv/core implements it (dma.c), for devices here do not know where RAM is. An
 * address, a length and what stands in memory are the guest's, and never trusted. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies bytes out of RAM, or into it. False, with nothing copied: not all of them are in RAM. */
bool dma_read(ipa_t from, void *to, size_t bytes);
bool dma_write(ipa_t to, const void *from, size_t bytes);

/* Whether all of these bytes are in RAM. */
bool dma_is_ram(ipa_t at, uint64_t bytes);
