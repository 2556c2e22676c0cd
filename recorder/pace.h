/* --pace real: idle time takes as long as it says. How far guest time may go is real time since the start, less what
 * the guest was slower than real time while it ran: it does not get that back, for then its next sleep would be over
 * before a peer on the network could answer. */
#pragma once
#include "hv/abi/mailbox.h"
#include <stdint.h>

struct pace {
	uint64_t behind_ns;         /* guest time is so much behind real time */
	uint64_t target_ns, now_ns; /* the sleep that was seen last: hv_mailbox */
};

/* It is `real_ns` after the start: tells hv how far guest time may go. Returns how long a sleeping guest has yet to
 * wait (ns), 0: it is to be woken, UINT64_MAX: it does not wait for this. */
uint64_t pace_update(struct pace *pace, struct hv_mailbox *mailbox, uint64_t real_ns);
