/* Where the guest may go on without a stop, and the conditions that say whether it does. All of these must hold:
 *
 * 1. The trace has nothing at this position but what the guest's own instruction does.
 * 2. The guest does not debug itself: its breakpoints, watchpoints and software steps need the same registers.
 * 3. The place is no exception vector, which may share its position with the place before.
 * 4. No exclusive sequence is open before the instruction or after it, since every exit clears the monitor. */
#include "hv/core/debug_pass.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/core/gate.h"
#include "hv/core/guest_read.h"
#include "hv/core/hv.h"
#include "hv/core/vector.h"
#include "hv/shared/agent_expr.h"
#include "hv/shared/exclusive_code.h"

#define MDSCR_SS  UINT64_C(1)
#define MDSCR_MDE (UINT64_C(1) << 15)

/* gdb's numbers, after x0 to x30 (gdbstub/gdb_registers.def). */
enum { REGISTER_SP = 31, REGISTER_PC = 32, REGISTER_CPSR = 33 };

static struct {
	bool on, watch;
	uint64_t n, pc;
} pass;

/* The code that may be looked at, in one piece if it can be read so. */
struct code {
	uint64_t start;
	bool whole;
	_Alignas(4) uint8_t bytes[4 * (EXCLUSIVE_CODE_LOOK_BACK + 1)];
};

static bool read_word(const void *context, uint64_t va, uint32_t *word)
{
	const struct code *code = context;
	if (!code->whole)
		return guest_read((va_t){va}, true, (uint8_t *)word, sizeof(*word));
	*word = *(const uint32_t *)(const void *)&code->bytes[va - code->start];
	return true;
}

static bool code_is_clear(uint64_t pc)
{
	struct code code;
	code.start = pc - UINT64_C(4) * EXCLUSIVE_CODE_LOOK_BACK;
	code.whole = guest_read((va_t){code.start}, true, code.bytes, sizeof(code.bytes));
	return exclusive_code_is_clear(read_word, &code, pc);
}

static bool read_register(const void *context, uint64_t number, uint64_t *value)
{
	const struct vcpu_state *vcpu = context;
	if (number < REGISTER_SP)
		*value = vcpu->x[number];
	else if (number == REGISTER_SP)
		*value = vcpu->pstate & PSTATE_SP ? vcpu->sp_el1 : vcpu->sp_el0;
	else if (number == REGISTER_PC)
		*value = vcpu->pc;
	else if (number == REGISTER_CPSR)
		*value = vcpu->pstate & UINT32_MAX;
	else
		return false;
	return true;
}

static bool read_memory(const void *context, uint64_t address, uint8_t *bytes, size_t count)
{
	(void)context;
	return guest_read((va_t){address}, false, bytes, count);
}

/* One that hv cannot decide is the host's. */
static bool is_false(const uint8_t *code, size_t count)
{
	const struct agent_expr_reader reader = {read_register, read_memory, hv_vcpu()};
	uint64_t value;
	return agent_expr_evaluate(code, count, &reader, &value) == AGENT_EXPR_OK && value == 0;
}

/* A point has several conditions, each with its length before it, and is hit if one is true. */
static bool conditions_are_false(const volatile struct hv_debug_point *point)
{
	uint32_t begin = point->condition, bytes = point->condition_bytes;
	if (bytes == 0 || begin > HV_CONDITION_BYTES || bytes > HV_CONDITION_BYTES - begin)
		return false;
	const uint8_t *at = (const uint8_t *)&hv.mailbox->conditions[begin];
	for (uint32_t left = bytes; left > 0;) {
		if (left < 4)
			return false;
		uint32_t count = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
		if (count > left - 4 || !is_false(at + 4, count))
			return false;
		at += 4 + count;
		left -= 4 + count;
	}
	return true;
}

static bool all_are_false(uint32_t points)
{
	for (uint64_t i = 0; i < hv.mailbox->debug_point_count; i++) {
		if (points >> i & 1 && !conditions_are_false(&hv.mailbox->debug_points[i]))
			return false;
	}
	return true;
}

/* What the guest's registers alone tell. */
static bool may_pass(void)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	return !vector_is_here() && !(vcpu->pstate & PSTATE_NRW) && vcpu->stepping == 0 &&
	       !(vcpu->mdscr_el1 & (MDSCR_SS | MDSCR_MDE)) && !hv.own_points_out && gate_is_quiet();
}

/* False: the log is full, or none is kept. */
static bool log_hit(const struct debug_pass_hit *hit)
{
	struct hv_hit *log = (struct hv_hit *)hv.boot->staging_pa;
	uint64_t count = hv.mailbox->hit_count;
	if (count >= hv.mailbox->hit_room)
		return false;
	log[count] = (struct hv_hit){hv.guest.n, hit->address, hit->is_watchpoint, 0};
	hv.mailbox->hit_count = count + 1;
	return true;
}

bool debug_pass_over(const struct debug_pass_hit *hit)
{
	uint32_t conditional = 0;
	for (uint64_t i = 0; i < hv.mailbox->debug_point_count; i++)
		conditional |= (uint32_t)(hit->points >> i & 1 && hv.mailbox->debug_points[i].condition_bytes != 0)
			       << i;
	bool decides = conditional == hit->points;
	if ((!decides && hv.mailbox->hit_room == 0) || !may_pass())
		return false;
	arch_el1_save(hv_vcpu());
	if (!code_is_clear(hv_vcpu()->pc))
		return false;
	if (!(decides && all_are_false(hit->points)) && !log_hit(hit))
		return false;
	bool again = pass.on && pass.n == hv.guest.n;
	pass.watch = hit->is_watchpoint || (again && pass.watch);
	pass.on = true;
	pass.n = hv.guest.n;
	pass.pc = hv_vcpu()->pc;
	return true;
}

bool debug_pass_leaves_out(const volatile struct hv_debug_point *point)
{
	return pass.on && (point->bytes == 0 ? point->address == pass.pc : pass.watch);
}

bool debug_pass_ends(void)
{
	bool ends = pass.on && hv.guest.n != pass.n;
	pass.on &= !ends;
	return ends;
}

insn_t debug_pass_alarm(void)
{
	return (insn_t){pass.on ? pass.n + 1 : UINT64_MAX};
}

void debug_pass_forget(void)
{
	pass.on = false;
	hv.mailbox->hit_count = 0;
}
