/* What gdb writes. The user's writes begin a diversion; two that gdb does for itself do not change the guest:
 *
 * 1. At a breakpoint on a BRK of the guest's, gdb moves pc after it before it resumes, since on a live machine the BRK
 * would be taken for gdb's own. Here the guest takes its BRK as recorded. That the breakpoint is inserted distinguishes
 * this from a user who sets pc.
 * 2. A call of a function ends with the registers put back, and the diversion with it. */
#include "gdbstub/gdb_registers.h"
#include "replay/debugger/target_registers.h"
#include "replay/debugger/target_state.h"
#include "replay/guest/guest_memory.h"
#include "replay/travel/diversion.h"

#include <inttypes.h>
#include <stdio.h>

#define BRK_MASK UINT32_C(0xffe0001f)
#define BRK      UINT32_C(0xd4200000)

static const struct vcpu_state *vcpu_of(const struct replay_target *target, uint32_t thread)
{
	return &timeline_state(target->timeline)->vcpu[thread % GUEST_VCPU_MAX];
}

bool replay_target_register_read(void *context, uint32_t thread, uint32_t number, struct target_value *value)
{
	const struct replay_target *target = context;
	bool known = target_registers_read(vcpu_of(target, thread), number, value);
	if (number == GDB_REG_pc && target->skips_brk)
		value->low += 4;
	return known;
}

static bool is_brk_skipped(const struct replay_target *target, uint32_t thread, uint32_t number, uint64_t value)
{
	const struct vcpu_state *vcpu = vcpu_of(target, thread);
	uint32_t word;
	return number == GDB_REG_pc && value == vcpu->pc + 4 && replay_target_is_breakpoint(target, vcpu->pc) &&
	       guest_memory_read(timeline_memory(target->timeline), vcpu, (va_t){vcpu->pc}, &word, sizeof(word)) &&
	       (word & BRK_MASK) == BRK;
}

/* Whether gdb puts this register back after a call. */
static bool is_of_calls(uint32_t number)
{
	return number <= GDB_REG_fpcr;
}

static bool register_write(struct replay_target *target, uint32_t thread, uint32_t number,
			   const struct target_value *value)
{
	struct vcpu_state changed = *vcpu_of(target, thread);
	if (!target_registers_write(&changed, number, value))
		return false;
	diversion_registers_write(target->timeline, thread, &changed, is_of_calls(number));
	return true;
}

/* Another write: the one to pc was the user's, too. */
static void skip_brk_now(struct replay_target *target, uint32_t thread)
{
	const struct target_value after = {vcpu_of(target, thread)->pc + 4, 0};
	if (target->skips_brk)
		register_write(target, thread, GDB_REG_pc, &after);
	target->skips_brk = false;
}

/* If this fails gdb learns of it at its next resume. */
static void leave_if_over(struct replay_target *target)
{
	if (diversion_is_over(target->timeline))
		diversion_leave(target->timeline, &target->broken);
}

bool replay_target_register_write(void *context, uint32_t thread, uint32_t number, const struct target_value *value)
{
	struct replay_target *target = context;
	if (is_brk_skipped(target, thread, number, value->low)) {
		target->skips_brk = true;
		return true;
	}
	skip_brk_now(target, thread);
	if (!register_write(target, thread, number, value))
		return false;
	leave_if_over(target);
	return true;
}

bool replay_target_memory_write(void *context, uint32_t thread, struct target_address address, const void *bytes,
				size_t count)
{
	struct replay_target *target = context;
	skip_brk_now(target, thread);
	if (address.space == TARGET_PHYSICAL)
		return diversion_physical_write(target->timeline, (ipa_t){address.v}, bytes, count, &target->broken);
	return diversion_memory_write(target->timeline, thread, (va_t){address.v}, bytes, count, &target->broken);
}

/* Calls are announced once: a condition may make thousands. */
bool replay_target_notice(void *context, char *text)
{
	struct replay_target *target = context;
	if (!diversion_tell(target->timeline))
		return false;
	bool call = diversion_is_call(target->timeline), known = call && target->calls_known;
	struct timeline_place origin = diversion_origin(target->timeline);
	target->calls_known = call;
	snprintf(text, TARGET_TEXT_BYTES, "diversion from instruction %" PRIu64 ", pc %#" PRIx64 "%s\n", origin.n,
		 origin.pc, call ? ", for a call; it ends with the call" : "; monitor back-to-replay leads back");
	return !known;
}
