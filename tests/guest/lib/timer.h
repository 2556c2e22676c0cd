/* The virtual timer as a source of many interrupts, for payloads that compute while they come. */
#pragma once
#include <stdint.h>

enum { TIMER_INTID_VIRTUAL = 27, TIMER_INTID_PHYSICAL = 30, TIMER_ENABLE = 1, TIMER_IMASK = 2, TIMER_ISTATUS = 4 };

/* How many came since the last start. */
extern volatile uint64_t timer_irq_count;

/* Called in each interrupt if it is set; set it before the start. */
extern void (*timer_on_irq)(void);

/* Initialises the GIC, unmasks interrupts and has one about every `period_ticks` of CNTVCT. */
void timer_storm_start(uint32_t period_ticks);
void timer_storm_stop(void);
