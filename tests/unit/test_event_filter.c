/* Which events a filter wants: kinds, groups, places, and what is no name or address. */
#include "hv/abi/machine.h"
#include "hv/host/virtio_list.h"
#include "replay/trace/event_filter.h"

#include <criterion/criterion.h>

TestSuite(event_filter);

static const struct event events[] = {
	{.kind = EVENT_MMIO_READ, .n = 1, .address = GUEST_UART_IPA + 0x18, .size = 4},
	{.kind = EVENT_MMIO_WRITE, .n = 2, .address = GUEST_UART_IPA, .value = 'A', .size = 1},
	{.kind = EVENT_MMIO_WRITE, .n = 3, .address = GUEST_GICD_IPA, .size = 4},
	{.kind = EVENT_EXTERNAL_ABORT, .n = 4, .address = 0x1000},
	{.kind = EVENT_SYSREG_READ, .n = 5, .address = 27},
	{.kind = EVENT_SYSREG_DENIED, .n = 6, .address = 27},
	{.kind = EVENT_DEBUG_EXCEPTION, .n = 7},
	{.kind = EVENT_EXIT, .n = 8, .address = EXIT_REASON_VTIMER},
	{.kind = EVENT_INPUT, .n = 9, .address = GUEST_UART_IPA, .value = 'x'},
	{.kind = EVENT_INJECT, .n = 10, .address = 27},
	{.kind = EVENT_INJECT, .n = 11, .address = 33, .vcpu = 1},
	{.kind = 99, .n = 12},
	{.kind = EVENT_SWITCH, .n = 13, .vcpu = 2, .address = 3},
};
enum { COUNT = sizeof(events) / sizeof(events[0]) };

/* The wanted ones as bits, by n. */
static unsigned wanted(const struct event_filter *filter)
{
	unsigned bits = 0;
	for (unsigned i = 0; i < COUNT; i++)
		bits |= event_filter_wants(filter, &events[i]) ? 1u << events[i].n : 0;
	return bits;
}

static struct event_filter with_kind(const char *name)
{
	struct event_filter filter = event_filter_all;
	cr_assert(event_filter_add(&filter, name), "%s", name);
	return filter;
}

Test(event_filter, without_conditions_every_event_is_wanted)
{
	cr_expect_eq(wanted(&event_filter_all), 0x3ffe);
}

Test(event_filter, kinds_and_groups)
{
	static const struct {
		const char *name;
		unsigned wanted;
	} cases[] = {
		{"MMIO_READ", 1u << 1}, {"mmio_read", 1u << 1},           {"irq", 3u << 10},    {"INJECT", 3u << 10},
		{"mmio", 7u << 1},      {"exception", 1u << 4 | 7u << 6}, {"console", 1u << 2}, {"END", 0},
		{"switch", 1u << 13},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_filter filter = with_kind(cases[i].name);
		cr_expect_eq(wanted(&filter), cases[i].wanted, "%s", cases[i].name);
	}
	struct event_filter both = with_kind("console");
	cr_assert(event_filter_add(&both, "input"));
	cr_expect_eq(wanted(&both), 1u << 2 | 1u << 9);
}

Test(event_filter, positions_vcpus_and_addresses)
{
	struct event_filter filter = event_filter_all;
	filter.from_n = 3;
	filter.to_n = 5;
	cr_expect_eq(wanted(&filter), 7u << 3);
	filter = event_filter_all;
	filter.by_vcpu = true;
	filter.vcpu = 1;
	cr_expect_eq(wanted(&filter), 1u << 11);
	for (filter.vcpu = 2; filter.vcpu <= 3; filter.vcpu++)
		cr_expect_eq(wanted(&filter), 1u << 13, "who leaves, and who goes on");
	filter.vcpu = 27;
	cr_expect_eq(wanted(&filter), 0, "an interrupt is no vCPU");
	filter = event_filter_all;
	cr_assert(event_filter_address(&filter, NULL, "uart"));
	cr_expect_eq(wanted(&filter), 3u << 1 | 1u << 9, "only kinds that have a physical address");
	cr_assert(event_filter_address(&filter, NULL, "0x1000..0x1fff"));
	cr_expect_eq(wanted(&filter), 1u << 4);
	cr_assert(event_filter_address(&filter, NULL, "27"));
	cr_expect_eq(wanted(&filter), 0, "a register's key is no address");
	filter = with_kind("irq");
	cr_assert(event_filter_address(&filter, NULL, "27"));
	cr_expect_eq(wanted(&filter), 1u << 10);
}

Test(event_filter, what_has_no_meaning_is_refused)
{
	struct event_filter filter = event_filter_all;
	static const char *const kinds[] = {"", "IRQS", "mmio_", "13", "console ", "NONE"};
	static const char *const addresses[] = {"", "uarts", "virtio32", "0x10..0xf", "5..", "-1", "gicd..gicr"};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		cr_expect_not(event_filter_add(&filter, kinds[i]), "%s", kinds[i]);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		cr_expect_not(event_filter_address(&filter, NULL, addresses[i]), "%s", addresses[i]);
	cr_expect_eq(wanted(&filter), 0x3ffe, "the filter is as it was");
}

/* A guest with a disk and a network card: transports 0 and 1; and entropy at the last one. */
Test(event_filter, devices)
{
	static const struct event of_devices[] = {
		{.kind = EVENT_DISK_READ, .address = UINT64_C(0) << 56 | 7},
		{.kind = EVENT_DISK_ERROR, .address = UINT64_C(2) << 56 | 7},
		{.kind = EVENT_PACKET_IN, .address = 1},
		{.kind = EVENT_PACKET_OUT, .address = 1},
		{.kind = EVENT_ENTROPY, .address = 31},
		{.kind = EVENT_MMIO_READ, .address = GUEST_VIRTIO_IPA + 0x70, .size = 4},
		{.kind = EVENT_MMIO_READ, .address = GUEST_VIRTIO_IPA + GUEST_VIRTIO_BYTES, .size = 4},
		{.kind = EVENT_DISK_READ, .address = UINT64_C(200) << 56},
		{.kind = EVENT_PACKET_IN, .address = UINT64_MAX},
	};
	static const struct {
		const char *kind, *address;
		unsigned wanted;
	} cases[] = {
		{"disk", NULL, 0x83},      {"net", NULL, 0x10c},
		{"rng", NULL, 0x10},       {NULL, "virtio0", 0x21},
		{NULL, "vda", 0x21},       {"disk", "vda", 0x01},
		{NULL, "virtio1", 0x4c},   {NULL, "virtio2", 0x02},
		{"mmio", "virtio0", 0x20}, {"net", "virtio1", 0x0c},
		{NULL, "virtio31", 0x10},  {NULL, "virtio", 0x7f},
		{NULL, "0x0a000000", 0},   {NULL, "0x0a000200..0x0a0003ff", 0x4c},
	};
	struct virtio_list devices;
	struct error error = {0};
	cr_assert(virtio_list_parse("0 disk 64 rw vda \n1 net 52:54:00:00:00:01\n31 rng\n", &devices, &error));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event_filter filter = event_filter_all;
		unsigned bits = 0;
		cr_assert(!cases[i].kind || event_filter_add(&filter, cases[i].kind));
		cr_assert(!cases[i].address || event_filter_address(&filter, &devices, cases[i].address));
		for (size_t at = 0; at < sizeof(of_devices) / sizeof(of_devices[0]); at++)
			bits |= (unsigned)event_filter_wants(&filter, &of_devices[at]) << at;
		cr_expect_eq(bits, cases[i].wanted, "case %zu: %x", i, bits);
	}
	struct event_filter filter = event_filter_all;
	cr_expect_not(event_filter_address(&filter, &devices, "vdb"));
	cr_expect_not(event_filter_address(&filter, NULL, "vda"), "nobody says which it is");
}
