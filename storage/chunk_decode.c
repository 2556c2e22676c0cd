/* Decodes a chunk: chunk_encode.c's mirror. Every column is a length-checked cursor of its own; a read past its end
 * gives 0 and is found when the last event is done, as is a column that was not read to its end. The one thing that
 * must be checked at once is a site index, because it indexes. */
#include "storage/chunk.h"
#include "storage/chunk_model.h"

struct run_reader {
	struct cursor *runs;
	struct cursor *misses;
	uint64_t run; /* hits left before the next miss */
};

struct decoder {
	struct chunk_site *sites;
	size_t site_count;
	struct chunk_model model; /* its `text` is the text column */
	struct cursor columns[CHUNK_COLUMN_COUNT];
	struct run_reader site, n, address, value, pc;
	struct chunk_weights *weights; /* NULL: not asked for */
	uint64_t left_bytes;           /* of all columns, when they were weighed last */
};

static uint64_t *weight_of(struct decoder *d, uint16_t kind)
{
	return &d->weights->raw_bytes[kind <= EVENT_KIND_MAX ? kind : 0];
}

/* What the columns have given since it was asked last, for events of this kind. */
static void weigh(struct decoder *d, uint16_t kind)
{
	uint64_t left_bytes = (uint64_t)(d->model.text.end - d->model.text.at);
	for (unsigned i = 0; i < CHUNK_COLUMN_COUNT; i++)
		left_bytes += i == CHUNK_TEXT ? 0 : (uint64_t)(d->columns[i].end - d->columns[i].at);
	*weight_of(d, kind) += d->left_bytes - left_bytes;
	d->left_bytes = left_bytes;
}

static struct run_reader run_start(struct decoder *d, enum chunk_column runs)
{
	struct run_reader r = {&d->columns[runs], &d->columns[runs + 1], 0};
	r.run = cursor_get_varint(r.runs);
	return r;
}

static bool run_hit(struct run_reader *r)
{
	if (!r->run)
		return false;
	r->run--;
	return true;
}

static uint64_t run_miss(struct run_reader *r)
{
	r->run = cursor_get_varint(r->runs);
	return cursor_get_varint(r->misses);
}

static uint64_t n_get(struct decoder *d, uint32_t site, uint32_t class)
{
	struct chunk_model *m = &d->model;
	if (d->sites[site].kind == EVENT_EXIT)
		return chunk_model_tick_n(m) + unzigzag(cursor_get_varint(&d->columns[CHUNK_TICKS]));
	struct chunk_guess *guess = chunk_model_delta(m, site, class);
	uint64_t delta = run_hit(&d->n) ? guess->value : run_miss(&d->n);
	chunk_guess_learn(guess, delta);
	return m->n + delta;
}

static uint64_t value_get(struct decoder *d, uint32_t site, const struct event *event)
{
	if (d->sites[site].mode == CHUNK_MODE_TEXT)
		return chunk_text_take(&d->model);
	if (d->sites[site].mode == CHUNK_MODE_WORD)
		return cursor_get_u32(&d->columns[CHUNK_WORDS]);
	uint64_t *last = chunk_model_value(&d->model, site);
	uint64_t value = chunk_model_value_guess(&d->model, event, last);
	if (!run_hit(&d->value))
		value += unzigzag(run_miss(&d->value));
	*last = value;
	return value;
}

static bool site_get(struct decoder *d, uint32_t class, uint32_t *site)
{
	struct chunk_guess *next = chunk_model_next(&d->model, class);
	uint64_t index = chunk_model_site(&d->model, next);
	if (!run_hit(&d->site)) {
		uint64_t coded = run_miss(&d->site);
		index = coded ? coded - 1 : d->model.sites_seen;
	}
	if (index >= d->site_count)
		return false;
	chunk_guess_learn(next, index);
	*site = (uint32_t)index;
	return true;
}

static bool event_get(struct decoder *d, struct event *event)
{
	struct chunk_model *m = &d->model;
	uint32_t class = chunk_text_class(m);
	uint32_t index = 0;
	if (!site_get(d, class, &index))
		return false;
	const struct chunk_site *site = &d->sites[index];
	*event = (struct event){
		.pc = site->pc, .address = site->address, .kind = site->kind, .vcpu = site->vcpu, .size = site->size};
	event->n = n_get(d, index, class);
	if (!chunk_kind_has_address(site->kind)) {
		event->address = chunk_model_address(m, site->kind);
		if (!run_hit(&d->address))
			event->address += unzigzag(run_miss(&d->address));
	}
	event->value = value_get(d, index, event);
	if (!chunk_kind_has_pc(site->kind))
		event->pc = run_hit(&d->pc) ? chunk_model_pc(m, event->n) : m->stray_pc + unzigzag(run_miss(&d->pc));
	chunk_model_advance(m, index, event);
	return true;
}

static bool sites_get(struct decoder *d)
{
	struct chunk_site last = {0};
	for (size_t i = 0; i < d->site_count; i++) {
		uint64_t kind = cursor_get_varint(&d->columns[CHUNK_SITE_KINDS]);
		last.vcpu = cursor_get_u8(&d->columns[CHUNK_SITE_VCPUS]);
		last.size = cursor_get_u8(&d->columns[CHUNK_SITE_SIZES]);
		last.mode = cursor_get_u8(&d->columns[CHUNK_SITE_MODES]);
		last.pc += unzigzag(cursor_get_varint(&d->columns[CHUNK_SITE_PCS]));
		last.address += unzigzag(cursor_get_varint(&d->columns[CHUNK_SITE_ADDRESSES]));
		if (kind > UINT16_MAX || last.mode >= CHUNK_MODE_COUNT)
			return false;
		last.kind = (uint16_t)kind;
		d->sites[i] = last;
		if (d->weights)
			weigh(d, last.kind);
	}
	return true;
}

/* The header and the columns' places. */
static bool header_get(struct decoder *d, const uint8_t *raw, size_t raw_bytes, size_t event_count,
		       uint64_t *start_idle_ns)
{
	struct cursor c = {raw, raw + raw_bytes, false};
	uint64_t count = cursor_get_varint(&c);
	*start_idle_ns = cursor_get_varint(&c);
	uint64_t site_count = cursor_get_varint(&c);
	uint64_t bytes[CHUNK_COLUMN_COUNT];
	for (unsigned i = 0; i < CHUNK_COLUMN_COUNT; i++)
		bytes[i] = cursor_get_varint(&c);
	if (c.failed || count != event_count || site_count < 1 || site_count > event_count)
		return false;
	d->site_count = (size_t)site_count;
	d->left_bytes = 0;
	for (unsigned i = 0; i < CHUNK_COLUMN_COUNT; i++) {
		if (bytes[i] > (uint64_t)(c.end - c.at))
			return false;
		d->columns[i] = (struct cursor){c.at, c.at + bytes[i], false};
		c.at += bytes[i];
		d->left_bytes += bytes[i];
	}
	if (d->weights)
		d->weights->raw_bytes[0] += raw_bytes - d->left_bytes;
	return c.at == c.end;
}

/* Nothing was read past a column's end, and nothing is left over. */
static bool all_read(struct decoder *d)
{
	d->columns[CHUNK_TEXT] = d->model.text;
	for (unsigned i = 0; i < CHUNK_COLUMN_COUNT; i++) {
		if (d->columns[i].failed || d->columns[i].at != d->columns[i].end)
			return false;
	}
	return !d->site.run && !d->n.run && !d->address.run && !d->value.run && !d->pc.run;
}

static bool decode(struct decoder *d, struct event *events, size_t event_count, uint64_t start_idle_ns)
{
	const struct cursor *text = &d->columns[CHUNK_TEXT];
	chunk_model_start(&d->model, start_idle_ns, text->at, (size_t)(text->end - text->at));
	if (!sites_get(d))
		return false;
	d->site = run_start(d, CHUNK_SITE_RUNS);
	d->n = run_start(d, CHUNK_N_RUNS);
	d->address = run_start(d, CHUNK_ADDRESS_RUNS);
	d->value = run_start(d, CHUNK_VALUE_RUNS);
	d->pc = run_start(d, CHUNK_PC_RUNS);
	for (size_t i = 0; i < event_count; i++) {
		if (!event_get(d, &events[i]))
			return false;
		if (d->weights)
			weigh(d, events[i].kind);
	}
	return all_read(d);
}

bool chunk_weigh(const uint8_t *raw, size_t raw_bytes, struct chunk_events *events, struct chunk_weights *weights,
		 struct error *error)
{
	/* not allocated: the model is large, and its memory would go back to the system and come again for each chunk
	 */
	static _Thread_local struct decoder decoder;
	struct decoder *d = &decoder;
	bool good = events->count >= 1 && events->count <= CHUNK_EVENTS_MAX && raw_bytes >= 1 &&
		    raw_bytes <= CHUNK_RAW_BYTES_MAX;
	d->weights = weights;
	good = good && header_get(d, raw, raw_bytes, events->count, &events->start_idle_ns);
	if (good) {
		d->sites = calloc(d->site_count, sizeof(*d->sites));
		if (!d->sites)
			return error_set(error, STATUS_FAILED, "no memory to decode %zu events", events->count);
		good = decode(d, events->at, events->count, events->start_idle_ns);
		free(d->sites);
	}
	return good || error_set(error, STATUS_FAILED, "malformed chunk of %zu bytes", raw_bytes);
}

bool chunk_decode(const uint8_t *raw, size_t raw_bytes, struct chunk_events *events, struct error *error)
{
	return chunk_weigh(raw, raw_bytes, events, NULL, error);
}
