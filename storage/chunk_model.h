/* What encoder and decoder of a chunk share: the columns, and the model that predicts the next event from those before
 * it. Both run the same model over the same events, so only wrong predictions are stored.
 * 1. A prediction depends on earlier events, on fields of this event that are decoded earlier (site, n, address, value,
 *    pc, in that order), and on the next byte of the text column. On nothing else.
 * 2. Changing any prediction or constant here changes the format: docs/TRACE-FORMAT.md, "Version". */
#pragma once
#include "hv/abi/event.h"
#include "storage/bytes.h"

/* In the order of the chunk. A RUNS column counts right predictions between two wrong ones, whose truth is in MISSES.
 */
enum chunk_column {
	CHUNK_SITE_KINDS,
	CHUNK_SITE_VCPUS,
	CHUNK_SITE_SIZES,
	CHUNK_SITE_MODES,
	CHUNK_SITE_PCS,
	CHUNK_SITE_ADDRESSES,
	CHUNK_SITE_RUNS,
	CHUNK_SITE_MISSES,
	CHUNK_N_RUNS,
	CHUNK_N_MISSES,
	CHUNK_TICKS,
	CHUNK_ADDRESS_RUNS,
	CHUNK_ADDRESS_MISSES,
	CHUNK_VALUE_RUNS,
	CHUNK_VALUE_MISSES,
	CHUNK_TEXT,
	CHUNK_WORDS,
	CHUNK_PC_RUNS,
	CHUNK_PC_MISSES,
	CHUNK_COLUMN_COUNT,
};

/* How a site's values are kept. */
enum chunk_mode {
	CHUNK_MODE_PREDICTED, /* as the last one in the same context, or the difference to it */
	CHUNK_MODE_TEXT,      /* a byte of the text column */
	CHUNK_MODE_WORD,      /* four bytes, little-endian */
	CHUNK_MODE_COUNT,
};

/* Where events come from: the fields that recur together. pc and address are 0 where the kind keeps them elsewhere. */
struct chunk_site {
	uint64_t pc;
	uint64_t address;
	uint16_t kind;
	uint8_t vcpu;
	uint8_t size;
	uint8_t mode; /* enum chunk_mode */
};

enum { CHUNK_CONTEXT_BITS = 12, CHUNK_CONTEXT_COUNT = 1 << CHUNK_CONTEXT_BITS };

/* The guess for one context. `trust` 0: nothing seen yet. */
struct chunk_guess {
	uint64_t value;
	uint64_t trust;
};

struct chunk_model {
	struct cursor text; /* the text column, from the byte that the next TEXT event takes */
	uint8_t text_class_last;
	uint32_t site; /* of the previous event */
	uint32_t site_before;
	uint32_t sites_seen; /* sites below this index have occurred */
	uint64_t n;          /* of the previous event */
	uint64_t pc;
	uint64_t stray_pc; /* of the last event whose site has no pc */
	uint64_t idle_ns;
	uint64_t tick_ns; /* guest time of the last timer exit or idle deadline */
	uint64_t period_ns;
	struct chunk_guess next[CHUNK_CONTEXT_COUNT];
	struct chunk_guess delta[CHUNK_CONTEXT_COUNT];
	uint64_t value[CHUNK_CONTEXT_COUNT];
};

/* True for kinds whose pc, or address, is part of the site. Unknown kinds: neither. */
bool chunk_kind_has_pc(uint16_t kind);
bool chunk_kind_has_address(uint16_t kind);

static inline uint32_t chunk_context(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t mixed = a * UINT32_C(0x9e3779b1) + b * UINT32_C(0x85ebca77) + c * UINT32_C(0xc2b2ae3d);
	return mixed >> (32 - CHUNK_CONTEXT_BITS);
}

static inline void chunk_guess_learn(struct chunk_guess *guess, uint64_t value)
{
	if (guess->trust && guess->value == value) {
		guess->trust = 2;
	} else if (guess->trust == 2) {
		guess->trust = 1;
	} else {
		guess->value = value;
		guess->trust = 1;
	}
}

/* What kind of text is just behind and just ahead: control characters one by one, all else alike. The end of a console
 * line is where a driver's loop ends, so this foretells sites and distances. */
static inline uint32_t chunk_text_class(const struct chunk_model *m)
{
	uint32_t ahead = 33;
	if (m->text.at < m->text.end)
		ahead = *m->text.at < 32 ? *m->text.at : 32;
	return m->text_class_last * 64u + ahead;
}

static inline uint8_t chunk_text_take(struct chunk_model *m)
{
	uint8_t byte = cursor_get_u8(&m->text);
	m->text_class_last = byte < 32 ? byte : 32;
	return byte;
}

static inline struct chunk_guess *chunk_model_next(struct chunk_model *m, uint32_t class)
{
	return &m->next[chunk_context(m->site, m->site_before, class)];
}

static inline uint32_t chunk_model_site(const struct chunk_model *m, const struct chunk_guess *next)
{
	return next->trust ? (uint32_t)next->value : m->sites_seen;
}

static inline struct chunk_guess *chunk_model_delta(struct chunk_model *m, uint32_t site, uint32_t class)
{
	return &m->delta[chunk_context(site, m->site, class)];
}

/* The n at which the next timer tick is due. */
static inline uint64_t chunk_model_tick_n(const struct chunk_model *m)
{
	return m->tick_ns + m->period_ns - m->idle_ns;
}

static inline uint64_t chunk_model_address(const struct chunk_model *m, uint16_t kind)
{
	return kind == EVENT_IDLE ? m->tick_ns + m->period_ns : 0;
}

static inline uint64_t *chunk_model_value(struct chunk_model *m, uint32_t site)
{
	return &m->value[chunk_context(site, m->site, 0)];
}

/* `last` is what chunk_model_value gave. An idle jump leads from n to the deadline. */
static inline uint64_t chunk_model_value_guess(const struct chunk_model *m, const struct event *e, const uint64_t *last)
{
	return e->kind == EVENT_IDLE ? e->address - e->n - m->idle_ns : *last;
}

static inline uint64_t chunk_model_pc(const struct chunk_model *m, uint64_t n)
{
	return n == m->n ? m->pc : m->stray_pc;
}

void chunk_model_start(struct chunk_model *m, uint64_t start_idle_ns, const uint8_t *text, size_t text_bytes);

/* Takes in an event that is now known to both sides. */
void chunk_model_advance(struct chunk_model *m, uint32_t site, const struct event *e);
