/* Tables of names, and how the numbered ones among them are made. */
#include "replay/trace/event_text_names.h"
#include "hv/abi/machine.h"
#include "hv/abi/sysreg_key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GICR_SGI_FRAME_OFFSET = 0x10000, GIC_ID_OFFSET = 0xffd0 };

enum device_kind { PL011, PL031, GICD, GICR, GIC, VIRTIO, FLASH };

static const struct device {
	const char *name;
	uint64_t ipa;
	uint64_t bytes; /* of each */
	uint32_t count;
	enum device_kind kind;
	const char *prefix; /* of its registers' names */
} devices[] = {
	{"uart", GUEST_UART_IPA, GUEST_UART_BYTES, 1, PL011, ""},
	{"rtc", GUEST_RTC_IPA, GUEST_RTC_BYTES, 1, PL031, ""},
	{"gicd", GUEST_GICD_IPA, GUEST_GICD_BYTES, 1, GICD, "GICD_"},
	{"gicr", GUEST_GICR_IPA, GUEST_GICR_BYTES_PER_VCPU, GUEST_VCPU_MAX, GICR, "GICR_"},
	{"flash", GUEST_FLASH_IPA, GUEST_FLASH_BYTES, 1, FLASH, ""},
	{"virtio", GUEST_VIRTIO_IPA, GUEST_VIRTIO_BYTES, GUEST_VIRTIO_COUNT, VIRTIO, ""},
};
enum { DEVICE_COUNT = sizeof(devices) / sizeof(devices[0]) };

static const struct device_register {
	enum device_kind kind;
	uint32_t first, bytes, stride;
	const char *name;
} device_registers[] = {
#define REGISTER(device, first, bytes, stride, name) {device, first, bytes, stride, name},
#include "replay/trace/event_text.def"
#undef REGISTER
};

static const struct device_register *register_find(enum device_kind kind, uint64_t offset)
{
	for (size_t i = 0; i < sizeof(device_registers) / sizeof(device_registers[0]); i++) {
		const struct device_register *row = &device_registers[i];
		if (row->kind == kind && offset >= row->first && offset - row->first < row->bytes)
			return row;
	}
	return NULL;
}

/* "UARTDR", "GICD_ISENABLER1"; "+1" after it for an access that does not begin where the register does. */
static void register_text(const struct device *device, uint64_t offset, char *text, size_t bytes)
{
	bool second_frame = device->kind == GICR && offset >= GICR_SGI_FRAME_OFFSET;
	uint64_t in_frame = second_frame ? offset - GICR_SGI_FRAME_OFFSET : offset;
	const struct device_register *row = second_frame ? NULL : register_find(device->kind, in_frame);
	if (!row && (device->kind == GICD || second_frame || (device->kind == GICR && in_frame >= GIC_ID_OFFSET)))
		row = register_find(GIC, in_frame);
	if (!row) {
		snprintf(text, bytes, "+%#" PRIx64, offset);
		return;
	}
	uint64_t inside = in_frame - row->first;
	uint64_t rest = row->stride == 0 ? inside : inside % row->stride;
	char number[24] = "", tail[24] = "";
	if (row->stride != 0)
		snprintf(number, sizeof(number), "%" PRIu64, inside / row->stride);
	if (rest != 0)
		snprintf(tail, sizeof(tail), "+%" PRIu64, rest);
	snprintf(text, bytes, "%s%s%s%s", device->prefix, row->name, number, tail);
}

void event_text_address(uint64_t ipa, char *text, size_t bytes)
{
	for (size_t i = 0; i < DEVICE_COUNT; i++) {
		const struct device *device = &devices[i];
		if (ipa < device->ipa || ipa - device->ipa >= device->bytes * device->count)
			continue;
		char number[24] = "", name[64];
		if (device->count > 1)
			snprintf(number, sizeof(number), "%" PRIu64, (ipa - device->ipa) / device->bytes);
		register_text(device, (ipa - device->ipa) % device->bytes, name, sizeof(name));
		snprintf(text, bytes, "%s%s %s", device->name, number, name);
		return;
	}
	snprintf(text, bytes, "%#" PRIx64, ipa);
}

bool event_text_device(const char *name, uint64_t *first_ipa, uint64_t *last_ipa)
{
	for (size_t i = 0; i < DEVICE_COUNT; i++) {
		const struct device *device = &devices[i];
		size_t length = strlen(device->name);
		if (strncmp(name, device->name, length) != 0)
			continue;
		const char *digits = name + length;
		size_t digit_count = strspn(digits, "0123456789");
		unsigned long number = strtoul(digits, NULL, 10);
		if (digits[digit_count] || (digit_count > 0 && number >= device->count))
			return false;
		uint64_t count = digit_count > 0 ? 1 : device->count;
		*first_ipa = device->ipa + number * device->bytes;
		*last_ipa = *first_ipa + count * device->bytes - 1;
		return true;
	}
	return false;
}

static const struct sysreg_name {
	uint32_t key;
	const char *name;
} sysreg_names[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, read, write) {SYSREG_KEY(op0, op1, crn, crm, op2), #name},
#include "hv/abi/sysreg.def"
#undef SYSREG
#define FINGERPRINT(name, op1, crn, crm, op2) {SYSREG_KEY(3, op1, crn, crm, op2), #name},
#include "hv/abi/fingerprint.def"
#undef FINGERPRINT
};

/* The families whose number is in the encoding: DBGBVR<n>_EL1 and its kin in CRm, PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0
 * in CRm and op2 (Arm ARM D17.3, D17.5). */
static bool sysreg_family(uint32_t key, char *text, size_t bytes)
{
	static const char *const debug[] = {"DBGBVR", "DBGBCR", "DBGWVR", "DBGWCR"};
	uint32_t op2 = key & 7, crm = key >> 3 & 0xf;
	if ((key & ~UINT32_C(0x7f)) == SYSREG_KEY(2, 0, 0, 0, 0) && op2 >= 4) {
		snprintf(text, bytes, "%s%" PRIu32 "_EL1", debug[op2 - 4], crm);
		return true;
	}
	if ((key & ~UINT32_C(0x3f)) == SYSREG_KEY(3, 3, 14, 8, 0)) {
		snprintf(text, bytes, "%s%" PRIu32 "_EL0", crm & 4 ? "PMEVTYPER" : "PMEVCNTR", (crm & 3) << 3 | op2);
		return true;
	}
	return false;
}

void event_text_sysreg(uint64_t key, char *text, size_t bytes)
{
	if (key > UINT16_MAX) {
		snprintf(text, bytes, "AArch32, esr %#" PRIx64, key);
		return;
	}
	for (size_t i = 0; i < sizeof(sysreg_names) / sizeof(sysreg_names[0]); i++) {
		if (sysreg_names[i].key == key) {
			snprintf(text, bytes, "%s", sysreg_names[i].name);
			return;
		}
	}
	if (!sysreg_family((uint32_t)key, text, bytes))
		snprintf(text, bytes, "S%" PRIu64 "_%" PRIu64 "_C%" PRIu64 "_C%" PRIu64 "_%" PRIu64, key >> 14 & 3,
			 key >> 11 & 7, key >> 7 & 0xf, key >> 3 & 0xf, key & 7);
}

void event_text_interrupt(uint64_t intid, char *text, size_t bytes)
{
	uint64_t virtio = intid - GUEST_INTID_VIRTIO;
	if (intid < 16)
		snprintf(text, bytes, "%" PRIu64 " (SGI)", intid);
	else if (intid == GUEST_INTID_VTIMER)
		snprintf(text, bytes, "%" PRIu64 " (virtual timer)", intid);
	else if (intid == GUEST_INTID_PTIMER)
		snprintf(text, bytes, "%" PRIu64 " (physical timer)", intid);
	else if (intid == GUEST_INTID_UART)
		snprintf(text, bytes, "%" PRIu64 " (uart)", intid);
	else if (intid == GUEST_INTID_RTC)
		snprintf(text, bytes, "%" PRIu64 " (rtc)", intid);
	else if (intid >= GUEST_INTID_VIRTIO && virtio < GUEST_VIRTIO_COUNT)
		snprintf(text, bytes, "%" PRIu64 " (virtio%" PRIu64 ")", intid, virtio);
	else
		snprintf(text, bytes, "%" PRIu64 " (%s)", intid, intid < 32 ? "PPI" : "SPI");
}

/* Arm DEN 0022, chapter 5; the 64-bit forms have bit 30. */
static const char *const psci_functions[] = {
	"VERSION",
	"CPU_SUSPEND",
	"CPU_OFF",
	"CPU_ON",
	"AFFINITY_INFO",
	"MIGRATE",
	"MIGRATE_INFO_TYPE",
	"MIGRATE_INFO_UP_CPU",
	"SYSTEM_OFF",
	"SYSTEM_RESET",
	"FEATURES",
	"CPU_FREEZE",
	"CPU_DEFAULT_SUSPEND",
	"NODE_HW_STATE",
	"SYSTEM_SUSPEND",
	"SET_SUSPEND_MODE",
	"STAT_RESIDENCY",
	"STAT_COUNT",
	"SYSTEM_RESET2",
	"MEM_PROTECT",
	"MEM_PROTECT_CHECK_RANGE",
};
static const char *const psci_errors[] = {"SUCCESS",    "NOT_SUPPORTED",  "INVALID_PARAMETERS", "DENIED",
					  "ALREADY_ON", "ON_PENDING",     "INTERNAL_FAILURE",   "NOT_PRESENT",
					  "DISABLED",   "INVALID_ADDRESS"};

void event_text_function(uint64_t function, char *text, size_t bytes)
{
	uint64_t number = function & ~UINT64_C(0x40000000), base = UINT64_C(0x84000000);
	if (number >= base && number - base < sizeof(psci_functions) / sizeof(psci_functions[0]))
		snprintf(text, bytes, "PSCI_%s", psci_functions[number - base]);
	else if (function == UINT64_C(0x80000000))
		snprintf(text, bytes, "SMCCC_VERSION");
	else
		snprintf(text, bytes, "function %#" PRIx64, function);
}

void event_text_result(uint64_t result, char *text, size_t bytes)
{
	uint64_t failure = 0 - result;
	if (failure > 0 && failure < sizeof(psci_errors) / sizeof(psci_errors[0]))
		snprintf(text, bytes, "%s", psci_errors[failure]);
	else
		snprintf(text, bytes, "%#" PRIx64, result);
}

const char *event_text_exit_reason(uint64_t reason)
{
	switch (reason) {
#define EXIT_REASON(id, NAME, name)                                                                                    \
	case id:                                                                                                       \
		return name;
#include "hv/abi/exit_reason.def"
#undef EXIT_REASON
	default:
		return NULL;
	}
}

const char *event_text_switch_reason(uint64_t reason)
{
	switch (reason) {
#define SWITCH_REASON(id, NAME, name)                                                                                  \
	case id:                                                                                                       \
		return name;
#include "hv/abi/switch_reason.def"
#undef SWITCH_REASON
	default:
		return NULL;
	}
}
