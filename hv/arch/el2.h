/* EL2's controls: what traps. */
#pragma once

/* Programs every register that decides what comes to EL2. Called once; nothing changes it later, whether recording,
 * replaying or debugging (invariant I6). */
void el2_init_traps(void);
