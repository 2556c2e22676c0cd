/* Obeys the debugger's host: run up to a position, on the recording's way or diverted from it; become another guest.
 *
 * 1. A stop that the recording did not have is a view (invariant I8). It folds nothing and leaves no event; whether the
 *    guest may go on from it, or from a checkpoint before it, is the host's to know (replay/travel/timeline.h).
 * 2. The host sets the event ring's indexes and contents before each command; replaying, hv only reads on from there.
 */
#include "hv/core/service.h"
#include "hv/arch/arch.h"
#include "hv/board/board.h"
#include "hv/core/debug.h"
#include "hv/core/debug_pass.h"
#include "hv/core/exclusive.h"
#include "hv/core/gate.h"
#include "hv/core/guest_clock.h"
#include "hv/core/hv.h"
#include "hv/core/publish.h"
#include "hv/core/ring.h"
#include "hv/core/run.h"
#include "hv/core/vcpu.h"

static enum hv_command command_wait(void)
{
	enum hv_command command;
	while ((command = (enum hv_command)__atomic_load_n(&hv.mailbox->command, __ATOMIC_ACQUIRE)) == HV_COMMAND_NONE)
		board_wait();
	hv.mailbox->command = HV_COMMAND_NONE;
	ring_bell_await();
	return command;
}

static void pages_copy(void)
{
	const struct hv_page *pages = (const struct hv_page *)hv.boot->staging_pa;
	for (uint64_t i = 0; i < hv.mailbox->page_count; i++)
		arch_page_copy((void *)(hv.boot->guest_ram_pa + (pages[i].ipa - GUEST_RAM_IPA)), pages[i].bytes,
			       pages[i].lines);
}

void service_resume(void)
{
	hv.guest = *(const struct guest_state *)&hv.mailbox->final_state;
	hv.vcpu = &hv.guest.vcpu[hv.guest.current];
	arch_tlb_forget();
	vcpu_load();
	debug_load();
	clock_adjust(hv.guest.n - clock_now().v);
	exclusive_drop();
	guest_clock_jumped();
}

static void load(void)
{
	pages_copy();
	hv.mailbox->debug_point_count = 0; /* the next run brings its own */
	service_resume();
	publish_end(HV_STATE_STOPPED);
}

void service_run(void)
{
	for (;;) {
		enum hv_command command = command_wait();
		hv.ended = false;
		hv.mailbox->end_reason = 0;
		__atomic_store_n(&hv.mailbox->state, (uint32_t)HV_STATE_RUNNING, __ATOMIC_RELEASE);
		if (command == HV_COMMAND_LOAD) {
			load();
			continue;
		}
		hv.until_n = hv.mailbox->run_until_n;
		debug_pass_forget();
		gate_run_begin(hv.mailbox->diverted);
		debug_load();
		run();
		gate_run_end();
	}
}
