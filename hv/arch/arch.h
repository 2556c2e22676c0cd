/* What hv/core asks of the CPU. hv/arch implements it for AArch64 at EL2; the unit tests put a fake in its place, so
 * that core logic runs on the host. None of these can fail unless it says so. */
#pragma once
#include "hv/abi/guest_state.h"
#include "hv/abi/mailbox.h"
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum arch_exit { ARCH_EXIT_SYNC = 0, ARCH_EXIT_IRQ = 1, ARCH_EXIT_FIQ = 2, ARCH_EXIT_SERROR = 3 };

/* The syndrome of a synchronous exit (Arm ARM D17.2.37 ESR_EL2, .40 FAR_EL2, .64 HPFAR_EL2). */
struct arch_syndrome {
	uint64_t esr;
	uint64_t far;
	uint64_t ipa_page; /* the faulting IPA's page, from HPFAR_EL2; valid for stage-2 aborts */
};

/* Runs the guest from its saved x, pc and pstate to its next exit; CNTVCT_EL0 reads `counter` / 16 at its first
 * instruction. */
enum arch_exit arch_enter(struct vcpu_state *vcpu, ns_t counter);
struct arch_syndrome arch_syndrome_read(void);

/* Translates a guest virtual address for a read with the guest's own tables, as the level of `pstate` does (AT S1E1R,
 * AT S1E0R). Stage 2 is not looked at: it may permit nothing but execution. Returns false if the guest itself would
 * fault. */
bool arch_translate(va_t va, uint64_t pstate, ipa_t *ipa);

/* EL1's registers (everything in struct vcpu_state that the CPU holds while the guest runs), CPU → struct and back. */
void arch_el1_save(struct vcpu_state *vcpu);
void arch_el1_load(const struct vcpu_state *vcpu);
/* Puts EL1's registers into their state after reset: the struct only, whose other bytes are zero. */
void arch_el1_reset(struct vcpu_state *vcpu);
/* Only ELR, SPSR, ESR and FAR of EL1, to have the guest take an exception. Writing translation registers would empty
 * the TLB. */
void arch_el1_load_exception(const struct vcpu_state *vcpu);
uint64_t arch_vbar_el1(void);
uint64_t arch_sctlr_el1(void);
uint64_t arch_elr_el1(void);
uint64_t arch_spsr_el1(void);
void arch_spsr_el1_write(uint64_t value);
/* CNTV_CTL_EL0 (without ISTATUS) and CNTV_CVAL_EL0, CPU → struct. */
void arch_vtimer_save(struct vcpu_state *vcpu);
/* CNTV_CTL_EL0 alone, struct → CPU: that of a vCPU whose turn it has become. CNTV_CVAL_EL0 has stayed there. */
void arch_vtimer_load(const struct vcpu_state *vcpu);
/* The debug registers that the guest set (MDSCR, breakpoints, watchpoints), struct → CPU. */
void arch_debug_load(const struct vcpu_state *vcpu);

/* The virtual CPU interface: list registers, ICH_HCR, ICH_VMCR, active priorities. */
void arch_ich_save(struct vcpu_state *vcpu);
void arch_ich_load(const struct vcpu_state *vcpu);
/* ICH_VMCR and the active priorities too, which only the guest changes: to put a whole guest back. */
void arch_ich_restore(const struct vcpu_state *vcpu);

/* PMUSERENR_EL0: it decides whether EL0's accesses trap to EL1 first. */
void arch_pmuserenr_load(uint64_t value);
/* The stack pointer that the guest's instruction at `pstate` uses as register 31. */
uint64_t arch_sp_read(uint64_t pstate);
void arch_sp_write(uint64_t pstate, uint64_t value);
/* Copies of one 4 KiB page the lines of 64 bytes whose bit in `lines` is set. Stores of EL2 make the machine forget
 * what it had translated of that page. */
void arch_page_copy(void *to, const void *from, uint64_t lines);
/* Copies bytes between guest RAM and the host's memory, words at a time. */
void arch_copy(void *to, const void *from, size_t bytes);
/* A device has written to the page of guest RAM at `page`: its dirty state. */
void arch_page_written(ipa_t page);
/* The page of guest RAM at `page` may be executed at EL1 and no more, or is as before, dirty state included; from the
 * next arch_tlb_forget on. To say the same again changes nothing. */
void arch_page_execute_only(ipa_t page, bool only);
/* Puts another instruction into the guest's code. */
void arch_code_write(volatile uint32_t *at, uint32_t word);
/* Forgets the guest's address translations, stage 1 and 2. */
void arch_tlb_forget(void);
/* One turn of a loop that waits for the host, awake. */
void arch_yield(void);
/* V0 to V31, as in struct vcpu_state. */
void arch_simd_save(uint64_t v[64]);
void arch_simd_load(const uint64_t v[64]);

/* hv goes on on another of the machine's CPUs (hv/arch/cpus.c), which `wake` wakes, or starts at `entry`, at EL2 and
 * with its number in x0. The instruction clock goes along, without an alarm. The guest's registers stay where they are;
 * there the virtual timer is off and ICH_HCR_EL2 is 0. */
void arch_cpu_move(uint32_t to, void (*wake)(uint32_t to, uint64_t entry));

/* The instruction clock (docs/CLOCK.md). clock_now is exact at every exit. clock_adjust moves the current
 * position by `delta` (modulo 2^64), for instructions that the hardware counted wrongly; an alarm that is set moves
 * along. clock_alarm_set: `at` must be after now. */
insn_t clock_now(void);
void clock_adjust(uint64_t delta);
insn_t clock_alarm(void);
void clock_alarm_set(insn_t at);
void clock_alarm_cancel(void);
/* Where the machine's own clock (CNTPCT_EL0) has to jump to before a guest whose counters read `counter` may go on; 0:
 * nowhere. */
uint64_t machine_clock_lead(uint64_t counter);
/* Keeps the machine's clock from jumping by seconds in the WFI that follows. */
void machine_clock_before_wait(void);

/* ID registers and the counter's frequency; what a guest can see of the machine. Returns how many were written. */
uint64_t arch_counter_frequency(void);
uint32_t arch_fingerprint(uint64_t fingerprint[HV_FINGERPRINT_COUNT]);
