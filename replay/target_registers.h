/* The registers that gdb sees, in a guest's state. */
#pragma once
#include "gdbstub/target.h"
#include "hv/abi/guest_state.h"

/* Reads register `number` (gdbstub/gdb_registers.def) of a vCPU. False: there is none. */
bool target_registers_read(const struct vcpu_state *vcpu, uint32_t number, struct target_value *value);
