/* Sleeping for the host. Interrupts that come meanwhile are kept for the run loop. */
#include "hv/core/ring.h"
#include "hv/arch/arch.h"
#include "hv/arch/panic.h"
#include "hv/board/board.h"
#include "hv/core/interrupts.h"

/* For an answer, before hv sleeps: most come in less than it takes to wake up. */
enum { LOOKS = 3000 };

struct ring_events ring_events;

void ring_events_forget(void)
{
	ring_events = (struct ring_events){NULL, NULL};
}

void ring_events_from(uint64_t index, uint64_t count)
{
	struct event *slots = (struct event *)hv.boot->event_ring_pa;
	uint64_t first = index & (hv.boot->event_ring_count - 1);
	uint64_t left = hv.boot->event_ring_count - first;
	ring_events.next = &slots[first];
	ring_events.end = ring_events.next + (count < left ? count : left);
}

void ring_wait_announce(void)
{
	hv.mailbox->waits = 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* announced before the caller looks again */
}

void ring_bell_ask(void)
{
	board_host_let_in();
	ring_wait_announce();
	board_doorbell_ring();
}

/* The host has yet to look for what it was rung for last, and looks at all then. */
void ring_wait(void)
{
	if (!__atomic_load_n(&hv.mailbox->packets_sent, __ATOMIC_ACQUIRE))
		board_doorbell_ring();
	while (hv.mailbox->waits)
		interrupts_taken_add(board_wait());
	ring_bell_await();
}

bool ring_ask(struct hv_ask *ask)
{
	volatile struct hv_ask *shared = &hv.mailbox->ask;
	shared->device = ask->device;
	shared->bytes = ask->bytes;
	shared->sector = ask->sector;
	shared->failed = 0;
	__atomic_store_n(&shared->kind, ask->kind, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&hv.mailbox->looks, __ATOMIC_SEQ_CST))
		board_doorbell_ring();
	for (uint32_t i = 0; i < LOOKS && __atomic_load_n(&shared->kind, __ATOMIC_ACQUIRE) != HV_ASK_NONE; i++)
		;
	while (__atomic_load_n(&shared->kind, __ATOMIC_ACQUIRE) != HV_ASK_NONE) {
		ring_wait_announce();
		if (shared->kind != HV_ASK_NONE)
			ring_wait();
	}
	return !shared->failed;
}

static void packet_bytes_copy(uint8_t *to, uint64_t from, uint64_t bytes)
{
	const uint8_t *slots = (const uint8_t *)hv.boot->packet_ring_pa;
	uint64_t first = from & (hv.boot->packet_ring_bytes - 1);
	uint64_t to_end = hv.boot->packet_ring_bytes - first;
	uint64_t part = bytes < to_end ? bytes : to_end;
	arch_copy(to, slots + first, part);
	arch_copy(to + part, slots, bytes - part);
}

uint32_t ring_packet_take(uint8_t *to)
{
	uint64_t tail = hv.mailbox->packet_tail;
	uint32_t bytes;
	packet_bytes_copy((uint8_t *)&bytes, tail, sizeof(bytes));
	CHECK(bytes <= HV_PACKET_BYTES_MAX && bytes <= ring_index_load(&hv.mailbox->packet_head) - tail);
	packet_bytes_copy(to, tail + sizeof(bytes), bytes);
	uint64_t whole = (sizeof(bytes) + bytes + HV_PACKET_ALIGN - 1) & ~(uint64_t)(HV_PACKET_ALIGN - 1);
	ring_index_store(&hv.mailbox->packet_tail, tail + whole);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* given back before the caller looks whether there is another */
	return bytes;
}

void ring_bell_await(void)
{
	while (hv.boot->serve && board_bell() != (uint8_t)__atomic_load_n(&hv.mailbox->bell, __ATOMIC_ACQUIRE))
		interrupts_taken_add(board_wait());
}
