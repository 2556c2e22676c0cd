/* Prints a divergence: first the one line, then the registers for whoever looks into it. */
#include "replay/divergence.h"
#include "replay/event_text.h"

#include <inttypes.h>
#include <stdio.h>

static void place_text(const struct event *event, char *text, size_t bytes)
{
	char meaning[EVENT_TEXT_BYTES];
	event_text_meaning(event, meaning, sizeof(meaning));
	snprintf(text, bytes, "%s at n %" PRIu64 " pc %#" PRIx64, meaning, event->n, event->pc);
}

bool divergence_report(const struct hv_mailbox *mailbox, struct error *error)
{
	const struct vcpu_state *vcpu = &mailbox->final_state.vcpu[mailbox->actual.vcpu % GUEST_VCPU_MAX];
	char expected[EVENT_TEXT_BYTES + 64], actual[EVENT_TEXT_BYTES + 64];
	place_text(&mailbox->expected, expected, sizeof(expected));
	place_text(&mailbox->actual, actual, sizeof(actual));
	for (int i = 0; i < 31; i++)
		fprintf(stderr, "x%-2d %016" PRIx64 "%s", i, vcpu->x[i], i % 4 == 3 ? "\n" : "  ");
	fprintf(stderr, "\npc  %016" PRIx64 "  pstate %016" PRIx64 "  elr_el1 %016" PRIx64 "  esr_el1 %" PRIx64 "\n",
		vcpu->pc, vcpu->pstate, vcpu->elr_el1, vcpu->esr_el1);
	return error_set(error, STATUS_DIVERGED, "divergence at event %" PRIu64 ", vcpu %u: expected %s; got %s",
			 mailbox->event_tail, mailbox->actual.vcpu, expected, actual);
}
