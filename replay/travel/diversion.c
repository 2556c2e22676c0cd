/* A diversion's writes, its runs, and the way back. */
#include "replay/travel/diversion.h"
#include "hv/abi/pstate.h"
#include "replay/guest/exceptions.h"
#include "replay/guest/exclusive.h"
#include "replay/travel/search.h"

#include <string.h>

/* How far a step follows an exclusive sequence, should an interrupt come in between. */
enum { SEQUENCE_INSNS_MAX = 4096 };
/* How far below the stack pointer gdb may push. */
enum { PUSHED_BYTES_MAX = 1 << 16 };

#define DBGCR_E UINT64_C(1)

bool diversion_is_on(const struct timeline *t)
{
	return engine_is_diverted(t->engine);
}

struct timeline_place diversion_origin(const struct timeline *t)
{
	return t->diversion.origin;
}

/* A call is of one vCPU: who writes to two of them keeps what he wrote. */
static void begin(struct timeline *t, uint32_t vcpu, bool keep)
{
	if (!diversion_is_on(t)) {
		t->diversion = (struct timeline_diversion){.origin = timeline_place(t), .vcpu_index = vcpu};
		t->diversion.vcpu = timeline_state(t)->vcpu[vcpu];
	}
	t->diversion.is_kept |= keep || vcpu != t->diversion.vcpu_index;
}

/* The vCPU that a call would be of. */
static const struct vcpu_state *called(const struct timeline *t)
{
	return &timeline_state(t)->vcpu[t->diversion.vcpu_index];
}

void diversion_begin(struct timeline *t)
{
	begin(t, diversion_is_on(t) ? t->diversion.vcpu_index : timeline_vcpu_index(t), true);
	if (!diversion_is_on(t))
		engine_change(t->engine);
}

bool diversion_is_call(const struct timeline *t)
{
	const struct vcpu_state *now = called(t), *before = &t->diversion.vcpu;
	return !t->diversion.is_kept && now->pc != before->pc && now->x[30] != before->x[30];
}

/* Of the registers that a function may change. */
bool diversion_is_over(const struct timeline *t)
{
	const struct vcpu_state *now = called(t), *before = &t->diversion.vcpu;
	return diversion_is_on(t) && !t->diversion.is_kept && memcmp(now->x, before->x, sizeof(now->x)) == 0 &&
	       now->pc == before->pc && now->pstate == before->pstate && now->sp_el0 == before->sp_el0 &&
	       now->sp_el1 == before->sp_el1 && memcmp(now->v, before->v, sizeof(now->v)) == 0 &&
	       now->fpcr == before->fpcr && now->fpsr == before->fpsr;
}

bool diversion_tell(struct timeline *t)
{
	bool tell = diversion_is_on(t) && !t->diversion.is_said;
	t->diversion.is_said = true;
	return tell;
}

/* Below the vCPU's stack pointer of before, where gdb pushes what a function is called with. */
static bool is_pushed(const struct timeline *t, uint32_t index, va_t va)
{
	bool of_call = diversion_is_on(t) && index == t->diversion.vcpu_index;
	const struct vcpu_state *vcpu = of_call ? &t->diversion.vcpu : &timeline_state(t)->vcpu[index];
	uint64_t sp = vcpu->pstate & PSTATE_SP ? vcpu->sp_el1 : vcpu->sp_el0;
	return sp - va.v - 1 < PUSHED_BYTES_MAX;
}

void diversion_registers_write(struct timeline *t, uint32_t vcpu, const struct vcpu_state *changed, bool of_call)
{
	const struct vcpu_state *now = &timeline_state(t)->vcpu[vcpu];
	if (memcmp(changed, now, sizeof(*now)) == 0)
		return;
	begin(t, vcpu, !of_call);
	engine_change(t->engine)->vcpu[vcpu] = *changed;
}

/* Who writes, and whether a call of gdb's may. */
struct writer {
	uint32_t vcpu;
	bool of_call;
};

static bool memory_write(struct timeline *t, struct writer writer, ipa_t ipa, const void *bytes, size_t count,
			 struct error *error)
{
	struct guest_memory memory = timeline_memory(t);
	uint64_t offset;
	if (!guest_memory_offset(memory, ipa, count, &offset))
		return false;
	if (memcmp(memory.ram + offset, bytes, count) == 0)
		return true;
	begin(t, writer.vcpu, !writer.of_call);
	return engine_write(t->engine, offset, bytes, count, error);
}

bool diversion_memory_write(struct timeline *t, uint32_t vcpu, va_t va, const void *bytes, size_t count,
			    struct error *error)
{
	ipa_t ipa;
	return guest_memory_translate(timeline_memory(t), &timeline_state(t)->vcpu[vcpu], va, &ipa) &&
	       memory_write(t, (struct writer){vcpu, is_pushed(t, vcpu, va)}, ipa, bytes, count, error);
}

bool diversion_physical_write(struct timeline *t, ipa_t ipa, const void *bytes, size_t count, struct error *error)
{
	return memory_write(t, (struct writer){timeline_vcpu_index(t), false}, ipa, bytes, count, error);
}

static size_t used_count(const uint64_t control[], size_t count)
{
	size_t used = 0;
	for (size_t i = 0; i < count; i++)
		used += control[i] & DBGCR_E;
	return used;
}

bool diversion_points_fit(const struct timeline *t, struct points points)
{
	const struct vcpu_state *vcpu = timeline_vcpu(t);
	size_t breakpoints = used_count(vcpu->dbgbcr, GUEST_BREAKPOINT_COUNT);
	size_t watchpoints = used_count(vcpu->dbgwcr, GUEST_WATCHPOINT_COUNT);
	for (size_t i = 0; i < points.count; i++) {
		breakpoints += points.at[i].bytes == 0;
		watchpoints += points.at[i].bytes != 0;
	}
	return breakpoints <= GUEST_BREAKPOINT_COUNT && watchpoints <= GUEST_WATCHPOINT_COUNT;
}

/* What a step is run with: watchpoints, ends of an exclusive sequence, and vectors. */
struct armed {
	struct hv_debug_point at[GUEST_WATCHPOINT_COUNT + EXCLUSIVE_EXITS_MAX + EXCEPTION_VECTORS];
	size_t count;
	const uint8_t *conditions;
};

static struct points armed_view(const struct armed *armed)
{
	return (struct points){armed->at, armed->count, armed->conditions};
}

static void watchpoints_add(struct armed *armed, struct points points)
{
	for (size_t i = 0; i < points.count && armed->count < GUEST_WATCHPOINT_COUNT; i++) {
		if (points.at[i].bytes != 0)
			armed->at[armed->count++] = points.at[i];
	}
}

/* Adds breakpoints, if there is room for all of them beside what is there. */
static bool breakpoints_add(const struct timeline *t, struct armed *armed, const uint64_t *addresses, size_t count)
{
	size_t before = armed->count;
	for (size_t i = 0; i < count; i++)
		armed->at[armed->count++] = (struct hv_debug_point){.address = addresses[i]};
	if (diversion_points_fit(t, armed_view(armed)))
		return true;
	armed->count = before;
	return false;
}

/* Those of interrupts, so that one is seen before its handler has begun. */
static void vectors_add(const struct timeline *t, struct armed *armed)
{
	uint64_t vectors[EXCEPTION_VECTORS], wanted[EXCEPTION_VECTORS];
	size_t count = 0;
	exceptions_vectors(timeline_vcpu(t), vectors);
	for (size_t i = EXCEPTION_IRQ; i < EXCEPTION_VECTORS; i++) {
		if (vectors[i] != timeline_vcpu(t)->pc)
			wanted[count++] = vectors[i];
	}
	breakpoints_add(t, armed, wanted, count);
}

struct stop diversion_step(struct timeline *t, const struct search *search, struct error *error)
{
	struct armed armed = {.conditions = search->points.conditions};
	uint64_t exits[EXCLUSIVE_EXITS_MAX], until_n = timeline_n(t) + 1;
	if (!search->skip_access)
		watchpoints_add(&armed, search->points);
	size_t exit_count = exclusive_exits(timeline_memory(t), timeline_vcpu(t), exits);
	if (exit_count > 0 && breakpoints_add(t, &armed, exits, exit_count))
		until_n += SEQUENCE_INSNS_MAX;
	vectors_add(t, &armed);
	const struct engine_order order = {.until_n = until_n, .points = armed_view(&armed), .can_be_woken = true};
	struct stop stop = engine_run_diverted(t->engine, &order, error);
	bool interrupted = stop.kind == STOP_BREAKPOINT && exceptions_is_asynchronous(timeline_vcpu(t), stop.address);
	bool done = stop.kind == STOP_NONE || (stop.kind == STOP_BREAKPOINT && !interrupted);
	return done ? (struct stop){STOP_STEPPED, 0} : stop;
}

struct stop diversion_continue(struct timeline *t, const struct search *search, bool pass, struct error *error)
{
	bool here = search_breakpoint_here(t, search->points).kind == STOP_BREAKPOINT;
	if (search->skip_access || (pass && here)) {
		struct stop stop = diversion_step(t, search, error);
		if (stop.kind != STOP_STEPPED)
			return stop;
		stop = search_breakpoint_here(t, search->points);
		if (stop.kind == STOP_BREAKPOINT)
			return stop;
	}
	const struct engine_order order = {.until_n = UINT64_MAX, .points = search->points, .can_be_woken = true};
	return engine_run_diverted(t->engine, &order, error);
}

bool diversion_leave(struct timeline *t, struct error *error)
{
	return !diversion_is_on(t) || timeline_return(t, t->diversion.origin, error);
}
