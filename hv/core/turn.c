#include "hv/core/turn.h"
#include "hv/arch/hot.h"
#include "hv/core/debug.h"
#include "hv/core/exclusive.h"
#include "hv/core/hv.h"
#include "hv/core/interrupts.h"
#include "hv/core/timers.h"
#include "hv/core/vcpu.h"
#include "hv/dev/vgic.h"

bool turn_can_run(uint32_t vcpu)
{
	return hv.guest.vcpu[vcpu].power == VCPU_ON &&
	       (!hv.guest.turn.waits[vcpu] || vgic_has_pending(&hv.guest, vcpu));
}

bool turn_others_can_run(void)
{
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++) {
		if (i != hv.guest.current && turn_can_run(i))
			return true;
	}
	return false;
}

HV_APART void turn_give(uint32_t to, enum switch_reason why)
{
	hv.guest.turn.waits[hv.guest.current] = why == SWITCH_REASON_WAITS;
	hv.guest.turn.waits[to] = 0;
	interrupts_fold();
	exclusive_drop();
	vcpu_turn(to);
	timers_sample();
	debug_turn();
}
