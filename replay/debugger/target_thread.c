/* gdb's threads: the guest's vCPUs, by index. */
#include "hv/abi/pstate.h"
#include "replay/debugger/target_state.h"

#include <stdio.h>

const struct vcpu_state *replay_target_vcpu(const struct replay_target *target)
{
	return &timeline_state(target->timeline)->vcpu[target->thread % GUEST_VCPU_MAX];
}

bool replay_target_is_turn(const struct replay_target *target)
{
	return timeline_vcpu_index(target->timeline) == target->thread;
}

void replay_target_thread_text(void *context, uint32_t thread, char *text)
{
	static const char *const doing[] = {[VCPU_IS_OFF] = "off",
					    [VCPU_IS_WAITING] = "waiting in WFI",
					    [VCPU_IS_READY] = "ready",
					    [VCPU_IS_RUNNING] = "running"};
	const struct replay_target *target = context;
	uint64_t pstate = timeline_state(target->timeline)->vcpu[thread % GUEST_VCPU_MAX].pstate;
	enum timeline_vcpu_doing does = timeline_vcpu_doing(target->timeline, thread);
	if (does == VCPU_IS_OFF)
		snprintf(text, TARGET_TEXT_BYTES, "%s", doing[does]);
	else
		snprintf(text, TARGET_TEXT_BYTES, "%s, EL%u%s", doing[does],
			 pstate & PSTATE_NRW ? 0 : (unsigned)(pstate >> 2 & 3), pstate & PSTATE_NRW ? ", AArch32" : "");
}
