/* What hv took the guest through is over before its state is saved: a state says nothing of a step that is half done.
 */
#include "hv/core/publish.h"
#include "hv/arch/hot.h"
#include "hv/board/board.h"
#include "hv/core/debug_step.h"
#include "hv/core/exclusive.h"
#include "hv/core/hv.h"
#include "hv/core/patch.h"
#include "hv/core/vcpu.h"

HV_APART void publish(enum hv_state state)
{
	debug_step_end();
	exclusive_drop();
	vcpu_save();
	patch_hide();
	hv.mailbox->now_n = hv.guest.n;
	hv.mailbox->now_ns = hv_now().v;
	*(struct guest_state *)&hv.mailbox->final_state = hv.guest;
	__atomic_store_n(&hv.mailbox->state, (uint32_t)state, __ATOMIC_RELEASE);
	board_doorbell_ring();
}

HV_APART void publish_end(enum hv_state state)
{
	hv.ended = true;
	publish(state);
}
