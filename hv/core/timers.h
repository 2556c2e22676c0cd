/* The guest's timers: the virtual one (in hardware, CNTV_*), the physical one (CNTP_*, emulated) and the RTC's alarm.
 * All three follow guest time, so their lines are functions of the position. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>

/* Sets every timer's line for the current guest time. */
void timers_sample(void);
/* Guest time (ns) at which the first timer wakes an idle guest; UINT64_MAX: none will. */
ns_t timers_idle_deadline(void);
/* Position at which an emulated timer is due, if the guest does not idle before; UINT64_MAX: none is set. */
insn_t timers_alarm_deadline(void);
/* Before that position: whether it is still so, as far as the guest's accesses to the timers tell. Their lines tell the
 * rest (interrupts_are_loaded). */
bool timers_stand(void);
/* The guest wrote to an emulated timer. */
void timers_changed(void);
/* The CNTP_* registers (Arm ARM D11.2.4). CTL reads with ISTATUS. */
uint64_t timers_cntp_ctl_read(void);
void timers_cntp_ctl_write(uint64_t value);
void timers_cntp_cval_write(uint64_t value);
