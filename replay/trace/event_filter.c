/* Kinds as a set of bits, groups as several of them. The group console is no kind: it is those writes of UARTDR that
 * print a byte. */
#include "replay/trace/event_filter.h"
#include "hv/host/event_console.h"
#include "replay/trace/event_text_names.h"
#include "replay/trace/numbers.h"

#include <strings.h>

#define BIT(name) (UINT32_C(1) << EVENT_##name)

_Static_assert(EVENT_KIND_MAX < 32, "a kind is a bit of 32");

static const struct word {
	const char *name;
	uint32_t kinds;
} words[] = {
#define EVENT(id, name, class, address, value, text) {#name, UINT32_C(1) << (id)},
#include "hv/abi/event.def"
#undef EVENT
	{"irq", BIT(INJECT)},
	{"mmio", BIT(MMIO_READ) | BIT(MMIO_WRITE)},
	{"exception", BIT(EXIT) | BIT(EXTERNAL_ABORT) | BIT(DEBUG_EXCEPTION) | BIT(SYSREG_DENIED)},
};

const struct event_filter event_filter_all = {.to_n = UINT64_MAX, .last_address = UINT64_MAX};

bool event_filter_add(struct event_filter *filter, const char *name)
{
	if (strcasecmp(name, "console") == 0) {
		filter->console = true;
		return true;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(name, words[i].name) == 0) {
			filter->kinds |= words[i].kinds;
			return true;
		}
	}
	return false;
}

bool event_filter_address(struct event_filter *filter, const char *text)
{
	uint64_t first, last;
	if (numbers_value(text, &first))
		last = first;
	else if (!numbers_range(text, numbers_value, &first, &last) && !event_text_device(text, &first, &last))
		return false;
	filter->by_address = true;
	filter->first_address = first;
	filter->last_address = last;
	return true;
}

/* Of what kinds the address is one; in the others the field holds something else. */
static bool has_address(const struct event_filter *filter, uint16_t kind)
{
	static const uint32_t physical = BIT(MMIO_READ) | BIT(MMIO_WRITE) | BIT(EXTERNAL_ABORT) | BIT(INPUT);
	uint32_t kinds = filter->kinds == BIT(INJECT) && !filter->console ? BIT(INJECT) : physical;
	return kind <= EVENT_KIND_MAX && (kinds >> kind & 1) != 0;
}

static bool wants_kind(const struct event_filter *filter, const struct event *event)
{
	uint8_t byte;
	if (filter->kinds == 0 && !filter->console)
		return true;
	if (event->kind <= EVENT_KIND_MAX && (filter->kinds >> event->kind & 1) != 0)
		return true;
	return filter->console && event_console_bytes(event, 1, &byte) == 1;
}

bool event_filter_wants(const struct event_filter *filter, const struct event *event)
{
	if (event->n < filter->from_n || event->n > filter->to_n || (filter->by_vcpu && event->vcpu != filter->vcpu))
		return false;
	if (filter->by_address && (!has_address(filter, event->kind) || event->address < filter->first_address ||
				   event->address > filter->last_address))
		return false;
	return wants_kind(filter, event);
}
