/* A diversion's writes, its runs, and the way back. */
#include "replay/diversion.h"
#include "replay/exceptions.h"
#include "replay/exclusive.h"
#include "replay/guest_memory.h"
#include "replay/target_registers.h"
#include "replay/timeline_state.h"

#include <string.h>

/* How far a step follows an exclusive sequence, should an interrupt come in between. */
enum { SEQUENCE_INSNS_MAX = 4096 };

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

uint64_t diversion_origin_n(const struct timeline *t)
{
	return t->origin.n;
}

static void begin(struct timeline *t)
{
	if (!diversion_is_on(t))
		t->origin = timeline_place(t);
}

bool diversion_register_write(struct timeline *t, uint32_t vcpu, uint32_t number, const struct target_value *value)
{
	const struct vcpu_state *now = &timeline_state(t)->vcpu[vcpu % GUEST_VCPU_MAX];
	struct vcpu_state changed = *now;
	if (!target_registers_write(&changed, number, value))
		return false;
	if (memcmp(&changed, now, sizeof(changed)) == 0)
		return true;
	begin(t);
	engine_change(t->engine)->vcpu[vcpu % GUEST_VCPU_MAX] = changed;
	return true;
}

bool diversion_memory_write(struct timeline *t, uint32_t vcpu, struct target_address address, const void *bytes,
			    size_t count, struct error *error)
{
	ipa_t ipa = {address.v};
	uint64_t offset;
	if (address.space == TARGET_VIRTUAL &&
	    !guest_memory_translate(t->engine, &timeline_state(t)->vcpu[vcpu % GUEST_VCPU_MAX], (va_t){address.v},
				    &ipa))
		return false;
	if (!guest_memory_offset(t->engine, ipa, count, &offset))
		return false;
	if (memcmp(t->engine->machine->guest_ram + offset, bytes, count) == 0)
		return true;
	begin(t);
	return engine_write(t->engine, offset, bytes, count, error);
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
	size_t exit_count = exclusive_exits(t->engine, vcpu_here(t), exits);
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
	return !diversion_is_on(t) || timeline_return(t, t->origin, error);
}
