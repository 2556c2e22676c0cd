/* Reads of CNTPCT_EL0 by the guest. */
#pragma once
#include <stdbool.h>

/* Whether a read is an event: in the guest's first machine version only. */
bool counter_reads_are_events(void);

/* Call when a read that is no event has trapped: one that keeps doing so is replaced by a read that does not trap. */
void counter_trapped(void);
