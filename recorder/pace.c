/* Guest time may be ahead of real time, when it slept for less than it was told to (hv/core/gate_record.c): it is then
 * not let on before real time has come there. */
#include "recorder/pace.h"
#include "hv/host/machine.h"

uint64_t pace_update(struct pace *pace, struct hv_mailbox *mailbox, uint64_t real_ns)
{
	uint64_t target = machine_index_load(&mailbox->idle_target_ns), now = mailbox->now_ns;
	bool sleeps_on = target != 0 && target == pace->target_ns && now == pace->now_ns;
	if (!sleeps_on && real_ns - pace->behind_ns > now)
		pace->behind_ns = real_ns - now;
	pace->target_ns = target;
	pace->now_ns = now;
	uint64_t may_go = real_ns - pace->behind_ns;
	machine_index_store(&mailbox->real_ns, may_go);
	if (target == 0 || target == UINT64_MAX)
		return UINT64_MAX;
	return may_go < target ? target - may_go : 0;
}
