/* Sleeping for the host. Interrupts that come meanwhile are kept for the run loop. */
#include "hv/core/ring.h"
#include "hv/board/board.h"
#include "hv/core/run.h"

void ring_wait_announce(void)
{
	hv.mailbox->waits = 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* announced before the caller looks again */
}

void ring_wait(void)
{
	board_doorbell_ring();
	while (hv.mailbox->waits)
		run_interrupts_add(board_wait());
	ring_settle();
}

void ring_settle(void)
{
	while (hv.boot->serve && board_bell() != (uint8_t)__atomic_load_n(&hv.mailbox->bell, __ATOMIC_ACQUIRE))
		run_interrupts_add(board_wait());
}
