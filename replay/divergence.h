/* A divergence, in words. */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/host/error.h"

/* Fills `error` with what the trace says, what the guest did, and where; always returns false. */
bool divergence_report(const struct hv_mailbox *mailbox, struct error *error);
