/* Kinds as a set of bits, groups as several of them, by what their fields hold. The group console is no kind: it is
 * those writes of UARTDR that print a byte. */
#include "replay/trace/event_filter.h"
#include "hv/abi/event_info.h"
#include "hv/host/event_console.h"
#include "replay/trace/event_text_names.h"
#include "replay/trace/numbers.h"

#include <strings.h>

_Static_assert(EVENT_KIND_MAX < 32, "a kind is a bit of 32");

/* A kind's bit, if its fields are such. */
#define BIT_IF(id, condition) ((uint32_t)(condition) << (id))

/* Of these kinds the address is a physical one, of these an interrupt; in the others the field holds something else. */
static const uint32_t physical = 0
#define EVENT(id, name, class, address, value, text) | BIT_IF(id, EVENT_ADDRESS_##address == EVENT_ADDRESS_IPA)
#include "hv/abi/event.def"
#undef EVENT
	;
static const uint32_t interrupts = 0
#define EVENT(id, name, class, address, value, text) | BIT_IF(id, EVENT_ADDRESS_##address == EVENT_ADDRESS_INTID)
#include "hv/abi/event.def"
#undef EVENT
	;

static bool is_interrupt(const struct event_info *info)
{
	return info->address == EVENT_ADDRESS_INTID;
}

static bool is_access(const struct event_info *info)
{
	return info->address == EVENT_ADDRESS_IPA &&
	       (info->value == EVENT_VALUE_READ || info->value == EVENT_VALUE_WRITTEN);
}

/* What makes the guest take an exception, and the interrupts that hv takes while the guest runs. */
static bool is_exception(const struct event_info *info)
{
	return info->address == EVENT_ADDRESS_EXIT_REASON || info->address == EVENT_ADDRESS_ESR ||
	       info->value == EVENT_VALUE_ABORT_ESR || info->value == EVENT_VALUE_IS_READ;
}

static const struct group {
	const char *name;
	bool (*has)(const struct event_info *info);
} groups[] = {{"irq", is_interrupt}, {"mmio", is_access}, {"exception", is_exception}};

const struct event_filter event_filter_all = {.to_n = UINT64_MAX, .last_address = UINT64_MAX};

/* The group of that name; NULL if there is none. */
static const struct group *group_find(const char *name)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcasecmp(name, groups[i].name) == 0)
			return &groups[i];
	}
	return NULL;
}

bool event_filter_add(struct event_filter *filter, const char *name)
{
	const struct group *group = group_find(name);
	uint32_t kinds = 0;
	if (strcasecmp(name, "console") == 0) {
		filter->console = true;
		return true;
	}
	for (unsigned kind = 1; kind <= EVENT_KIND_MAX; kind++) {
		const struct event_info *info = event_info(kind);
		if (group ? group->has(info) : strcasecmp(name, info->name) == 0)
			kinds |= UINT32_C(1) << kind;
	}
	filter->kinds |= kinds;
	return kinds != 0;
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

/* Interrupts have numbers that would be taken for addresses: they are meant only where nothing else is. */
static bool has_address(const struct event_filter *filter, uint16_t kind)
{
	bool alone = filter->kinds != 0 && !filter->console && (filter->kinds & ~interrupts) == 0;
	return kind <= EVENT_KIND_MAX && ((alone ? interrupts : physical) >> kind & 1) != 0;
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

/* Of two vCPUs, where one goes on after the other. */
static bool is_of_vcpu(const struct event *event, uint64_t vcpu)
{
	return event->vcpu == vcpu ||
	       (event_info(event->kind)->address == EVENT_ADDRESS_VCPU && event->address == vcpu);
}

bool event_filter_wants(const struct event_filter *filter, const struct event *event)
{
	if (event->n < filter->from_n || event->n > filter->to_n ||
	    (filter->by_vcpu && !is_of_vcpu(event, filter->vcpu)))
		return false;
	if (filter->by_address && (!has_address(filter, event->kind) || event->address < filter->first_address ||
				   event->address > filter->last_address))
		return false;
	return wants_kind(filter, event);
}
