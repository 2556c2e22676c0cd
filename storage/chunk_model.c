/* The parts of the chunk model that are not in the inner loop's way; see chunk_model.h. */
#include "storage/chunk_model.h"
#include "hv/abi/event_info.h"

enum { TEXT_CLASS_NONE = 33 };

/* Code comes to the same place again: a trap's instruction, and the WFI of an idle jump. */
bool chunk_kind_has_pc(uint16_t kind)
{
	const struct event_info *info = event_info(kind);
	return info->class == EVENT_CLASS_TRAP || info->value == EVENT_VALUE_JUMP_NS;
}

/* Few things have an address, and again and again; a deadline is another one each time. */
bool chunk_kind_has_address(uint16_t kind)
{
	const struct event_info *info = event_info(kind);
	return info->address != EVENT_ADDRESS_NONE && info->address != EVENT_ADDRESS_DEADLINE_NS;
}

void chunk_model_start(struct chunk_model *m, uint64_t start_idle_ns, const uint8_t *text, size_t text_bytes)
{
	memset(m, 0, sizeof(*m));
	m->idle_ns = start_idle_ns;
	m->text_class_last = TEXT_CLASS_NONE;
	if (text_bytes)
		m->text = (struct cursor){text, text + text_bytes, false};
}

/* The period is kept against jitter, which would otherwise count twice, and follows real changes. */
static void tick(struct chunk_model *m, uint64_t now_ns)
{
	uint64_t interval_ns = now_ns - m->tick_ns;
	uint64_t low_ns = m->period_ns - m->period_ns / 16;
	if (interval_ns < low_ns || interval_ns - low_ns > m->period_ns / 8)
		m->period_ns = interval_ns;
	m->tick_ns = now_ns;
}

void chunk_model_advance(struct chunk_model *m, uint32_t site, const struct event *e)
{
	m->site_before = m->site;
	m->site = site;
	if (site >= m->sites_seen)
		m->sites_seen = site + 1;
	m->n = e->n;
	m->pc = e->pc;
	if (e->kind == EVENT_EXIT && e->address == EXIT_REASON_VTIMER)
		tick(m, e->n + m->idle_ns);
	if (e->kind == EVENT_IDLE) {
		m->tick_ns = e->address;
		m->idle_ns += e->value;
	}
	if (!chunk_kind_has_pc(e->kind))
		m->stray_pc = e->pc;
}
