/* The vCPUs' registers: between struct vcpu_state and the CPUs that they are at home on.
 *
 * Debug registers are not among them: the CPU's are the guest's and the debugger's, merged by debug_load, and struct
 * vcpu_state has the guest's at any time, since every access to them traps. */
#pragma once
#include <stdint.h>

/* All vCPUs' registers, CPUs -> hv.guest. What the guest goes on with is unchanged. */
void vcpu_save(void);
/* hv.guest -> CPUs: hv goes on on the CPU of guest.current. debug_load comes next. */
void vcpu_load(void);

/* The turn goes to the vCPU `to`, which hv goes on on the CPU of. The virtual GIC is folded; timers_sample and
 * debug_turn come next. */
void vcpu_turn(uint32_t to);

/* vCPU `i`, which does not run, is as after a reset, to start at `pc` with `x0` (PSCI CPU_ON; Arm ARM D1.9). */
void vcpu_reset(uint32_t i, uint64_t pc, uint64_t x0);
