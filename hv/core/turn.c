/* A vCPU is judged by what struct guest_state has of it; nothing is folded, and nothing changes. */
#include "hv/core/turn.h"
#include "hv/core/hv.h"
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
