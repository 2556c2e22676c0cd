/* Whose turn it is, against a list that says of each position who executes there. */
#include "replay/trace/turns.h"
#include "tests/unit/trace_fixture.h"

enum { VCPUS = 4, LENGTH = 400, EVENTS_MAX = 400, ROUNDS = 40 };

/* A guest whose events are drawn at random: several turns may change at one position, and others have no event. */
static struct drawn {
	uint64_t random;
	uint32_t executes[LENGTH]; /* at each position before `end_n` */
	struct event events[EVENTS_MAX];
	uint64_t count, end_n;
	uint32_t first_vcpu;
} drawn;

static uint32_t draw(uint32_t below)
{
	drawn.random = drawn.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(drawn.random >> 33) % below;
}

static void event_add(uint64_t n, uint32_t vcpu, enum event_kind kind, uint64_t address)
{
	cr_assert(drawn.count < EVENTS_MAX);
	drawn.events[drawn.count++] = (struct event){.n = n,
						     .pc = 0x40080000,
						     .address = address,
						     .value = SWITCH_REASON_SLICE,
						     .kind = (uint16_t)kind,
						     .vcpu = (uint8_t)vcpu};
}

static uint32_t turn_add(uint64_t n, uint32_t vcpu)
{
	uint32_t to = (vcpu + 1 + draw(VCPUS - 1)) % VCPUS;
	event_add(n, vcpu, EVENT_SWITCH, to);
	return to;
}

static void record(uint64_t seed)
{
	struct error error = {0};
	drawn = (struct drawn){.random = seed, .end_n = LENGTH / 2};
	uint32_t vcpu = drawn.first_vcpu = draw(VCPUS);
	for (uint64_t n = 0; n < drawn.end_n; n++) {
		if (draw(4) == 0)
			event_add(n, vcpu, EVENT_EXIT, EXIT_REASON_ALARM);
		if (draw(6) == 0)
			vcpu = turn_add(n, vcpu);
		if (draw(30) == 0)
			vcpu = turn_add(n, vcpu);
		if (draw(3) == 0)
			event_add(n, vcpu, EVENT_SYSREG_WRITE, 1);
		drawn.executes[n] = vcpu;
	}
	event_add(drawn.end_n, vcpu, EVENT_END, END_REASON_POWER_OFF);
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w && trace_append(w, drawn.events, drawn.count, &error) && trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
}

static uint64_t next_of(uint64_t n, uint32_t vcpu)
{
	for (; n < drawn.end_n; n++) {
		if (drawn.executes[n] == vcpu)
			return n;
	}
	return UINT64_MAX;
}

static uint64_t last_of(uint64_t n, uint64_t start_n, uint32_t vcpu)
{
	while (n-- > start_n) {
		if (drawn.executes[n] == vcpu)
			return n;
	}
	return UINT64_MAX;
}

static void expect_turns(struct events *events, struct turns_place place)
{
	struct error error = {0};
	uint64_t n, start_n = draw(2) == 0 ? 0 : draw((uint32_t)drawn.end_n);
	if (place.n < drawn.end_n)
		cr_expect_eq(turns_here(events, place), drawn.executes[place.n], "at %zu", (size_t)place.n);
	if (place.n > 0)
		cr_expect_eq(turns_before(events, place), drawn.executes[place.n - 1], "before %zu", (size_t)place.n);
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++) {
		cr_assert(turns_next(events, place, vcpu, &n, &error));
		cr_expect_eq(n, next_of(place.n, vcpu), "next of %u from %zu: %zu", vcpu, (size_t)place.n, (size_t)n);
		cr_assert(turns_last(events, place, vcpu, start_n, &n, &error));
		cr_expect_eq(n, last_of(place.n, start_n, vcpu), "last of %u before %zu: %zu", vcpu, (size_t)place.n,
			     (size_t)n);
	}
}

/* A view may stand anywhere among the events of its position that are no traps of the instruction there. */
static void expect_every_place(struct events *events)
{
	uint64_t next = 0;
	uint32_t vcpu = drawn.first_vcpu;
	for (uint64_t n = 0; n <= drawn.end_n; n++) {
		for (; next < drawn.count && drawn.events[next].n == n; next++) {
			bool is_trap = drawn.events[next].kind == EVENT_SYSREG_WRITE;
			expect_turns(events, (struct turns_place){n, next, vcpu});
			if (drawn.events[next].kind == EVENT_SWITCH)
				vcpu = (uint32_t)drawn.events[next].address;
			if (is_trap || n == drawn.end_n)
				continue;
			expect_turns(events, (struct turns_place){n, next + 1, vcpu});
		}
		if (n < drawn.end_n)
			expect_turns(events, (struct turns_place){n, next, vcpu});
	}
}

TestSuite(turns, .init = fixture_setup, .fini = fixture_teardown);

Test(turns, every_position_is_executed_by_whom_the_switches_say)
{
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		struct error error = {0};
		record(seed);
		struct trace_reader *trace = trace_open(path, &error);
		struct events *events = trace ? events_open(trace, &error) : NULL;
		cr_assert(events, "%s", error.text);
		expect_every_place(events);
		events_close(events);
		trace_close(trace);
		cr_assert_eq(remove(path), 0);
	}
}

/* A trace that starts in the middle: nobody has executed anything before. */
Test(turns, nobody_has_a_turn_before_the_start)
{
	struct error error = {0};
	uint64_t n;
	record(7);
	struct trace_reader *trace = trace_open(path, &error);
	struct events *events = trace ? events_open(trace, &error) : NULL;
	cr_assert(events, "%s", error.text);
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++) {
		cr_assert(turns_last(events, (struct turns_place){0, 0, drawn.first_vcpu}, vcpu, 0, &n, &error));
		cr_expect_eq(n, UINT64_MAX);
	}
	events_close(events);
	trace_close(trace);
}
