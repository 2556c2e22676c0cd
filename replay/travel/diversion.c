/* A diversion's writes, its runs, and the way back. */
#include "replay/travel/diversion.h"
#include "hv/abi/pstate.h"
#include "replay/guest/exceptions.h"
#include "replay/guest/exclusive.h"
#include "replay/travel/timeline_state.h"

#include <string.h>

/* How far a step follows an exclusive sequence, should an interrupt come in between. */
enum { SEQUENCE_INSNS_MAX = 4096 };
/* How far below the stack pointer gdb may push. */
enum { PUSHED_BYTES_MAX = 1 << 16 };

#define DBGCR_E UINT64_C(1)

static const struct vcpu_state *vcpu_here(const struct timeline *t)
{
	const struct guest_state *state = timeline_state(t);
	return &state->vcpu[state->current];
}

bool diversion_is_on(const struct timeline *t)
{
	return t->engine->diverted;
}

struct timeline_place diversion_origin(const struct timeline *t)
{
	return t->diversion.origin;
}

static void begin(struct timeline *t, bool keep)
{
	if (!diversion_is_on(t)) {
		t->diversion = (struct timeline_diversion){.origin = timeline_place(t)};
		t->diversion.vcpu = *vcpu_here(t);
	}
	t->diversion.is_kept |= keep;
}

void diversion_begin(struct timeline *t)
{
	begin(t, true);
	if (!diversion_is_on(t))
		engine_change(t->engine);
}

bool diversion_is_call(const struct timeline *t)
{
	const struct vcpu_state *now = vcpu_here(t), *before = &t->diversion.vcpu;
	return !t->diversion.is_kept && now->pc != before->pc && now->x[30] != before->x[30];
}

/* Of the registers that a function may change. */
bool diversion_is_over(const struct timeline *t)
{
	const struct vcpu_state *now = vcpu_here(t), *before = &t->diversion.vcpu;
	return diversion_is_on(t) && !t->diversion.is_kept && memcmp(now->x, before->x, sizeof(now->x)) == 0 &&
	       now->pc == before->pc && now->pstate == before->pstate && now->sp_el0 == before->sp_el0 &&
	       now->sp_el1 == before->sp_el1 && memcmp(now->v, before->v, sizeof(now->v)) == 0 &&
	       now->fpcr == before->fpcr && now->fpsr == before->fpsr;
}

bool diversion_tell(struct timeline *t)
{
	bool tell = diversion_is_on(t) && !t->diversion.is_told;
	t->diversion.is_told = true;
	return tell;
}

/* Below the stack pointer of before, where gdb pushes what a function is called with. */
static bool is_pushed(const struct timeline *t, va_t va)
{
	const struct vcpu_state *vcpu = diversion_is_on(t) ? &t->diversion.vcpu : vcpu_here(t);
	uint64_t sp = vcpu->pstate & PSTATE_SP ? vcpu->sp_el1 : vcpu->sp_el0;
	return sp - va.v - 1 < PUSHED_BYTES_MAX;
}

void diversion_registers_write(struct timeline *t, uint32_t vcpu, const struct vcpu_state *changed, bool of_call)
{
	const struct vcpu_state *now = &timeline_state(t)->vcpu[vcpu % GUEST_VCPU_MAX];
	if (memcmp(changed, now, sizeof(*now)) == 0)
		return;
	begin(t, !of_call);
	engine_change(t->engine)->vcpu[vcpu % GUEST_VCPU_MAX] = *changed;
}

static bool memory_write(struct timeline *t, bool of_call, ipa_t ipa, const void *bytes, size_t count,
			 struct error *error)
{
	struct guest_memory memory = timeline_memory(t);
	uint64_t offset;
	if (!guest_memory_offset(memory, ipa, count, &offset))
		return false;
	if (memcmp(memory.ram + offset, bytes, count) == 0)
		return true;
	begin(t, !of_call);
	return engine_write(t->engine, offset, bytes, count, error);
}

bool diversion_memory_write(struct timeline *t, uint32_t vcpu, va_t va, const void *bytes, size_t count,
			    struct error *error)
{
	ipa_t ipa;
	return guest_memory_translate(timeline_memory(t), &timeline_state(t)->vcpu[vcpu % GUEST_VCPU_MAX], va, &ipa) &&
	       memory_write(t, is_pushed(t, va), ipa, bytes, count, error);
}

bool diversion_physical_write(struct timeline *t, ipa_t ipa, const void *bytes, size_t count, struct error *error)
{
	return memory_write(t, false, ipa, bytes, count, error);
}

static size_t used_count(const uint64_t control[], size_t count)
{
	size_t used = 0;
	for (size_t i = 0; i < count; i++)
		used += control[i] & DBGCR_E;
	return used;
}

bool diversion_points_fit(const struct timeline *t, const struct hv_debug_point *points, size_t count)
{
	const struct vcpu_state *vcpu = vcpu_here(t);
	size_t breakpoints = used_count(vcpu->dbgbcr, GUEST_BREAKPOINT_COUNT);
	size_t watchpoints = used_count(vcpu->dbgwcr, GUEST_WATCHPOINT_COUNT);
	for (size_t i = 0; i < count; i++) {
		breakpoints += points[i].bytes == 0;
		watchpoints += points[i].bytes != 0;
	}
	return breakpoints <= GUEST_BREAKPOINT_COUNT && watchpoints <= GUEST_WATCHPOINT_COUNT;
}

static size_t watchpoints_take(const struct hv_debug_point *points, size_t count,
			       struct hv_debug_point taken[GUEST_WATCHPOINT_COUNT])
{
	size_t taken_count = 0;
	for (size_t i = 0; i < count && taken_count < GUEST_WATCHPOINT_COUNT; i++) {
		if (points[i].bytes != 0)
			taken[taken_count++] = points[i];
	}
	return taken_count;
}

/* Those of interrupts, so that one is seen before its handler has begun, if there is room. Answers the new count. */
static size_t vectors_add(const struct timeline *t, struct hv_debug_point *armed, size_t count)
{
	uint64_t vectors[EXCEPTION_VECTORS];
	size_t added = count;
	exceptions_vectors(vcpu_here(t), vectors);
	for (size_t i = EXCEPTION_IRQ; i < EXCEPTION_VECTORS; i++) {
		if (vectors[i] != vcpu_here(t)->pc)
			armed[added++] = (struct hv_debug_point){.address = vectors[i]};
	}
	return diversion_points_fit(t, armed, added) ? added : count;
}

enum engine_stop diversion_step(struct timeline *t, bool watch, const struct hv_debug_point *points, size_t count,
				uint64_t *address, struct error *error)
{
	struct hv_debug_point armed[GUEST_WATCHPOINT_COUNT + EXCLUSIVE_EXITS_MAX + EXCEPTION_VECTORS];
	uint64_t exits[EXCLUSIVE_EXITS_MAX], until_n = timeline_n(t) + 1;
	size_t armed_count = watch ? watchpoints_take(points, count, armed) : 0;
	size_t exit_count = exclusive_exits(timeline_memory(t), vcpu_here(t), exits);
	for (size_t i = 0; i < exit_count; i++)
		armed[armed_count + i] = (struct hv_debug_point){.address = exits[i]};
	if (exit_count > 0 && diversion_points_fit(t, armed, armed_count + exit_count)) {
		armed_count += exit_count;
		until_n += SEQUENCE_INSNS_MAX;
	}
	armed_count = vectors_add(t, armed, armed_count);
	enum engine_stop stop = engine_run_diverted(t->engine, until_n, armed, armed_count, address, error);
	bool interrupted = stop == ENGINE_BREAKPOINT && exceptions_is_asynchronous(vcpu_here(t), *address);
	return stop == ENGINE_BREAKPOINT && !interrupted ? ENGINE_UNTIL : stop;
}

static bool is_breakpoint_here(const struct timeline *t, const struct hv_debug_point *points, size_t count,
			       uint64_t *address)
{
	*address = vcpu_here(t)->pc;
	for (size_t i = 0; i < count; i++) {
		if (points[i].bytes == 0 && points[i].address == *address)
			return true;
	}
	return false;
}

enum engine_stop diversion_continue(struct timeline *t, bool pass, bool skip_access,
				    const struct hv_debug_point *points, size_t count, uint64_t *address,
				    struct error *error)
{
	if (skip_access || (pass && is_breakpoint_here(t, points, count, address))) {
		enum engine_stop stop = diversion_step(t, !skip_access, points, count, address, error);
		if (stop != ENGINE_UNTIL)
			return stop;
		if (is_breakpoint_here(t, points, count, address))
			return ENGINE_BREAKPOINT;
	}
	return engine_run_diverted(t->engine, UINT64_MAX, points, count, address, error);
}

bool diversion_leave(struct timeline *t, struct error *error)
{
	return !diversion_is_on(t) || timeline_return(t, t->diversion.origin, error);
}
