/* The recording half of the gate: values come from the machine and the host, events go into the ring. */
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/arch/panic.h"
#include "hv/board/board.h"
#include "hv/core/asking.h"
#include "hv/core/gate_half.h"
#include "hv/core/net.h"
#include "hv/core/patch.h"
#include "hv/core/publish.h"
#include "hv/core/ring.h"
#include "hv/core/schedule.h"
#include "hv/core/timers.h"
#include "hv/core/virtio_device.h"
#include "hv/dev/pl011.h"

#define AHEAD UINT64_C(5000000)
enum { LOOKS = 5000 };

static bool hang_seen;
static uint64_t last_n = UINT64_MAX; /* of the last event */
static insn_t stop;
static bool exit_is_first; /* the last EXIT is the first event of its position */

static uint64_t room(void)
{
	return hv.boot->event_ring_count - (hv.mailbox->event_head - ring_index_load(&hv.mailbox->event_tail));
}

static HV_APART void room_wait(void)
{
	while (room() == 0) {
		ring_wait_announce();
		if (room() == 0)
			ring_wait();
	}
	CHECK(room() <= hv.boot->event_ring_count);
	ring_events_from(hv.mailbox->event_head, room());
}

static struct event *event_room(void)
{
	if (ring_events.next == ring_events.end)
		room_wait();
	return ring_events.next;
}

/* Appends the event that was written there. */
static void appended(const struct event *event)
{
	if (event->kind == EVENT_EXIT) {
		CHECK(last_n == UINT64_MAX || event->n >= last_n);
		exit_is_first = event->n != last_n;
	}
	last_n = event->n;
	ring_events.next++;
	ring_index_store(&hv.mailbox->event_head, hv.mailbox->event_head + 1);
}

static const struct event *append(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size)
{
	struct event *event = event_room();
	gate_half_event(event, kind, address, value, size);
	appended(event);
	return event;
}

void record_forget(void)
{
	last_n = UINT64_MAX;
	schedule_forget();
}

void record_note(enum event_kind kind, uint64_t address, uint64_t value)
{
	append(kind, address, value, 0);
}

bool record_exit(uint32_t *reason)
{
	return *reason != 0;
}

/* The host clears the dirty state of stage 2 meanwhile, which counts only when no translation remembers it. It takes
 * some milliseconds, and a sleep would take in interrupts here, so hv stays awake. After a trap that did not retire
 * there is no place for a keyframe: a replay to this position stops before it. */
void record_keyframe(void)
{
	if (!hv.mailbox->keyframe_request || !exit_is_first)
		return;
	CHECK(!(hv_vcpu()->stepping & VCPU_PASSING)); /* the exit ended it, so the debug registers are the guest's */
	publish(HV_STATE_KEYFRAME);
	while (__atomic_load_n(&hv.mailbox->state, __ATOMIC_ACQUIRE) == HV_STATE_KEYFRAME)
		arch_yield();
	patch_show();
	arch_tlb_forget();
}

static bool input_queued(void)
{
	return ring_index_load(&hv.mailbox->input_head) != hv.mailbox->input_tail;
}

/* Input that can go into its device. What is queued for a full FIFO, or before the guest asks, wakes nobody. */
static bool input_ready(void)
{
	return input_queued() && pl011_can_receive(&hv.guest.uart) && asking(&hv.guest.uart);
}

bool record_input(uint8_t *byte)
{
	const uint8_t *slots = (const uint8_t *)hv.boot->input_ring_pa;
	uint64_t tail = hv.mailbox->input_tail;
	if (!input_ready())
		return false;
	CHECK(hv.mailbox->input_head - tail <= hv.boot->input_ring_bytes);
	*byte = slots[tail & (hv.boot->input_ring_bytes - 1)];
	ring_index_store(&hv.mailbox->input_tail, tail + 1);
	return true;
}

/* A packet needs no answer: it is here already. */
bool record_ask(enum event_kind kind, struct hv_ask *ask)
{
	(void)kind;
	if (ask->kind == HV_ASK_PACKET) {
		ask->bytes = ring_packet_take((void *)(uintptr_t)hv.boot->transfer_pa);
		return true;
	}
	return ring_ask(ask);
}

static uint64_t output_room(void)
{
	uint64_t used = hv.mailbox->output_head - ring_index_load(&hv.mailbox->output_tail);
	CHECK(used <= hv.boot->output_ring_bytes);
	return hv.boot->output_ring_bytes - used;
}

void record_output(const void *bytes, uint32_t count)
{
	uint8_t *slots = (uint8_t *)hv.boot->output_ring_pa;
	uint64_t head = hv.mailbox->output_head, first = head & (hv.boot->output_ring_bytes - 1);
	uint64_t to_end = hv.boot->output_ring_bytes - first;
	uint64_t part = count < to_end ? count : to_end;
	while (output_room() < count) {
		ring_wait_announce();
		if (output_room() < count)
			ring_wait();
	}
	arch_copy(slots + first, bytes, part);
	arch_copy(slots, (const uint8_t *)bytes + part, count - part);
	ring_index_store(&hv.mailbox->output_head, head + count);
}

/* One ring brings the host to all that is sent until it looks. */
void record_sent(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the events are there before it is seen whether the host looks */
	if (__atomic_load_n(&hv.mailbox->packets_sent, __ATOMIC_ACQUIRE))
		return;
	__atomic_store_n(&hv.mailbox->packets_sent, 1, __ATOMIC_RELEASE);
	board_doorbell_ring();
}

static bool packet_queued(void)
{
	return ring_index_load(&hv.mailbox->packet_head) != hv.mailbox->packet_tail;
}

static bool packet_ready(void)
{
	return packet_queued() && virtio_device_wants_packet();
}

bool record_packet(uint32_t transport)
{
	return packet_queued() && virtio_device_has_work(transport, NET_RECEIVE);
}

/* Nothing can ever wake the guest: asleep, it neither makes room for queued input nor asks for it. */
static bool hung(ns_t deadline)
{
	bool ended = __atomic_load_n(&hv.mailbox->input_ended, __ATOMIC_ACQUIRE); /* what came before it is queued */
	return deadline.v == UINT64_MAX && !virtio_device_has_network() && !input_ready() && (ended || input_queued());
}

/* Whether the newest bytes on the console are what the host waits for. */
static bool console_watched(uint64_t newest)
{
	for (uint32_t i = 0; i < HV_CONSOLE_WATCHES; i++) {
		uint64_t mask = hv.mailbox->console_watch[i].mask;
		if (mask != 0 && ((newest ^ hv.mailbox->console_watch[i].bytes) & mask) == 0)
			return true;
	}
	return false;
}

static HV_APART void console_shown(void)
{
	__atomic_store_n(&hv.mailbox->console_shown, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&hv.mailbox->console_shown, __ATOMIC_ACQUIRE)) {
		ring_wait_announce();
		if (hv.mailbox->console_shown)
			ring_wait();
	}
}

/* Looks at what the guest does with its UART, and whether the console now shows what the host waits for; stands still
 * then until the host has seen it. */
static void access_see(const struct event *event)
{
	static uint64_t newest;
	asking_see(event, hv_now());
	if (event->kind != EVENT_MMIO_WRITE || event->address != GUEST_UART_IPA || event->size == 0)
		return;
	newest = newest << 8 | (event->value & UINT8_MAX);
	if (console_watched(newest))
		console_shown();
}

void record_trap(enum event_kind kind, uint64_t address, uint64_t value, uint8_t size, bool inexact)
{
	(void)inexact;
	access_see(append(kind, address, value, size));
}

/* Whether guest time may go on to `deadline`, with --pace real. It may be ahead of what the host lets it have by AHEAD,
 * or each 40 us that a disk takes would cost a sleep. */
static bool is_granted(ns_t deadline)
{
	return deadline.v != UINT64_MAX && deadline.v <= hv.mailbox->real_ns + AHEAD;
}

static bool wakes(ns_t deadline)
{
	return input_ready() || packet_ready() || hv.mailbox->stop_request || is_granted(deadline) || hung(deadline);
}

/* An answer from the network often comes before a sleep has begun and been ended, each of which goes through the
 * machine's serial line and its threads. The host need not ring for packets while idle_target_ns is set and `waits` is
 * not. */
static bool wakes_soon(ns_t deadline)
{
	uint32_t left = virtio_device_has_network() ? LOOKS : 0;
	while (left > 0 && !wakes(deadline))
		left--;
	return left > 0;
}

/* Sleeps until there is input, a packet, a request to stop, or guest time may go on to `deadline`. */
static void sleep_for_host(ns_t deadline)
{
	hv.mailbox->now_ns = hv_now().v;
	ring_index_store(&hv.mailbox->idle_target_ns, deadline.v == UINT64_MAX ? deadline.v : deadline.v - AHEAD);
	while (!wakes_soon(deadline)) {
		ring_wait_announce();
		if (wakes(deadline))
			break;
		ring_wait();
	}
	hv.mailbox->waits = 0;
	hv.mailbox->idle_target_ns = 0;
}

/* How far guest time moves on with --pace real: with the real clock, never past the deadline. */
static ns_t real_jump(ns_t deadline)
{
	uint64_t now = hv_now().v;
	uint64_t until = is_granted(deadline) ? deadline.v : hv.mailbox->real_ns;
	return (ns_t){until > now ? until - now : 0};
}

static ns_t spin_jump(ns_t jump, ns_t deadline)
{
	uint64_t left = deadline.v - hv_now().v;
	return (ns_t){left < jump.v ? left : jump.v};
}

ns_t record_idle(ns_t deadline)
{
	ns_t jump = schedule_spin_jump();
	if (jump.v != 0)
		return spin_jump(jump, deadline);
	asking_idle(&hv.guest.uart);
	if (input_ready() || packet_ready())
		return (ns_t){0};
	if (hv.boot->pace == HV_PACE_SKIP && deadline.v != UINT64_MAX)
		return (ns_t){deadline.v - hv_now().v};
	if (!is_granted(deadline))
		sleep_for_host(deadline);
	hang_seen = hung(deadline);
	if (hv.boot->pace == HV_PACE_SKIP)
		return (ns_t){0};
	return real_jump(deadline);
}

bool record_idle_due(bool waits)
{
	return waits || schedule_spin_jump().v != 0;
}

bool record_end_due(uint32_t *reason)
{
	if (hv.mailbox->stop_request)
		*reason = END_REASON_HOST;
	else if (hv.boot->limit_n != 0 && hv.guest.n >= hv.boot->limit_n)
		*reason = END_REASON_LIMIT;
	else if (hang_seen)
		*reason = END_REASON_HANG;
	return *reason != 0;
}

insn_t record_next_stop(insn_t deadline, insn_t alarm)
{
	(void)alarm;
	stop = schedule_deadline();
	if (deadline.v < stop.v)
		stop = deadline;
	if (hv.boot->limit_n != 0 && hv.boot->limit_n < stop.v)
		stop.v = hv.boot->limit_n;
	return stop;
}

insn_t record_stop_at_rest(insn_t alarm)
{
	(void)alarm;
	bool stands = timers_stand() && hv.guest.n < stop.v && !hv.mailbox->stop_request && !input_ready();
	return (insn_t){stands ? stop.v : 0};
}
