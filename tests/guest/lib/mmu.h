/* Stage 1 with addresses as they are: devices below 1 GiB, the first GiB of RAM in 2 MiB blocks, all for EL1 only, but
 * one block for EL0. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define MMU_USER       UINT64_C(0x40600000)
#define MMU_USER_BYTES UINT64_C(0x200000)

/* Makes the tables and turns the MMU and the caches on. Cannot fail. */
void mmu_on(void);

/* Turns them on for another CPU, with the tables that mmu_on made. Cannot fail. */
void mmu_join(void);

/* The translation of an address below 512 GiB, for a test that changes it: one table of 1 GiB entries. */
uint64_t *mmu_level1(void);

/* Makes instructions just written visible to instruction fetch (Arm ARM B2.4.4). */
void mmu_code_written(uint64_t address, size_t bytes);
