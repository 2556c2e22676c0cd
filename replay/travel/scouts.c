/* A thread for each scout. They and the timeline take stretches between keyframes, nearest first, until the first
 * stretch that has a hit has only clean ones before it. */
#include "replay/travel/scouts.h"
#include "replay/travel/stretches.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { WAIT_NS = 10000000 };

struct scouts {
	char *trace;
	struct stat file; /* of the trace */
	uint64_t start_n;
	unsigned wanted, started;
	pthread_t threads[ENGINE_JOBS_MAX];
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t changed;
	bool closing;
	uint64_t search; /* counts up where one begins and where it ends */
	bool reverse;
	struct points_packed points;
	uint64_t known;             /* instructions that were clean from the beginning */
	struct stretches stretches; /* none: no search is going on */
	struct hit *found;          /* of each stretch: its answer */
};

/* What a scout is on. */
struct errand {
	struct scouts *scouts;
	uint64_t search;
	size_t index;
	struct stretch stretch;
	bool reverse;
	struct points_packed points;
};

/* ---- the scouts' side ---- */

static bool is_over(void *context)
{
	struct errand *errand = context;
	pthread_mutex_lock(&errand->scouts->mutex);
	bool over = errand->scouts->search != errand->search;
	pthread_mutex_unlock(&errand->scouts->mutex);
	return over;
}

/* Waits for a stretch. False: there will be no more. */
static bool errand_take(struct errand *errand)
{
	struct scouts *scouts = errand->scouts;
	pthread_mutex_lock(&scouts->mutex);
	while (!scouts->closing && (errand->index = stretches_take(&scouts->stretches)) == SIZE_MAX)
		pthread_cond_wait(&scouts->changed, &scouts->mutex);
	bool taken = !scouts->closing;
	if (taken) {
		errand->search = scouts->search;
		errand->stretch = scouts->stretches.at[errand->index];
		errand->reverse = scouts->reverse;
		errand->points = scouts->points;
	}
	pthread_mutex_unlock(&scouts->mutex);
	return taken;
}

/* The mutex is held. */
static void stretch_put(struct scouts *scouts, size_t index, const struct hit *found)
{
	scouts->found[index] = *found;
	scouts->stretches.at[index].state = hit_is_one(found)               ? STRETCH_HIT
					    : found->stop.kind == STOP_NONE ? STRETCH_CLEAN
									    : STRETCH_FREE;
	pthread_cond_broadcast(&scouts->changed);
}

/* Answers whether the scout can go on. */
static bool errand_put(const struct errand *errand, const struct hit *found)
{
	struct scouts *scouts = errand->scouts;
	pthread_mutex_lock(&scouts->mutex);
	bool wanted = scouts->search == errand->search;
	if (wanted)
		stretch_put(scouts, errand->index, found);
	pthread_mutex_unlock(&scouts->mutex);
	return !wanted || hit_is_one(found) || found->stop.kind == STOP_NONE;
}

/* A trace may be recorded anew while it is looked at, and one that is being recorded may lose its beginning. */
static struct timeline *scout_open(const struct scouts *scouts, uint64_t n, struct interruption *interruption,
				   struct error *error)
{
	struct stat file;
	struct timeline *t = timeline_open(scouts->trace, n, interruption, error);
	if (t && stat(scouts->trace, &file) == 0 && file.st_dev == scouts->file.st_dev &&
	    file.st_ino == scouts->file.st_ino && timeline_start_n(t) == scouts->start_n) {
		t->is_scout = true;
		t->checkpoints.held_max = engine_page_count(t->engine); /* it comes to each place once */
		return t;
	}
	timeline_close(t);
	return NULL;
}

static struct hit errand_search(struct timeline *t, const struct errand *errand, struct error *error)
{
	const struct points_packed *points = &errand->points;
	const struct search search = {.points = {points->at, points->count, points->conditions},
				      .reverse = errand->reverse};
	return search_span(t, &search, (struct span){errand->stretch.low, errand->stretch.high}, error);
}

static void *scout_main(void *context)
{
	struct errand errand = {.scouts = context};
	struct interruption interruption = {.context = &errand};
	struct timeline *t = NULL;
	for (bool good = true; good && errand_take(&errand);) {
		struct error error = {.status = STATUS_OK};
		struct hit found = {.stop = {STOP_FAILED, 0}};
		if (!t)
			t = scout_open(errand.scouts, errand.stretch.low, &interruption, &error);
		interruption.tick = is_over; /* an opening is finished, whatever becomes of the search */
		if (t) {
			found = errand_search(t, &errand, &error);
			engine_interrupted(t->engine); /* the end of this search is not that of the next */
		}
		good = errand_put(&errand, &found);
	}
	timeline_close(t);
	return NULL;
}

struct scouts *scouts_new(const char *trace, uint64_t start_n, unsigned count, struct error *error)
{
	struct stat file;
	pthread_condattr_t attributes;
	struct scouts *scouts = calloc(1, sizeof(*scouts));
	char *copy = strdup(trace);
	bool known = scouts && copy && stat(trace, &file) == 0;
	if (!known) {
		error_set(error, STATUS_FAILED, "%s: %s", trace, strerror(errno));
		free(scouts);
		free(copy);
		return NULL;
	}
	scouts->trace = copy;
	scouts->file = file;
	scouts->start_n = start_n;
	scouts->wanted = count < ENGINE_JOBS_MAX ? count : ENGINE_JOBS_MAX;
	pthread_mutex_init(&scouts->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&scouts->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return scouts;
}

void scouts_free(struct scouts *scouts)
{
	if (!scouts)
		return;
	pthread_mutex_lock(&scouts->mutex);
	scouts->closing = true;
	scouts->search++;
	pthread_cond_broadcast(&scouts->changed);
	pthread_mutex_unlock(&scouts->mutex);
	for (unsigned i = 0; i < scouts->started; i++)
		pthread_join(scouts->threads[i], NULL);
	pthread_cond_destroy(&scouts->changed);
	pthread_mutex_destroy(&scouts->mutex);
	free(scouts->trace);
	free(scouts);
}

/* ---- the timeline's side ---- */

/* Divides the search at keyframes that every timeline has a checkpoint at. */
static bool divide(const struct timeline *t, bool reverse, struct span span, struct stretches *stretches)
{
	const struct keyframe_index *index = engine_keyframes(t->engine);
	size_t every = checkpoints_keyframes_every(index->count), count = 0;
	uint64_t *positions = malloc((index->count + 1) * sizeof(*positions));
	for (size_t i = 0; positions && i < index->count; i += every)
		positions[count++] = index->at[i].row.n;
	bool divided = positions && stretches_divide(stretches, span.low, span.high, positions, count);
	if (divided && reverse)
		stretches_reverse(stretches);
	free(positions);
	return divided;
}

/* Starts a search whose first stretch is the timeline's own, as far as they are not known to be clean. */
static bool search_begin(struct scouts *scouts, struct stretches stretches, bool reverse, const struct hit_set *known)
{
	struct hit *found = calloc(stretches.count, sizeof(*found));
	if (!found)
		return false;
	for (size_t i = 1; i < stretches.count; i++) {
		if (hits_none(known, stretches.at[i].low, stretches.at[i].high))
			stretches.at[i].state = STRETCH_CLEAN;
	}
	stretches_take(&stretches);
	pthread_mutex_lock(&scouts->mutex);
	scouts->search++;
	scouts->reverse = reverse;
	scouts->stretches = stretches;
	scouts->found = found;
	scouts->known = stretches_clean(&stretches);
	scouts->points = known->points;
	pthread_cond_broadcast(&scouts->changed);
	pthread_mutex_unlock(&scouts->mutex);
	while (scouts->started < scouts->wanted && scouts->started + 1 < stretches.count &&
	       pthread_create(&scouts->threads[scouts->started], NULL, scout_main, scouts) == 0)
		scouts->started++;
	return true;
}

void scouts_progress(struct scouts *scouts, uint64_t *clean, uint64_t *known)
{
	pthread_mutex_lock(&scouts->mutex);
	*clean = stretches_clean(&scouts->stretches);
	*known = scouts->known;
	pthread_mutex_unlock(&scouts->mutex);
}

static void search_end(struct scouts *scouts)
{
	pthread_mutex_lock(&scouts->mutex);
	scouts->search++;
	stretches_free(&scouts->stretches);
	free(scouts->found);
	scouts->found = NULL;
	pthread_mutex_unlock(&scouts->mutex);
}

/* The answer, if there is one yet. Else STOP_INTERRUPTED, at the search's start but for what is clean. The mutex is
 * held. */
static bool answer(const struct scouts *scouts, size_t *first, struct hit *found)
{
	const struct stretches *stretches = &scouts->stretches;
	*first = stretches_first(stretches);
	if (*first == stretches->count) {
		const struct stretch *last = &stretches->at[stretches->count - 1];
		*found = (struct hit){.n = scouts->reverse ? last->low : last->high};
		return true;
	}
	const struct stretch *open = &stretches->at[*first];
	*found = (struct hit){scouts->reverse ? open->high : open->low, HIT_PLACE, {STOP_INTERRUPTED, 0}};
	if (open->state == STRETCH_HIT)
		*found = scouts->found[*first];
	return open->state == STRETCH_HIT;
}

static void wait_a_little(struct scouts *scouts)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&scouts->changed, &scouts->mutex, &until);
}

/* Waits until there is an answer or a stretch to take. False: neither, and the wait is to end. */
static bool wait_for_scouts(struct timeline *t, size_t *taken, size_t *first, struct hit *found)
{
	struct scouts *scouts = t->scouts;
	for (bool interrupted = false;;) {
		pthread_mutex_lock(&scouts->mutex);
		bool answered = answer(scouts, first, found);
		*taken = answered || interrupted ? SIZE_MAX : stretches_take(&scouts->stretches);
		if (!answered && !interrupted && *taken == SIZE_MAX)
			wait_a_little(scouts);
		pthread_mutex_unlock(&scouts->mutex);
		if (answered || *taken != SIZE_MAX)
			return true;
		if (interrupted)
			return false;
		interrupted = engine_interrupted(t->engine) || engine_woken(t->engine);
	}
}

/* Searches one stretch after the other, beginning with the first. */
static struct hit search_along(struct timeline *t, const struct search *search, bool *here, struct error *error)
{
	struct scouts *scouts = t->scouts;
	struct hit found;
	for (size_t taken = 0, first = 0, own = SIZE_MAX;;) {
		const struct stretch stretch = scouts->stretches.at[taken];
		found = search_span(t, search, (struct span){stretch.low, stretch.high}, error);
		if (found.stop.kind == STOP_FAILED)
			return found;
		bool interrupted = found.stop.kind == STOP_INTERRUPTED;
		own = taken;
		pthread_mutex_lock(&scouts->mutex);
		stretch_put(scouts, taken, &found);
		bool answered = interrupted && answer(scouts, &first, &found);
		pthread_mutex_unlock(&scouts->mutex);
		if (!interrupted && wait_for_scouts(t, &taken, &first, &found) && taken != SIZE_MAX)
			continue;
		*here = first == own && !answered;
		return found;
	}
}

/* What is clean need not be searched again, whether there is an answer or not. */
static void learn(struct timeline *t, struct points points)
{
	struct hit_set *set = search_known(t, points);
	const struct stretches *stretches = &t->scouts->stretches;
	for (size_t i = 0; set && i < stretches->count; i++) {
		struct hit_list none = {0};
		if (stretches->at[i].state == STRETCH_CLEAN)
			hits_learn(set, stretches->at[i].low, stretches->at[i].high, &none);
	}
}

struct hit scouts_search(struct timeline *t, const struct search *search, struct span span, bool *here,
			 struct error *error)
{
	struct stretches stretches = {0};
	const struct hit_set *known = search_known(t, search->points);
	*here = true;
	if (!known || !divide(t, search->reverse, span, &stretches) || stretches.count < 2 ||
	    !search_begin(t->scouts, stretches, search->reverse, known)) {
		stretches_free(&stretches);
		return search_span(t, search, span, error);
	}
	t->course.at_n = search->reverse ? span.high : span.low;
	t->course.shared = true;
	struct hit found = search_along(t, search, here, error);
	t->course.shared = false;
	learn(t, search->points);
	search_end(t->scouts);
	return found;
}
