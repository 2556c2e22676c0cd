/* The running vCPU's registers: between hv.vcpu and the CPU. A pair: what one saves the other loads.
 *
 * Debug registers are not among them: the CPU's are the guest's and the debugger's, merged by debug_load, and struct
 * vcpu_state has the guest's at any time, since every access to them traps. */
#pragma once

/* CPU -> hv.vcpu. What the guest goes on with is unchanged. */
void vcpu_save(void);
/* hv.vcpu -> CPU. debug_load comes next. */
void vcpu_load(void);
