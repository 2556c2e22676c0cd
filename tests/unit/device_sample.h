/* A small trace of a guest with a disk (vda, 9 sectors: two blocks, the second of them cut), a network card and a
 * source of random bytes, for tests of what looks into traces: the unit tests, and by
 * tests/replay/device_sample the commands. */
#pragma once
#include "hv/abi/machine.h"
#include "storage/trace.h"

#include <string.h>

enum { DEVICE_SECTORS = 9, DEVICE_NET = 3, DEVICE_RNG = 5, DEVICE_RTC_S = 1700000000 };

#define DEVICE_DATA(bytes) ((uint64_t)(bytes) << 32 | 0x77)
#define DEVICE_IDLE_NS     UINT64_C(1000)

static const struct event device_events[] = {
	{.kind = EVENT_MMIO_WRITE, .n = 10, .address = GUEST_VIRTIO_IPA + 0x50, .size = 4},
	{.kind = EVENT_EXIT, .n = 100, .address = EXIT_REASON_ALARM},
	{.kind = EVENT_DISK_READ, .n = 100, .address = 0, .value = DEVICE_DATA(4096)},
	{.kind = EVENT_DISK_WRITE, .n = 100, .address = 0, .value = DEVICE_DATA(4096), .vcpu = 1},
	{.kind = EVENT_DISK_FLUSH, .n = 100, .address = 0},
	{.kind = EVENT_EXIT, .n = 100, .address = EXIT_REASON_ALARM},
	{.kind = EVENT_DISK_WRITE, .n = 100, .address = 0, .value = DEVICE_DATA(512)},
	{.kind = EVENT_PACKET_OUT, .n = 150, .address = DEVICE_NET, .value = DEVICE_DATA(60)},
	{.kind = EVENT_IDLE, .n = 200, .address = UINT64_MAX, .value = DEVICE_IDLE_NS},
	{.kind = EVENT_PACKET_IN, .n = 200, .address = DEVICE_NET, .value = DEVICE_DATA(90)},
	{.kind = EVENT_DISK_ZERO, .n = 200, .address = 0, .value = 4608},
	{.kind = EVENT_DISK_ERROR, .n = 200, .address = 7, .value = 4},
	{.kind = EVENT_ENTROPY, .n = 300, .address = DEVICE_RNG, .value = DEVICE_DATA(64)},
	{.kind = EVENT_PACKET_OUT, .n = 301, .address = DEVICE_NET, .value = DEVICE_DATA(3)},
	{.kind = EVENT_END, .n = 400, .address = END_REASON_POWER_OFF},
};
enum { DEVICE_EVENT_COUNT = sizeof(device_events) / sizeof(device_events[0]) };
/* Numbers of events in it. */
enum { DEVICE_WRITE = 3, DEVICE_REWRITE = 6, DEVICE_OUT = 7, DEVICE_IN = 9, DEVICE_ZERO = 10, DEVICE_SHORT = 13 };

/* The packets: UDP over IPv4, TCP over IPv6, and one that is too short for a header. */
static const uint8_t device_udp[60] = {
	0x52, 0x55, 10, 0, 2,  2, 0x52, 0x54, 0,  0x12, 0x34, 0x56, 0x08, 0x00, 0x45, 0,  0, 46, 0, 0, 0,  0,
	64,   17,   0,  0, 10, 0, 2,    15,   10, 0,    2,    3,    0x9c, 0x40, 0,    53, 0, 26, 0, 0, 'q'};
static const uint8_t device_tcp[90] = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x52, 0x55, 10, 0, 2, 2, 0x86, 0xdd, 0x60, 0,
				       0,    0,    0, 36,   6,    64,   0xfe, 0xc0, 0,  0, 0, 0, 0,    0,    0,    0,
				       0,    0,    0, 0,    0,    2,    0xfe, 0xc0, 0,  0, 0, 0, 0,    0,    0,    0,
				       0,    0,    0, 0,    0,    15,   0x1f, 0x90, 0,  22};
static const uint8_t device_short[3] = {1, 2, 3};

static inline bool device_payloads(struct trace_writer *w, struct error *error)
{
	uint8_t random[64] = {5};
	return trace_put_payload(w, DEVICE_OUT, device_udp, sizeof(device_udp), error) &&
	       trace_put_payload(w, DEVICE_IN, device_tcp, sizeof(device_tcp), error) &&
	       trace_put_payload(w, 12, random, sizeof(random), error) &&
	       trace_put_payload(w, DEVICE_SHORT, device_short, sizeof(device_short), error);
}

/* Block 0: 'i' in the image, then 'w', then a sector of 'r' and 'w', then zeroes. Block 1: zeroes, from DEVICE_ZERO on;
 * before it was never used. */
static inline bool device_blocks(struct trace_writer *w, struct error *error)
{
	uint8_t block[TRACE_BLOCK_BYTES];
	memset(block, 'i', sizeof(block));
	bool good = trace_put_block(w, 0, 0, 0, block, error);
	memset(block, 'w', sizeof(block));
	good = good && trace_put_block(w, 0, 0, DEVICE_WRITE, block, error);
	memset(block, 'r', 512);
	good = good && trace_put_block(w, 0, 0, DEVICE_REWRITE, block, error);
	return good && trace_put_zeroes(w, 0, 0, 2, DEVICE_ZERO, error);
}

/* Writes it to `path`, in place of what is there. */
static inline bool device_write(const char *path, struct error *error)
{
	static const char devices[] = "0 disk 9 ro vda S-1\n3 net 52:54:00:12:34:56\n5 rng\n";
	struct trace_writer *w = trace_create(path, error);
	bool good = w && trace_put_text(w, TRACE_META_DEVICES, devices, error) &&
		    trace_put_u64(w, TRACE_META_RTC_BASE_S, DEVICE_RTC_S, error) &&
		    trace_put_u64(w, TRACE_META_VCPU_COUNT, 2, error) && device_blocks(w, error) &&
		    device_payloads(w, error) && trace_append(w, device_events, DEVICE_EVENT_COUNT, error) &&
		    trace_finish(w, error);
	trace_writer_free(w);
	return good;
}
