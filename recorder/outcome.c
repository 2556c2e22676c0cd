/* The words are those of hv/abi/end_reason.def, but where the recorder knows more than hv. */
#include "recorder/outcome.h"

const char *outcome_text(const volatile struct hv_mailbox *mailbox, bool until_shown)
{
	const char *name = reason_end_name(mailbox->end_reason);
	/* hv and a later reader of the event know only that the host asked; the recorder knows on whose behalf it did
	 */
	if (mailbox->end_reason == END_REASON_HOST)
		return until_shown ? "--until was shown" : "ended by the user";
	return name ? name : "unknown";
}

void outcome_standstill(const volatile struct hv_mailbox *mailbox, struct error *error)
{
	const struct guest_state *state = (const struct guest_state *)&mailbox->final_state;
	const struct vcpu_state *vcpu = &state->vcpu[state->current];
	bool loop = mailbox->end_reason == END_REASON_EXCEPTION_LOOP;
	error_set(error, STATUS_UNSUPPORTED, "the guest %s at %#llx: %s; ESR_EL1 %#llx, ELR_EL1 %#llx, FAR_EL1 %#llx",
		  reason_end_sentence(mailbox->end_reason), (unsigned long long)vcpu->pc,
		  loop ? "no instruction runs" : "it repeats one instruction of its exception vector",
		  (unsigned long long)vcpu->esr_el1, (unsigned long long)vcpu->elr_el1,
		  (unsigned long long)vcpu->far_el1);
}
