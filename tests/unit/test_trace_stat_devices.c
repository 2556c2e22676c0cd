/* What devices did, counted: the small trace of a guest with devices, and requests in pieces. */
#include "replay/trace/trace_stat.h"
#include "tests/unit/device_fixture.h"

TestSuite(trace_stat_devices, .init = fixture_setup, .fini = fixture_teardown);

static void expect_flow(const struct trace_stat_flow *flow, uint64_t count, uint64_t bytes)
{
	cr_expect(flow->count == count && flow->bytes == bytes, "%d of %d bytes", (int)flow->count, (int)flow->bytes);
}

Test(trace_stat_devices, each_device_by_itself)
{
	struct error error = {0};
	struct trace_stat stat;
	struct trace_reader *trace = device_open();
	cr_assert(trace_stat_get(trace, &stat, &error), "%s", error.text);
	const struct trace_stat_device *disk = &stat.devices.at[0], *net = &stat.devices.at[DEVICE_NET];
	expect_flow(&disk->in, 1, 4096);
	expect_flow(&disk->out, 2, 4608);
	expect_flow(&disk->zeroed, 1, 4608);
	cr_expect(disk->flush_count == 1 && disk->error_count == 1);
	expect_flow(&net->in, 1, 90);
	expect_flow(&net->out, 2, 63);
	expect_flow(&stat.devices.at[DEVICE_RNG].in, 1, 64);
	cr_expect_eq(stat.device_list.device[0].type, VIRTIO_TYPE_BLOCK);
	cr_expect(stat.totals.block_count == 5 && stat.totals.payload_count == 4);
	trace_stat_free(&stat);
	trace_close(trace);
}

Test(trace_stat_devices, a_request_in_pieces_is_one)
{
	enum { MIB = 1 << 20, SECTORS = MIB / 512 };
	static const struct {
		struct event event;
		uint64_t count; /* of requests so far */
	} steps[] = {
		{{.kind = EVENT_DISK_READ, .n = 5, .address = 8, .value = DEVICE_DATA(MIB)}, 1},
		{{.kind = EVENT_DISK_READ, .n = 5, .address = 8 + SECTORS, .value = DEVICE_DATA(MIB)}, 1},
		{{.kind = EVENT_PACKET_IN, .n = 5, .address = 1, .value = DEVICE_DATA(60)}, 1},
		{{.kind = EVENT_DISK_READ, .n = 5, .address = 8 + 2 * SECTORS, .value = DEVICE_DATA(512)}, 1},
		{{.kind = EVENT_DISK_READ, .n = 5, .address = 8 + 3 * SECTORS, .value = DEVICE_DATA(MIB)}, 2},
		{{.kind = EVENT_DISK_READ, .n = 6, .address = 8 + 4 * SECTORS, .value = DEVICE_DATA(MIB)}, 3},
		{{.kind = EVENT_DISK_READ, .n = 6, .address = 8, .value = DEVICE_DATA(MIB)}, 4},
	};
	struct trace_stat_devices devices = {0};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		trace_stat_devices_add(&devices, &steps[i].event);
		cr_expect_eq(devices.at[0].in.count, steps[i].count, "step %zu", i);
	}
	expect_flow(&devices.at[1].in, 1, 60);
}

Test(trace_stat_devices, what_no_machine_has_is_left_out)
{
	static const struct event events[] = {
		{.kind = EVENT_DISK_WRITE, .address = UINT64_C(32) << 56, .value = DEVICE_DATA(512)},
		{.kind = EVENT_PACKET_IN, .address = UINT64_MAX, .value = DEVICE_DATA(512)},
		{.kind = 999, .address = 1},
	};
	struct trace_stat_devices devices = {0}, none = {0};
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		trace_stat_devices_add(&devices, &events[i]);
	cr_expect_eq(memcmp(&devices, &none, sizeof(devices)), 0);
}
