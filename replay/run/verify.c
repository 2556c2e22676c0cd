/* Workers take the intervals in order, each with a machine of its own. From the end of one interval, where RAM was
 * compared, a worker goes to the start of its next by the pages that were written between. */
#include "replay/run/verify.h"
#include "hv/host/session.h"
#include "hv/host/state_hash.h"
#include "replay/run/engine_state.h"
#include "replay/run/guest.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOAD_PAGES = 256 };

/* What the workers share. */
struct verifying {
	const struct verify_options *options;
	pthread_mutex_t mutex;
	struct trace_keyframe *rows;
	size_t row_count;
	bool starts_at_keyframe;
	size_t next, done, count; /* intervals */
	size_t failed_first;      /* SIZE_MAX: none */
	struct error error;       /* of that one */
	struct verify_result result;
	int signal_fd; /* a signal ends it */
	bool shown;    /* progress, on a terminal */
};

bool verify_final_state(const struct engine *engine, struct error *error)
{
	char hash[STATE_HASH_TEXT_BYTES] = "", *recorded = NULL;
	enum trace_found found = trace_get_text(engine->trace, TRACE_META_FINAL_STATE_HASH, &recorded, error);
	if (found != TRACE_FOUND) /* incomplete, or trimmed */
		return found == TRACE_ABSENT;
	bool ended = engine->machine->mailbox->end_reason != 0;
	bool same =
		ended && state_hash(engine->machine, engine_state(engine), hash, error) && strcmp(recorded, hash) == 0;
	free(recorded);
	if (!ended)
		error_set(error, STATUS_DIVERGED, "divergence: the guest does not end where the recording does");
	return same || error_set(error, STATUS_DIVERGED,
				 "divergence: every event agreed, but the final state hash is %s and was another in "
				 "the recording%s",
				 hash, guest_fingerprint_hint(engine->machine));
}

/* ---- comparing with a keyframe ---- */

struct comparing {
	const struct engine *engine;
	uint64_t differs; /* the first page that does; UINT64_MAX: none */
};

static bool page_compare(const struct keyframe_page *page, const uint8_t *bytes, void *context)
{
	struct comparing *comparing = context;
	if (memcmp(engine_page(comparing->engine, page->index), bytes, TRACE_PAGE_BYTES) == 0)
		return true;
	comparing->differs = page->index;
	return false;
}

/* A copy of the keyframe's list of pages. */
static struct keyframe_page *pages_copy(const struct keyframe *keyframe)
{
	struct keyframe_page *pages = malloc((keyframe->page_count + 1) * sizeof(*pages));
	if (pages && keyframe->page_count > 0)
		memcpy(pages, keyframe->pages, keyframe->page_count * sizeof(*pages));
	return pages;
}

static bool keyframe_agrees(struct engine *engine, size_t keyframe, struct error *error)
{
	const struct keyframe *at = &engine->keyframes.at[keyframe];
	struct comparing comparing = {engine, UINT64_MAX};
	struct guest_state *state = malloc(sizeof(*state));
	struct keyframe_page *pages = pages_copy(at);
	bool good = state && pages && keyframe_index_state(&engine->keyframes, keyframe, state, error);
	if (good && (memcmp(state, engine_state(engine), sizeof(*state)) != 0 ||
		     engine_next_event(engine) != at->row.next_event))
		good = error_set(error, STATUS_DIVERGED,
				 "divergence: every event agreed, but at the keyframe at instruction %llu the guest's "
				 "registers or devices are not what they were",
				 (unsigned long long)at->row.n);
	good = good && keyframe_index_pages(&engine->keyframes, pages, at->page_count, page_compare, &comparing, error);
	if (comparing.differs != UINT64_MAX)
		error_set(
			error, STATUS_DIVERGED,
			"divergence: every event agreed, but at the keyframe at instruction %llu the page at %#llx of "
			"RAM is not what it was%s",
			(unsigned long long)at->row.n,
			(unsigned long long)(GUEST_RAM_IPA + comparing.differs * TRACE_PAGE_BYTES),
			guest_fingerprint_hint(engine->machine));
	free(state);
	free(pages);
	return good || error_set(error, STATUS_FAILED, "out of memory");
}

/* ---- intervals: 0 is from the start to the first keyframe after it ---- */

/* The keyframe that the interval starts at; SIZE_MAX: the trace's beginning. */
static size_t interval_start(const struct verifying *v, size_t interval)
{
	return v->starts_at_keyframe ? interval : interval - 1;
}

/* Pages on their way into the machine. */
struct loading {
	struct engine *engine;
	const struct guest_state *state;
	uint64_t next_event;
	struct error *error;
	size_t count;
	struct engine_page pages[LOAD_PAGES];
	uint8_t bytes[LOAD_PAGES * TRACE_PAGE_BYTES];
};

static bool pages_load(struct loading *loading)
{
	size_t count = loading->count;
	loading->count = 0;
	return engine_load(loading->engine, loading->state, loading->next_event, loading->pages, count, loading->error);
}

static bool page_load(const struct keyframe_page *page, const uint8_t *bytes, void *context)
{
	struct loading *loading = context;
	uint8_t *copy = loading->bytes + loading->count * TRACE_PAGE_BYTES;
	memcpy(copy, bytes, TRACE_PAGE_BYTES);
	loading->pages[loading->count++] = (struct engine_page){page->index, UINT64_MAX, copy};
	return loading->count < LOAD_PAGES || pages_load(loading);
}

/* Brings the engine from keyframe `from`, whose RAM it has, to keyframe `to`, the same or a later one. */
static bool go_to_keyframe(struct engine *engine, size_t from, size_t to, struct error *error)
{
	const struct keyframe *at = engine->keyframes.at;
	struct guest_state *state = malloc(sizeof(*state));
	struct loading *loading = malloc(sizeof(*loading));
	bool good = state && loading && keyframe_index_state(&engine->keyframes, to, state, error);
	if (loading) {
		loading->engine = engine;
		loading->state = state;
		loading->next_event = at[to].row.next_event;
		loading->error = error;
		loading->count = 0;
	}
	/* The pages of each keyframe between, oldest first: a later version of a page comes over an earlier one. */
	for (size_t i = from + 1; good && i <= to; i++) {
		struct keyframe_page *pages = pages_copy(&at[i]);
		good = pages &&
		       keyframe_index_pages(&engine->keyframes, pages, at[i].page_count, page_load, loading, error);
		free(pages);
	}
	good = good && pages_load(loading);
	free(loading);
	free(state);
	return good || error_set(error, STATUS_FAILED, "out of memory");
}

/* Brings the engine, whose RAM is that of the start of interval `have`, to the start of `interval`. */
static bool go_to_interval(const struct verifying *v, struct engine *engine, size_t have, size_t interval,
			   struct error *error)
{
	size_t from = interval_start(v, have), to = interval_start(v, interval);
	return to == SIZE_MAX || go_to_keyframe(engine, from, to, error);
}

/* Replays the interval that the engine stands at the start of. */
static bool interval_replay(const struct verifying *v, struct engine *engine, size_t interval, struct error *error)
{
	bool last = interval + 1 == v->count;
	size_t end = interval_start(v, interval) + 1;
	struct engine_order to_end = {
		.until_n = last ? UINT64_MAX : engine->keyframes.at[end].row.n,
		.can_be_woken = true,
	};
	struct stop stop = engine_run(engine, &to_end, error);
	if (stop.kind == STOP_FAILED)
		return false;
	if (stop.kind == STOP_INTERRUPTED)
		return error_set(error, STATUS_FAILED, "interrupted before everything was compared");
	return last ? verify_final_state(engine, error) : keyframe_agrees(engine, end, error);
}

static size_t interval_take(struct verifying *v)
{
	pthread_mutex_lock(&v->mutex);
	size_t interval = v->failed_first == SIZE_MAX && v->next < v->count ? v->next++ : SIZE_MAX;
	pthread_mutex_unlock(&v->mutex);
	return interval;
}

static void interval_done(struct verifying *v, size_t interval, const struct error *error)
{
	pthread_mutex_lock(&v->mutex);
	v->done++;
	if (error->status != STATUS_OK && interval < v->failed_first) {
		v->failed_first = interval;
		v->error = *error;
	}
	if (v->shown)
		fprintf(stderr, "\rhvrec: %zu of %zu intervals", v->done, v->count);
	pthread_mutex_unlock(&v->mutex);
}

static void *worker_main(void *context)
{
	struct verifying *v = context;
	struct error error = {.status = STATUS_OK};
	size_t interval = interval_take(v), have = interval; /* whose start RAM is that of */
	struct interruption interruption = {.wake = {{.fd = v->signal_fd}}, .wake_count = 1};
	struct engine *engine = NULL;
	if (interval != SIZE_MAX) {
		size_t keyframe = interval_start(v, interval);
		uint64_t n = keyframe == SIZE_MAX ? 0 : v->rows[keyframe].n;
		engine = engine_open(v->options->trace, n, &interruption, &error);
	}
	while (interval != SIZE_MAX) {
		bool good = engine && go_to_interval(v, engine, have, interval, &error) &&
			    interval_replay(v, engine, interval, &error);
		interval_done(v, interval, &error);
		if (!good)
			break;
		have = interval + 1;
		interval = interval_take(v);
	}
	engine_close(engine);
	return NULL;
}

/* What the trace says of itself. */
static bool trace_look(struct verifying *v, struct error *error)
{
	uint64_t event_count, last_n;
	struct trace_reader *trace = trace_open(v->options->trace, error);
	char *hash = NULL;
	bool good = trace && trace_get_end(trace, &event_count, &last_n, error) &&
		    trace_get_keyframes(trace, &v->rows, &v->row_count, error) &&
		    trace_get_text(trace, TRACE_META_FINAL_STATE_HASH, &hash, error) != TRACE_FAILED;
	if (good) {
		v->starts_at_keyframe = trace_start_n(trace) != 0;
		v->count = v->row_count + !v->starts_at_keyframe;
		v->result = (struct verify_result){.instructions = last_n - trace_start_n(trace),
						   .events = event_count - trace_first_event(trace),
						   .intervals = v->count,
						   .final_state = hash != NULL};
	}
	free(hash);
	trace_close(trace);
	return good;
}

static void workers_run(struct verifying *v, struct error *error)
{
	pthread_t threads[ENGINE_JOBS_MAX];
	unsigned started = 0, jobs = v->options->jobs;
	while (started < jobs && started < v->count && pthread_create(&threads[started], NULL, worker_main, v) == 0)
		started++;
	if (started == 0)
		error_set(error, STATUS_FAILED, "cannot start a thread");
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	if (v->shown)
		fputc('\n', stderr);
}

bool verify_run(const struct verify_options *options, struct verify_result *result, struct error *error)
{
	struct verifying v = {.options = options, .failed_first = SIZE_MAX, .mutex = PTHREAD_MUTEX_INITIALIZER};
	v.shown = !options->quiet && isatty(STDERR_FILENO);
	v.signal_fd = session_signals(error);
	if (v.signal_fd >= 0 && trace_look(&v, error))
		workers_run(&v, error);
	if (v.signal_fd >= 0)
		close(v.signal_fd);
	free(v.rows);
	*result = v.result;
	if (v.error.status != STATUS_OK)
		*error = v.error;
	return error->status == STATUS_OK;
}
