/* What checkpoints cost: checkpoint_cost TRACE START, for tests/bench/bench-gdb, which fits lines through its output.
 *
 * From START on it goes forward by ever longer stretches, from one place where the recording stopped by itself to the
 * next. At each it prints two lines, `OPERATION PAGES NANOSECONDS`, each the least of several turns:
 * - restore: going back to the checkpoint at the stretch's start, with so many pages written since;
 * - take: keeping so many written pages, and forgetting that they are written, as the timeline does. */
#include "replay/travel/checkpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TURNS = 5, STRETCHES = 16 };
#define STRETCH_FIRST_INSNS UINT64_C(100000)

struct cost {
	struct engine *engine;
	struct checkpoints checkpoints;
	size_t base;
	struct error error;
};

static uint64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* The first asynchronous exit of the recording at or after `n`, where a guest can stop unnoticed; 0: none. */
static uint64_t exit_after(struct cost *cost, uint64_t n)
{
	struct events *events = engine_events(cost->engine);
	for (uint64_t i = events_find(events, n, &cost->error); i < events_count(events); i++) {
		const struct event *event = events_get(events, i, &cost->error);
		if (!event)
			return 0;
		if (event->kind == EVENT_EXIT)
			return event->n;
	}
	return 0;
}

static bool run_to(struct cost *cost, uint64_t n)
{
	return engine_run(cost->engine, &(struct engine_order){.until_n = n}, &cost->error).kind == STOP_NONE;
}

static bool restore(struct cost *cost)
{
	return checkpoints_restore(&cost->checkpoints, cost->engine, cost->base, cost->base, &cost->error);
}

static bool take(struct cost *cost)
{
	size_t taken = checkpoints_take(&cost->checkpoints, cost->engine, cost->base, engine_state(cost->engine)->n,
					&cost->error);
	if (taken == SIZE_MAX)
		return false;
	cost->base = taken;
	return restore(cost);
}

static size_t written_count(const struct engine *engine)
{
	uint64_t words = engine_page_set_words(engine);
	uint64_t *set = malloc(words * sizeof(*set));
	size_t count = 0;
	if (!set)
		return 0;
	engine_pages_written(engine, set);
	for (uint64_t i = 0; i < words; i++)
		count += (size_t)__builtin_popcountll(set[i]);
	free(set);
	return count;
}

/* One stretch, from the newest checkpoint to a new one at `end`. */
static bool measure(struct cost *cost, uint64_t end)
{
	uint64_t restore_ns = UINT64_MAX, take_ns = UINT64_MAX;
	size_t pages = 0;
	for (int turn = 0; turn < TURNS; turn++) {
		if (!run_to(cost, end))
			return false;
		pages = written_count(cost->engine);
		uint64_t start_ns = now_ns();
		if (!restore(cost))
			return false;
		uint64_t ns = now_ns() - start_ns;
		restore_ns = ns < restore_ns ? ns : restore_ns;
	}
	for (int turn = 0; turn < TURNS; turn++) {
		size_t before = cost->base;
		if (!run_to(cost, end))
			return false;
		uint64_t start_ns = now_ns();
		if (!take(cost))
			return false;
		uint64_t ns = now_ns() - start_ns;
		take_ns = ns < take_ns ? ns : take_ns;
		if (turn + 1 == TURNS)
			break;
		if (!checkpoints_restore(&cost->checkpoints, cost->engine, cost->base, before, &cost->error))
			return false;
		checkpoints_drop(&cost->checkpoints, cost->base);
		cost->base = before;
	}
	printf("restore %zu %llu\ntake %zu %llu\n", pages, (unsigned long long)restore_ns, pages,
	       (unsigned long long)take_ns);
	return true;
}

/* Goes to the keyframe before `start`, and forgets those behind it: checkpoints are what is measured. */
static bool begin(struct cost *cost, uint64_t start)
{
	struct checkpoints *checkpoints = &cost->checkpoints;
	if (!checkpoints_open(checkpoints, cost->engine, start, &cost->error))
		return false;
	cost->base = checkpoints_before(checkpoints, start);
	while (checkpoints->count > cost->base + 1)
		checkpoints_drop(checkpoints, checkpoints->count - 1);
	return checkpoints_restore(checkpoints, cost->engine, 0, cost->base, &cost->error);
}

static bool measure_all(struct cost *cost, uint64_t start)
{
	uint64_t here = exit_after(cost, start), stretch = STRETCH_FIRST_INSNS;
	if (here == 0 || !begin(cost, start) || !run_to(cost, here) || !take(cost))
		return false;
	for (int i = 0; i < STRETCHES; i++) {
		uint64_t end = exit_after(cost, here + stretch);
		if (end == 0)
			break;
		if (!measure(cost, end))
			return false;
		here = end;
		stretch += stretch / 2;
	}
	return true;
}

int main(int count, char **arguments)
{
	struct cost cost = {.error = {.status = STATUS_OK}};
	if (count != 3) {
		fprintf(stderr, "usage: checkpoint_cost TRACE START\n");
		return 1;
	}
	cost.engine = engine_open(arguments[1], 0, NULL, &cost.error);
	bool done = cost.engine && measure_all(&cost, strtoull(arguments[2], NULL, 10));
	checkpoints_free(&cost.checkpoints);
	engine_close(cost.engine);
	if (!done)
		fprintf(stderr, "checkpoint_cost: %s\n",
			cost.error.status != STATUS_OK ? cost.error.text : "the trace is too short");
	return done ? 0 : 1;
}
