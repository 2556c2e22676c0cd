/* EL2's controls: what traps. */
#pragma once
#include <stdbool.h>

/* Programs every register that decides what comes to EL2. Called once on each CPU; nothing changes it later, whether
 * recording, replaying or debugging (invariant I6). `id_registers`: reads of ID registers trap. */
void el2_init_traps(bool id_registers);
