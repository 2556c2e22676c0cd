/* Prints a divergence: first the one line, then the registers for whoever looks into it. */
#include "replay/run/divergence.h"
#include "replay/trace/event_text.h"

#include <inttypes.h>
#include <stdio.h>

/* The fields too: two events may differ in what their meaning does not tell. */
static void place_text(const struct event *event, char *text, size_t bytes)
{
	char meaning[EVENT_TEXT_BYTES];
	event_text_meaning(event, NULL, meaning, sizeof(meaning));
	snprintf(text, bytes,
		 "%s at n %" PRIu64 " pc %#" PRIx64 " (address %#" PRIx64 " value %#" PRIx64 " size %u vcpu %u)",
		 meaning, event->n, event->pc, event->address, event->value, event->size, event->vcpu);
}

bool divergence_report(const struct hv_mailbox *mailbox, uint64_t first_event, struct error *error)
{
	const struct vcpu_state *vcpu = &mailbox->final_state.vcpu[mailbox->actual.vcpu % GUEST_VCPU_MAX];
	char expected[EVENT_TEXT_BYTES + 160], actual[EVENT_TEXT_BYTES + 160];
	place_text(&mailbox->expected, expected, sizeof(expected));
	place_text(&mailbox->actual, actual, sizeof(actual));
	for (int i = 0; i < 31; i++)
		fprintf(stderr, "x%-2d %016" PRIx64 "%s", i, vcpu->x[i], i % 4 == 3 ? "\n" : "  ");
	fprintf(stderr, "\npc  %016" PRIx64 "  pstate %016" PRIx64 "  elr_el1 %016" PRIx64 "  esr_el1 %" PRIx64 "\n",
		vcpu->pc, vcpu->pstate, vcpu->elr_el1, vcpu->esr_el1);
	return error_set(error, STATUS_DIVERGED, "divergence at event %" PRIu64 ", vcpu %u: expected %s; got %s",
			 first_event + mailbox->event_tail, mailbox->actual.vcpu, expected, actual);
}
