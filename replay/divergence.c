/* Prints a divergence: first the one line, then the registers for whoever looks into it. */
#include "replay/divergence.h"

#include <inttypes.h>
#include <stdio.h>

static const char *kind_text(uint16_t kind)
{
	switch (kind) {
#define EVENT(id, name, class, address, value, text)                                                                   \
	case id:                                                                                                       \
		return #name;
#include "hv/abi/event.def"
#undef EVENT
	default:
		return "nothing";
	}
}

static void event_text(const struct event *event, char *text, size_t bytes)
{
	if (event->kind == 0)
		snprintf(text, bytes, "nothing at n %" PRIu64 " pc %#" PRIx64, event->n, event->pc);
	else
		snprintf(text, bytes,
			 "%s at n %" PRIu64 " pc %#" PRIx64 " address %#" PRIx64 " value %#" PRIx64 " size %u",
			 kind_text(event->kind), event->n, event->pc, event->address, event->value, event->size);
}

bool divergence_report(const struct hv_mailbox *mailbox, struct error *error)
{
	const struct vcpu_state *vcpu = &mailbox->final_state.vcpu[mailbox->actual.vcpu % GUEST_VCPU_MAX];
	char expected[256], actual[256];
	event_text(&mailbox->expected, expected, sizeof(expected));
	event_text(&mailbox->actual, actual, sizeof(actual));
	for (int i = 0; i < 31; i++)
		fprintf(stderr, "x%-2d %016" PRIx64 "%s", i, vcpu->x[i], i % 4 == 3 ? "\n" : "  ");
	fprintf(stderr, "\npc  %016" PRIx64 "  pstate %016" PRIx64 "  elr_el1 %016" PRIx64 "  esr_el1 %" PRIx64 "\n",
		vcpu->pc, vcpu->pstate, vcpu->elr_el1, vcpu->esr_el1);
	return error_set(error, STATUS_DIVERGED, "divergence at event %" PRIu64 ", vcpu %u: expected %s; got %s",
			 mailbox->event_tail, mailbox->actual.vcpu, expected, actual);
}
