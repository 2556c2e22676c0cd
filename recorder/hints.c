/* The first external abort by name, and calls of semihosting. */
#include "recorder/hints.h"
#include "hv/abi/esr.h"
#include "recorder/absent.h"

#include <inttypes.h>
#include <string.h>

#define HLT_SEMIHOSTING UINT32_C(0xd45e0000) /* HLT #0xF000 (Semihosting for AArch32 and AArch64, 4.1) */
#define GICC_IPA        UINT64_C(0x08010000)
#define GICC_BYTES      UINT64_C(0x10000)

static bool is_gicc(const struct event *event)
{
	return event->address - GICC_IPA < GICC_BYTES;
}

void hints_see(struct hints *hints, const struct event *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (events[i].kind != EVENT_EXTERNAL_ABORT)
			continue;
		if (hints->first.kind == 0 || (is_gicc(&events[i]) && !is_gicc(&hints->first)))
			hints->first = events[i];
	}
}

static void abort_add(const struct event *abort, struct error *error)
{
	const char *device = absent_device(abort->address);
	const char *access = esr_abort_is_fetch(abort->value) ? "ran code at"
			     : abort->value & ISS_WNR         ? "wrote to"
							      : "read";
	error_add(error, "; at instruction %" PRIu64 " it %s %#" PRIx64 ", where QEMU's virt board has %s", abort->n,
		  access, abort->address, device ? device : "nothing either");
}

static bool word_is_hlt(const uint8_t *bytes)
{
	uint32_t word;
	memcpy(&word, bytes, sizeof(word));
	return word == HLT_SEMIHOSTING;
}

/* Whether the guest's last exception was such a call; found where its memory is mapped one to one, or not at all. */
static bool ended_at_hlt(const struct machine *machine)
{
	const struct guest_state *state = &machine->mailbox->final_state;
	const struct vcpu_state *vcpu = &state->vcpu[state->current % GUEST_VCPU_MAX];
	uint64_t offset = vcpu->elr_el1 - GUEST_RAM_IPA;
	return FIELD_GET(vcpu->esr_el1, ESR_EC) == EC_UNKNOWN && machine->guest_ram_bytes >= sizeof(uint32_t) &&
	       offset <= machine->guest_ram_bytes - sizeof(uint32_t) && word_is_hlt(machine->guest_ram + offset);
}

static bool has_hlt(const struct hints *hints)
{
	const uint8_t *bytes = hints->program;
	for (size_t at = 0; bytes && at + sizeof(uint32_t) <= hints->program_bytes; at += sizeof(uint32_t)) {
		if (word_is_hlt(bytes + at))
			return true;
	}
	return false;
}

void hints_add(const struct hints *hints, const struct machine *machine, struct error *error)
{
	if (hints->first.kind != 0)
		abort_add(&hints->first, error);
	if (ended_at_hlt(machine))
		error_add(error, "; its last exception is HLT #0xF000: there is no semihosting");
	else if (hints->first.kind != 0 && esr_abort_is_fetch(hints->first.value) && has_hlt(hints))
		error_add(error, "; the program has HLT #0xF000 in it: there is no semihosting");
}
