/* Names of what events hold numbers of: registers, devices, interrupts, functions, reasons. Used by event_text.c, and
 * by the monitor for the names that a user types. Texts are cut to `bytes`, NUL included; nothing here can fail. */
#pragma once
#include "hv/abi/event.h"
#include <stddef.h>

/* A trapped system register by SYSREG_KEY: "CNTPCT_EL0", "DBGBVR2_EL1", or "S3_0_C1_C2_3" for one without a name. Above
 * 16 bits: the syndrome of an AArch32 access. */
void event_text_sysreg(uint64_t key, char *text, size_t bytes);

/* A device register by guest physical address: "uart UARTDR", "gicr0 GICR_WAKER", or the number where no device is. */
void event_text_address(uint64_t ipa, char *text, size_t bytes);

/* An interrupt: "27 (virtual timer)", "5 (SGI)". */
void event_text_interrupt(uint64_t intid, char *text, size_t bytes);

/* An SMCCC function: "PSCI_FEATURES". */
void event_text_function(uint64_t function, char *text, size_t bytes);

/* What an SMCCC function returned: "NOT_SUPPORTED", "0x10001". */
void event_text_result(uint64_t result, char *text, size_t bytes);

/* enum exit_reason: "virtual timer"; NULL for one that does not exist. An end's is hv/abi/reason.h's. */
const char *event_text_exit_reason(uint64_t reason);
/* The same of an EVENT_SWITCH. */
const char *event_text_switch_reason(uint64_t reason);

/* The guest physical addresses of a device by name: uart, rtc, gicd, gicr, virtio, or one of several as virtio3. False:
 * there is no such device. */
bool event_text_device(const char *name, uint64_t *first_ipa, uint64_t *last_ipa);
