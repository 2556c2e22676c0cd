/* The one hypervisor: what every part of hv/core works on. */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stddef.h>

struct hv {
	const struct hv_boot *boot;
	volatile struct hv_mailbox *mailbox;
	struct vcpu_state *vcpu;  /* guest.current's */
	uint64_t until_n;         /* a replay stops here */
	bool ended;               /* nothing enters the guest any more, or until the next command */
	bool own_points_out;      /* the guest's breakpoints and watchpoints had to make room for the debugger's */
	struct guest_state guest; /* the last: the others are near the object's address, for one instruction */
};

extern struct hv hv;

static inline struct vcpu_state *hv_vcpu(void)
{
	return hv.vcpu;
}

/* Guest time at the current position (docs/ARCHITECTURE.md). */
static inline ns_t hv_now(void)
{
	return (ns_t){hv.guest.n + hv.guest.idle_ns};
}

/* The word of guest RAM at `ipa`; NULL: there is none. */
static inline volatile uint32_t *hv_ram_word(ipa_t ipa)
{
	uint64_t offset = ipa.v - GUEST_RAM_IPA;
	if (offset >= hv.boot->guest_ram_bytes || offset % sizeof(uint32_t) != 0)
		return NULL;
	return (volatile uint32_t *)(uintptr_t)(hv.boot->guest_ram_pa + offset);
}

/* The same of what the guest can run: RAM, or the firmware's image in flash. */
static inline volatile uint32_t *hv_code_word(ipa_t ipa)
{
	if (ipa.v - GUEST_FLASH_IPA >= hv.boot->flash_bytes || ipa.v % sizeof(uint32_t) != 0)
		return hv_ram_word(ipa);
	return (volatile uint32_t *)(uintptr_t)(hv.boot->flash_pa + (ipa.v - GUEST_FLASH_IPA));
}

/* Leaves one line for the user in the mailbox: `text`, then `value` in hexadecimal. */
void hv_text(const char *text, uint64_t value);

/* The same in pieces: puts text, or a space and a number in hexadecimal, at `at` in hv_mailbox.text, as far as there is
 * room. Returns where the next piece goes, or the NUL. */
char *hv_text_put(char *at, const char *text);
char *hv_text_put_hex(char *at, uint64_t value);
