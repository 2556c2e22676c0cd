/* Whether a place is inside an exclusive sequence (LDXR … STXR), where a stop clears the monitor that the STXR needs.
 */
#pragma once
#include "replay/engine.h"

/* Looks back through the code before pc. Cannot fail: code that cannot be read is not inside one. */
bool exclusive_inside(const struct engine *engine, const struct vcpu_state *vcpu);
