/* The handlers that sysreg.def names and other files implement. Each gets the register's key (SYSREG_KEY). */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>
#include <stdint.h>

uint64_t read_zero(uint32_t key);
void write_ignored(uint32_t key, uint64_t value);

/* vpmu.c */
uint64_t read_pmcr(uint32_t key);
void write_pmcr(uint32_t key, uint64_t value);
uint64_t read_pmcnten(uint32_t key);
void write_pmcntenset(uint32_t key, uint64_t value);
void write_pmcntenclr(uint32_t key, uint64_t value);
uint64_t read_pmccntr(uint32_t key);
void write_pmccntr(uint32_t key, uint64_t value);
uint64_t read_pmxevtyper(uint32_t key);
void write_pmxevtyper(uint32_t key, uint64_t value);
uint64_t read_pmuserenr(uint32_t key);
void write_pmuserenr(uint32_t key, uint64_t value);
uint64_t read_pmccfiltr(uint32_t key);
void write_pmccfiltr(uint32_t key, uint64_t value);

/* Whether PMUSERENR_EL0 keeps EL0, where the guest is, from this register: EL1 gets the trap. */
bool vpmu_is_closed(uint32_t key, bool is_write);
/* Call when the guest's state was loaded. */
void vpmu_load(void);

/* debug_regs.c */
uint64_t read_mdscr(uint32_t key);
void write_mdscr(uint32_t key, uint64_t value);
void write_oslar(uint32_t key, uint64_t value);
uint64_t read_oslsr(uint32_t key);
uint64_t read_claim_bits(uint32_t key);
void write_claim_set(uint32_t key, uint64_t value);
uint64_t read_breakpoint(uint32_t key);
void write_breakpoint(uint32_t key, uint64_t value);
/* Where the state of DBGBVR<n>, DBGBCR<n>, DBGWVR<n> or DBGWCR<n> is; NULL if the key is none of those. */
uint64_t *breakpoint_register(uint32_t key, struct vcpu_state *vcpu);
