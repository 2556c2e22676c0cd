/* Shows the host the guest: its whole state in the mailbox, RAM as the guest has it, and the doorbell. */
#pragma once
#include "hv/abi/mailbox.h"

/* Saves the whole guest state where the host reads it, says that this is `state`, and rings. The guest may go on
 * afterwards, when patch_show has been called, and debug_load where hv was stepping it (debug_step.h). Cannot fail. */
void publish(enum hv_state state);

/* The same, and nothing enters the guest any more (hv.ended). */
void publish_end(enum hv_state state);
