/* Encodes a chunk in three passes: find the sites, choose each site's value mode by what it would cost, write the
 * columns with the model of chunk_model.h. Nothing here may decide anything that the decoder cannot see. */
#include "storage/chunk.h"
#include "storage/chunk_model.h"

#include <xxhash.h>

struct site_cost {
	uint64_t predicted_bytes;
	uint64_t value_max;
	uint64_t event_count;
};

/* A column pair RUNS, MISSES being written; `run` is the number of hits not yet written. */
struct run_writer {
	struct bytes *runs;
	struct bytes *misses;
	uint64_t run;
};

struct encoder {
	struct chunk_site *sites; /* room for one an event */
	struct site_cost *costs;
	uint32_t *site_of; /* by event */
	uint32_t *slots;   /* open addressing: site index + 1, 0 free */
	size_t slot_count; /* a power of two */
	uint32_t site_count;
	struct chunk_model model;
	struct bytes columns[CHUNK_COLUMN_COUNT];
	struct run_writer site, n, address, value, pc;
};

static void run_put(struct run_writer *w, bool hit, uint64_t truth)
{
	if (hit) {
		w->run++;
		return;
	}
	bytes_put_varint(w->runs, w->run);
	bytes_put_varint(w->misses, truth);
	w->run = 0;
}

static struct run_writer run_start(struct encoder *e, enum chunk_column runs)
{
	return (struct run_writer){&e->columns[runs], &e->columns[runs + 1], 0};
}

static struct chunk_site site_of_event(const struct event *event)
{
	return (struct chunk_site){
		.pc = chunk_kind_has_pc(event->kind) ? event->pc : 0,
		.address = chunk_kind_has_address(event->kind) ? event->address : 0,
		.kind = event->kind,
		.vcpu = event->vcpu,
		.size = event->size,
	};
}

static bool site_equal(const struct chunk_site *a, const struct chunk_site *b)
{
	return a->pc == b->pc && a->address == b->address && a->kind == b->kind && a->vcpu == b->vcpu &&
	       a->size == b->size;
}

static uint32_t site_find(struct encoder *e, const struct event *event)
{
	struct chunk_site site = site_of_event(event);
	uint64_t key[3] = {site.pc, site.address,
			   (uint64_t)site.kind << 16 | (uint64_t)site.vcpu << 8 | (uint64_t)site.size};
	size_t slot = XXH3_64bits(key, sizeof(key)) & (e->slot_count - 1);
	for (; e->slots[slot]; slot = (slot + 1) & (e->slot_count - 1)) {
		if (site_equal(&e->sites[e->slots[slot] - 1], &site))
			return e->slots[slot] - 1;
	}
	e->sites[e->site_count] = site;
	e->slots[slot] = ++e->site_count;
	return e->site_count - 1;
}

/* Runs the value prediction as if all sites were PREDICTED, and adds up what that would take. */
static void costs_measure(struct encoder *e, const struct event *events, size_t event_count)
{
	for (size_t i = 0; i < event_count; i++) {
		struct site_cost *cost = &e->costs[e->site_of[i]];
		uint64_t *last = chunk_model_value(&e->model, e->site_of[i]);
		uint64_t value = events[i].value;
		if (value != *last)
			cost->predicted_bytes += 1 + varint_bytes(zigzag(value - *last));
		if (value > cost->value_max)
			cost->value_max = value;
		cost->event_count++;
		*last = value;
		chunk_model_advance(&e->model, e->site_of[i], &events[i]);
	}
}

static void modes_choose(struct encoder *e)
{
	for (uint32_t i = 0; i < e->site_count; i++) {
		const struct site_cost *cost = &e->costs[i];
		if (e->sites[i].kind == EVENT_IDLE)
			continue;
		if (cost->value_max <= UINT8_MAX && cost->event_count < cost->predicted_bytes)
			e->sites[i].mode = CHUNK_MODE_TEXT;
		else if (cost->value_max <= UINT32_MAX && cost->event_count * 4 < cost->predicted_bytes)
			e->sites[i].mode = CHUNK_MODE_WORD;
	}
}

static void sites_put(struct encoder *e)
{
	struct chunk_site last = {0};
	for (uint32_t i = 0; i < e->site_count; i++) {
		const struct chunk_site *site = &e->sites[i];
		bytes_put_varint(&e->columns[CHUNK_SITE_KINDS], site->kind);
		bytes_put_u8(&e->columns[CHUNK_SITE_VCPUS], site->vcpu);
		bytes_put_u8(&e->columns[CHUNK_SITE_SIZES], site->size);
		bytes_put_u8(&e->columns[CHUNK_SITE_MODES], site->mode);
		bytes_put_varint(&e->columns[CHUNK_SITE_PCS], zigzag(site->pc - last.pc));
		bytes_put_varint(&e->columns[CHUNK_SITE_ADDRESSES], zigzag(site->address - last.address));
		last = *site;
	}
}

static void n_put(struct encoder *e, uint32_t site, const struct event *event, uint32_t class)
{
	if (event->kind == EVENT_EXIT) {
		bytes_put_varint(&e->columns[CHUNK_TICKS], zigzag(event->n - chunk_model_tick_n(&e->model)));
		return;
	}
	struct chunk_guess *guess = chunk_model_delta(&e->model, site, class);
	uint64_t delta = event->n - e->model.n;
	run_put(&e->n, delta == guess->value, delta);
	chunk_guess_learn(guess, delta);
}

static void value_put(struct encoder *e, uint32_t site, const struct event *event)
{
	if (e->sites[site].mode == CHUNK_MODE_TEXT) {
		chunk_text_take(&e->model);
	} else if (e->sites[site].mode == CHUNK_MODE_WORD) {
		bytes_put_u32(&e->columns[CHUNK_WORDS], (uint32_t)event->value);
	} else {
		uint64_t *last = chunk_model_value(&e->model, site);
		uint64_t guess = chunk_model_value_guess(&e->model, event, last);
		run_put(&e->value, event->value == guess, zigzag(event->value - guess));
		*last = event->value;
	}
}

static void event_put(struct encoder *e, uint32_t site, const struct event *event)
{
	struct chunk_model *m = &e->model;
	uint32_t class = chunk_text_class(m);
	struct chunk_guess *next = chunk_model_next(m, class);
	/* a site that is new is by far the most frequent surprise: 0 */
	run_put(&e->site, site == chunk_model_site(m, next), site == m->sites_seen ? 0 : (uint64_t)site + 1);
	chunk_guess_learn(next, site);
	n_put(e, site, event, class);
	if (!chunk_kind_has_address(event->kind)) {
		uint64_t guess = chunk_model_address(m, event->kind);
		run_put(&e->address, event->address == guess, zigzag(event->address - guess));
	}
	value_put(e, site, event);
	if (!chunk_kind_has_pc(event->kind))
		run_put(&e->pc, event->pc == chunk_model_pc(m, event->n), zigzag(event->pc - m->stray_pc));
	chunk_model_advance(m, site, event);
}

static void events_put(struct encoder *e, const struct event *events, size_t event_count, uint64_t start_idle_ns)
{
	for (size_t i = 0; i < event_count; i++) {
		if (e->sites[e->site_of[i]].mode == CHUNK_MODE_TEXT)
			bytes_put_u8(&e->columns[CHUNK_TEXT], (uint8_t)events[i].value);
	}
	const struct bytes *text = &e->columns[CHUNK_TEXT];
	if (text->failed)
		return;
	chunk_model_start(&e->model, start_idle_ns, text->data, text->count);
	e->site = run_start(e, CHUNK_SITE_RUNS);
	e->n = run_start(e, CHUNK_N_RUNS);
	e->address = run_start(e, CHUNK_ADDRESS_RUNS);
	e->value = run_start(e, CHUNK_VALUE_RUNS);
	e->pc = run_start(e, CHUNK_PC_RUNS);
	for (size_t i = 0; i < event_count; i++)
		event_put(e, e->site_of[i], &events[i]);
	struct run_writer *writers[] = {&e->site, &e->n, &e->address, &e->value, &e->pc};
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
		bytes_put_varint(writers[i]->runs, writers[i]->run);
}

static struct bytes assemble(const struct encoder *e, size_t event_count, uint64_t start_idle_ns)
{
	struct bytes out = {0};
	bytes_put_varint(&out, event_count);
	bytes_put_varint(&out, start_idle_ns);
	bytes_put_varint(&out, e->site_count);
	for (unsigned i = 0; i < CHUNK_COLUMN_COUNT; i++) {
		bytes_put_varint(&out, e->columns[i].count);
		out.failed = out.failed || e->columns[i].failed;
	}
	for (unsigned i = 0; i < CHUNK_COLUMN_COUNT; i++)
		bytes_put(&out, e->columns[i].data, e->columns[i].count);
	return out;
}

static struct encoder *encoder_new(size_t event_count)
{
	struct encoder *e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->slot_count = 2;
	while (e->slot_count < event_count * 2)
		e->slot_count *= 2;
	e->sites = calloc(event_count, sizeof(*e->sites));
	e->costs = calloc(event_count, sizeof(*e->costs));
	e->site_of = calloc(event_count, sizeof(*e->site_of));
	e->slots = calloc(e->slot_count, sizeof(*e->slots));
	return e;
}

static void encoder_free(struct encoder *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < CHUNK_COLUMN_COUNT; i++)
		free(e->columns[i].data);
	free(e->sites);
	free(e->costs);
	free(e->site_of);
	free(e->slots);
	free(e);
}

static bool events_valid(const struct event *events, size_t event_count, struct error *error)
{
	if (event_count < 1 || event_count > CHUNK_EVENTS_MAX)
		return error_set(error, STATUS_FAILED, "a chunk of %zu events: 1 to %d fit", event_count,
				 CHUNK_EVENTS_MAX);
	for (size_t i = 0; i < event_count; i++) {
		if (events[i].zero)
			return error_set(error, STATUS_FAILED, "event %zu of the chunk has a `zero` that is not 0", i);
	}
	return true;
}

bool chunk_encode(const struct event *events, size_t event_count, uint64_t start_idle_ns, uint8_t **raw,
		  size_t *raw_bytes, struct error *error)
{
	if (!events_valid(events, event_count, error))
		return false;
	struct bytes out = {.failed = true};
	struct encoder *e = encoder_new(event_count);
	if (e && e->sites && e->costs && e->site_of && e->slots) {
		for (size_t i = 0; i < event_count; i++)
			e->site_of[i] = site_find(e, &events[i]);
		costs_measure(e, events, event_count);
		modes_choose(e);
		sites_put(e);
		events_put(e, events, event_count, start_idle_ns);
		out = assemble(e, event_count, start_idle_ns);
	}
	encoder_free(e);
	if (out.failed) {
		free(out.data);
		return error_set(error, STATUS_FAILED, "no memory to encode %zu events", event_count);
	}
	*raw = out.data;
	*raw_bytes = out.count;
	return true;
}
