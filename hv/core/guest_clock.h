/* The guest's counters: guest time, and what they began with. CNTVCT_EL0 follows it in hardware (hv/arch/clock.c),
 * CNTPCT_EL0 reads it from here, and every timer compares with it. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>

/* Call once, before the first entry. */
void guest_clock_init(void);

/* CNTPCT_EL0 at the current position (Arm ARM D11.1.2), in ticks of GUEST_NS_PER_TICK. */
uint64_t guest_clock_ticks(void);
/* The ns that the counters have counted. */
ns_t guest_clock_ns(void);
/* Guest time at which the counters reach `ticks`, which is not before they began; UINT64_MAX: beyond 64 bits of ns. */
ns_t guest_clock_at(uint64_t ticks);
/* What PL031 counts from: seconds since 1970. */
uint64_t guest_clock_rtc_s(void);

/* Guest time has jumped: the machine's clock follows, where hv/arch/machine_clock.c asks for it. */
void guest_clock_jumped(void);

/* A timer's CTL register (Arm ARM D17.11.16, CNTP_CTL_EL0). */
#define TIMER_CTL_ENABLE  UINT64_C(1)
#define TIMER_CTL_IMASK   UINT64_C(2)
#define TIMER_CTL_ISTATUS UINT64_C(4)

/* Whether a timer raises its interrupt when it is due, and whether it does now. */
bool guest_clock_timer_armed(uint64_t ctl);
bool guest_clock_timer_line(uint64_t ctl, uint64_t cval);
