/* Registers that gdb writes into a guest's state: what hv takes over, and what it must never get. */
#include "gdbstub/gdb_registers.h"
#include "replay/debugger/target_registers.h"

#include <criterion/criterion.h>
#include <string.h>

Test(target_registers, a_value_that_hv_cannot_take_is_refused_and_changes_nothing)
{
	struct vcpu_state vcpu = {.pstate = 5}, before = vcpu;
	static const uint64_t modes[] = {1, 2, 3, 8, 9, 0xc, 0xd, 0x11, 0x13, 0x1a, 0x1f};
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		cr_assert_not(target_registers_write(&vcpu, GDB_REG_cpsr, &(struct target_value){modes[i] | 0x3c0, 0}));
	cr_assert_not(target_registers_write(&vcpu, GDB_REG_oslsr_el1, &(struct target_value){2, 0}));
	cr_assert_not(target_registers_write(&vcpu, GDB_REGISTER_COUNT, &(struct target_value){2, 0}));
	cr_assert_eq(memcmp(&vcpu, &before, sizeof(vcpu)), 0);
	cr_assert(target_registers_write(&vcpu, GDB_REG_cpsr, &(struct target_value){0x10, 0}));
	cr_assert_eq(vcpu.pstate, 0x10);
}

Test(target_registers, what_is_written_is_read_as_far_as_it_has_bits)
{
	struct vcpu_state vcpu = {.pstate = 5};
	const struct target_value ones = {UINT64_MAX, UINT64_MAX};
	struct target_value value;
	cr_assert(target_registers_write(&vcpu, GDB_REG_v31, &ones));
	cr_assert(target_registers_read(&vcpu, GDB_REG_v31, &value));
	cr_assert_eq(value.high, UINT64_MAX);
	cr_assert(target_registers_write(&vcpu, GDB_REG_sp, &(struct target_value){64, 0}));
	cr_assert_eq(vcpu.sp_el1, 64);
	cr_assert_eq(vcpu.sp_el0, 0);
	cr_assert(target_registers_write(&vcpu, GDB_REG_cntv_ctl_el0, &ones));
	cr_assert_eq(vcpu.cntv_ctl_el0, 3);
	cr_assert(target_registers_write(&vcpu, GDB_REG_pmcntenset_el0, &ones));
	cr_assert_eq(vcpu.pmcntenset_el0, UINT64_C(1) << 31);
}
