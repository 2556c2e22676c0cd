/* How a recording ended, in words. */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/error/error.h"

/* The end that hv gives; `until_shown`: the console showed what --until waits for. Static. */
const char *outcome_text(const volatile struct hv_mailbox *mailbox, bool until_shown);
/* Fills `error` for a guest that gets no further: where it is, and the registers that say why. */
void outcome_standstill(const volatile struct hv_mailbox *mailbox, struct error *error);
