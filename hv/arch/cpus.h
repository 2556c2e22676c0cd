/* The machine's CPUs: as many as the guest has vCPUs, and vCPU i is at home on CPU i. What hv/core asks of them is in
 * hv/arch/arch.h. */
#pragma once
#include <stdint.h>

/* The CPU that hv runs on. */
uint32_t cpus_here(void);
