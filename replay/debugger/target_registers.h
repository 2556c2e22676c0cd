/* The registers that gdb sees, in a guest's state. hv takes over any value that target_registers_write lets through. */
#pragma once
#include "gdbstub/target.h"
#include "hv/abi/guest_state.h"

/* Reads register `number` (gdbstub/gdb_registers.def) of a vCPU. False: there is none. */
bool target_registers_read(const struct vcpu_state *vcpu, uint32_t number, struct target_value *value);
/* Writes it, as far as it has bits that can be written. False, with nothing changed: there is no such register, it is
 * read-only (OSLSR_EL1), or the guest cannot have this value (a PSTATE of another level than EL0 and EL1). */
bool target_registers_write(struct vcpu_state *vcpu, uint32_t number, const struct target_value *value);
