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
}
