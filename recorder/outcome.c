#include "recorder/outcome.h"

const char *outcome_text(const volatile struct hv_mailbox *mailbox, bool until_shown)
{
	switch ((enum end_reason)mailbox->end_reason) {
	case END_REASON_POWER_OFF:
		return "power off";
	case END_REASON_RESET:
		return "reset";
	case END_REASON_HOST:
		return until_shown ? "--until was shown" : "ended by the user";
	case END_REASON_LIMIT:
		return "instruction limit";
	case END_REASON_UNSUPPORTED:
		return "unsupported";
	case END_REASON_HANG:
		return "hang";
	case END_REASON_EXCEPTION_LOOP:
		return "exceptions for ever";
	case END_REASON_VECTOR_LOOP:
		return "caught at a vector";
	default:
		return "unknown";
	}
}

void outcome_standstill(const volatile struct hv_mailbox *mailbox, struct error *error)
{
	const struct guest_state *state = (const struct guest_state *)&mailbox->final_state;
	const struct vcpu_state *vcpu = &state->vcpu[state->current];
	bool loop = mailbox->end_reason == END_REASON_EXCEPTION_LOOP;
	error_set(error, STATUS_UNSUPPORTED, "the guest %s at %#llx: %s; ESR_EL1 %#llx, ELR_EL1 %#llx, FAR_EL1 %#llx",
		  loop ? "takes exceptions for ever" : "is caught", (unsigned long long)vcpu->pc,
		  loop ? "no instruction runs" : "it repeats one instruction of its exception vector",
		  (unsigned long long)vcpu->esr_el1, (unsigned long long)vcpu->elr_el1,
		  (unsigned long long)vcpu->far_el1);
}
