/* The run loop. */
#pragma once

/* Enters the guest again and again until hv.ended. */
void run(void);
