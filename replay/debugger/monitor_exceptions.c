/* next and prev with an exception that the guest takes at EL1: the place is its vector, where the syndrome shows it.
 *
 * They are found by breakpoints on the vectors, those of now and those that the guest had at any of the checkpoints: a
 * kernel with page table isolation has two tables. One that only stood between checkpoints is not known. */
#include "hv/abi/esr.h"
#include "hv/abi/pstate.h"
#include "replay/debugger/monitor_session.h"
#include "replay/guest/exceptions.h"
#include "replay/trace/numbers.h"
#include "replay/travel/travel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TABLES_MAX = 4, LEVELS = 4, POINTS_MAX = TABLES_MAX * LEVELS * EXCEPTION_VECTORS };
enum { LEVEL_BYTES = VECTOR_BYTES * EXCEPTION_VECTORS };

#define EC(esr)     FIELD_GET(esr, ESR_EC)
#define ALL_CLASSES UINT64_MAX

/* ESR_EL1.EC (Arm ARM D17.2.37). */
static const struct {
	uint32_t class;
	const char *text;
} classes[] = {
	{0x00, "undefined instruction"},
	{0x07, "trapped floating-point instruction"},
	{0x0e, "illegal execution state"},
	{0x11, "SVC"},
	{0x15, "SVC"},
	{0x18, "trapped system instruction"},
	{0x20, "instruction abort"},
	{0x21, "instruction abort"},
	{0x22, "PC alignment fault"},
	{0x24, "data abort"},
	{0x25, "data abort"},
	{0x26, "SP alignment fault"},
	{0x28, "floating-point exception"},
	{0x2c, "floating-point exception"},
	{0x30, "breakpoint"},
	{0x31, "breakpoint"},
	{0x32, "software step"},
	{0x33, "software step"},
	{0x34, "watchpoint"},
	{0x35, "watchpoint"},
	{0x38, "BKPT"},
	{0x3c, "BRK"},
};

static const struct kind {
	const char *word;
	uint32_t vectors; /* a bit for each of enum exception's */
	uint64_t classes; /* a bit for each ESR_EL1.EC, where the vector is the synchronous one */
} kinds[] = {
	{"fault", BIT(EXCEPTION_SYNCHRONOUS), BIT(0x20) | BIT(0x21) | BIT(0x22) | BIT(0x24) | BIT(0x25) | BIT(0x26)},
	{"svc", BIT(EXCEPTION_SYNCHRONOUS), BIT(0x11) | BIT(0x15)},
	{"undefined", BIT(EXCEPTION_SYNCHRONOUS), BIT(0x00) | BIT(0x0e) | BIT(0x18)},
	{"fp", BIT(EXCEPTION_SYNCHRONOUS), BIT(0x07) | BIT(0x28) | BIT(0x2c)},
	{"brk", BIT(EXCEPTION_SYNCHRONOUS), BIT(0x38) | BIT(0x3c)},
	{"debug", BIT(EXCEPTION_SYNCHRONOUS), BIT(0x30) | BIT(0x31) | BIT(0x32) | BIT(0x33) | BIT(0x34) | BIT(0x35)},
	{"irq", BIT(EXCEPTION_IRQ), ALL_CLASSES},
	{"fiq", BIT(EXCEPTION_FIQ), ALL_CLASSES},
	{"serror", BIT(EXCEPTION_SERROR), ALL_CLASSES},
	{"", BIT(EXCEPTION_VECTORS) - 1, ALL_CLASSES},
};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

/* Vectors of the wanted kind, as breakpoints, and the tables that they are of. */
struct vectors {
	struct hv_debug_point at[POINTS_MAX];
	size_t count;
	uint64_t tables[TABLES_MAX];
	size_t table_count;
};

static void add_table(struct vectors *vectors, const struct kind *kind, uint64_t table)
{
	for (size_t i = 0; i < vectors->table_count; i++) {
		if (vectors->tables[i] == table)
			return;
	}
	if (vectors->table_count == TABLES_MAX)
		return;
	vectors->tables[vectors->table_count++] = table;
	for (uint64_t level = 0; level < LEVELS; level++) {
		for (uint64_t vector = 0; vector < EXCEPTION_VECTORS; vector++) {
			if (kind->vectors & BIT(vector))
				vectors->at[vectors->count++] = (struct hv_debug_point){
					.address = table + level * LEVEL_BYTES + vector * VECTOR_BYTES};
		}
	}
}

/* Of all vCPUs: each has its own VBAR_EL1. One that has never run has none. */
static void add_tables(struct vectors *vectors, const struct kind *kind, const struct guest_state *state)
{
	for (uint32_t i = 0; i < state->vcpu_count; i++) {
		if (state->vcpu[i].power == VCPU_ON)
			add_table(vectors, kind, state->vcpu[i].vbar_el1);
	}
}

/* The tables that are nearest to here first. */
static void find_vectors(const struct monitor *monitor, const struct kind *kind, bool forwards, struct vectors *vectors)
{
	const struct checkpoints *all = timeline_checkpoints(monitor->timeline);
	size_t here = checkpoints_before(all, timeline_n(monitor->timeline));
	add_table(vectors, kind, timeline_vcpu(monitor->timeline)->vbar_el1);
	add_tables(vectors, kind, timeline_state(monitor->timeline));
	for (size_t i = 0; i < all->count; i++) {
		size_t index = forwards ? (here + i) % all->count : (here + all->count - i) % all->count;
		add_tables(vectors, kind, all->at[index].state);
	}
}

static bool is_wanted(const struct kind *kind, const struct vcpu_state *vcpu)
{
	return exceptions_is_asynchronous(vcpu, vcpu->pc) || kind->classes & BIT(EC(vcpu->esr_el1));
}

static const char *class_text(uint64_t esr)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (classes[i].class == EC(esr))
			return classes[i].text;
	}
	return "exception";
}

static bool print_exception(const struct monitor *monitor)
{
	static const char *const interrupts[EXCEPTION_VECTORS] = {
		[EXCEPTION_IRQ] = "IRQ", [EXCEPTION_FIQ] = "FIQ", [EXCEPTION_SERROR] = "SError"};
	const struct vcpu_state *vcpu = timeline_vcpu(monitor->timeline);
	uint64_t vector = (vcpu->pc - vcpu->vbar_el1) / VECTOR_BYTES % EXCEPTION_VECTORS;
	unsigned level = vcpu->spsr_el1 >> 2 & 3;
	if (vector != EXCEPTION_SYNCHRONOUS)
		monitor_print(monitor, "%s taken from EL%u at pc %#" PRIx64 "\n", interrupts[vector], level,
			      vcpu->elr_el1);
	else
		monitor_print(monitor,
			      "%s taken from EL%u at pc %#" PRIx64 ", ESR_EL1 %#" PRIx64 ", FAR_EL1 %#" PRIx64 "\n",
			      class_text(vcpu->esr_el1), level, vcpu->elr_el1, vcpu->esr_el1, vcpu->far_el1);
	return true;
}

static enum stop_kind search_vectors(struct monitor *monitor, const struct kind *kind, const struct search *search,
				     struct error *error)
{
	enum stop_kind kind_found;
	do
		kind_found = travel_continue(monitor->timeline, search, error).kind;
	while (kind_found == STOP_BREAKPOINT && !is_wanted(kind, timeline_vcpu(monitor->timeline)));
	return kind_found;
}

/* STOP_BREAKPOINT: the timeline is at the vector of a wanted one. A search that found none may have come to tables that
 * were not known before. */
static enum stop_kind search(struct monitor *monitor, const struct kind *kind, bool forwards, struct error *error)
{
	struct timeline_place origin = timeline_place(monitor->timeline);
	struct vectors vectors = {.count = 0};
	enum stop_kind none = forwards ? STOP_END : STOP_BEGIN;
	for (;;) {
		size_t known = vectors.table_count;
		find_vectors(monitor, kind, forwards, &vectors);
		if (known > 0 && vectors.table_count == known)
			return none;
		if (known > 0 && !timeline_return(monitor->timeline, origin, error))
			return STOP_FAILED;
		const struct search search = {.points = {vectors.at, vectors.count, NULL}, .reverse = !forwards};
		enum stop_kind found = search_vectors(monitor, kind, &search, error);
		if (found != none)
			return found;
	}
}

bool monitor_exceptions_go(struct monitor *monitor, const char *argument, bool forwards)
{
	struct error error = {.status = STATUS_OK};
	struct timeline_place origin = timeline_place(monitor->timeline);
	const struct kind *kind = NULL;
	for (size_t i = 0; i < KIND_COUNT; i++) {
		if (strcmp(argument, kinds[i].word) == 0)
			kind = &kinds[i];
	}
	if (!kind)
		return monitor_fail(monitor, "%s is not fault, svc, undefined, fp, brk, debug, irq, fiq or serror\n",
				    argument);
	enum stop_kind found = search(monitor, kind, forwards, &error);
	if (found == STOP_BREAKPOINT && print_exception(monitor) && monitor_place_when(monitor, ""))
		return true;
	monitor_place_return(monitor, origin);
	if (found == STOP_INTERRUPTED)
		return monitor_fail(monitor, "interrupted\n");
	if (found == STOP_FAILED)
		return monitor_fail(monitor, "%s\n", error.text);
	return monitor_fail(monitor, "there is none %s here\n", forwards ? "after" : "before");
}
