/* A divergence, in words. */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/error/error.h"

/* Fills `error` with what the trace says, what the guest did, and where; always returns false. `first_event` is the
 * trace's number of the ring's first event. */
bool divergence_report(const struct hv_mailbox *mailbox, uint64_t first_event, struct error *error);
