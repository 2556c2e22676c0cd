/* Kinds as a set of bits, groups as several of them, by what their fields hold. The group console is no kind: it is
 * those writes of UARTDR that print a byte. */
#include "replay/trace/event_filter.h"
#include "hv/abi/event_info.h"
#include "hv/abi/machine.h"
#include "hv/host/event_console.h"
#include "hv/host/virtio_list.h"
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

static bool is_interrupt(uint32_t kind)
{
	return event_info(kind)->address == EVENT_ADDRESS_INTID;
}

static bool is_access(uint32_t kind)
{
	const struct event_info *info = event_info(kind);
	return info->address == EVENT_ADDRESS_IPA &&
	       (info->value == EVENT_VALUE_READ || info->value == EVENT_VALUE_WRITTEN);
}

/* What makes the guest take an exception, and the interrupts that hv takes while the guest runs. */
static bool is_exception(uint32_t kind)
{
	const struct event_info *info = event_info(kind);
	return info->address == EVENT_ADDRESS_EXIT_REASON || info->address == EVENT_ADDRESS_ESR ||
	       info->value == EVENT_VALUE_ABORT_ESR || info->value == EVENT_VALUE_IS_READ;
}

static bool is_disk(uint32_t kind)
{
	return event_info(kind)->address == EVENT_ADDRESS_SECTOR;
}

static bool is_packet(uint32_t kind)
{
	return kind == EVENT_PACKET_IN || kind == EVENT_PACKET_OUT;
}

static bool is_random(uint32_t kind)
{
	return kind == EVENT_ENTROPY;
}

static const struct group {
	const char *name;
	bool (*has)(uint32_t kind);
} groups[] = {{"irq", is_interrupt}, {"mmio", is_access}, {"exception", is_exception},
	      {"disk", is_disk},     {"net", is_packet},  {"rng", is_random}};

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
		if (group ? group->has(kind) : strcasecmp(name, event_info(kind)->name) == 0)
			kinds |= UINT32_C(1) << kind;
	}
	filter->kinds |= kinds;
	return kinds != 0;
}

static uint64_t transport_ipa(uint64_t transport)
{
	return GUEST_VIRTIO_IPA + transport * GUEST_VIRTIO_BYTES;
}

/* The transports whose registers are all within the range. */
static uint32_t transports_in(uint64_t first, uint64_t last)
{
	uint32_t transports = 0;
	for (uint32_t i = 0; i < GUEST_VIRTIO_COUNT; i++) {
		bool within = first <= transport_ipa(i) && last >= transport_ipa(i + 1) - 1;
		transports |= (uint32_t)within << i;
	}
	return transports;
}

static bool disk_address(const struct virtio_list *devices, const char *name, uint64_t *first, uint64_t *last)
{
	int transport = devices ? virtio_list_find(devices, name) : -1;
	if (transport < 0)
		return false;
	*first = transport_ipa((uint64_t)transport);
	*last = *first + GUEST_VIRTIO_BYTES - 1;
	return true;
}

bool event_filter_address(struct event_filter *filter, const struct virtio_list *devices, const char *text)
{
	uint64_t first, last;
	if (numbers_value(text, &first))
		last = first;
	else if (!numbers_range(text, numbers_value, &first, &last) && !disk_address(devices, text, &first, &last) &&
		 !event_text_device(text, &first, &last))
		return false;
	filter->by_address = true;
	filter->transports = transports_in(first, last);
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

/* The transport whose device the event is of; GUEST_VIRTIO_COUNT: it is of none. */
static uint64_t transport_of(const struct event *event)
{
	enum event_address address = event_info(event->kind)->address;
	if (address == EVENT_ADDRESS_SECTOR)
		return event_disk(event);
	return address == EVENT_ADDRESS_TRANSPORT ? event->address : GUEST_VIRTIO_COUNT;
}

static bool is_there(const struct event_filter *filter, const struct event *event)
{
	uint64_t transport = transport_of(event);
	if (transport < GUEST_VIRTIO_COUNT && (filter->transports >> transport & 1) != 0)
		return true;
	return has_address(filter, event->kind) && event->address >= filter->first_address &&
	       event->address <= filter->last_address;
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
	return (!filter->by_address || is_there(filter, event)) && wants_kind(filter, event);
}
