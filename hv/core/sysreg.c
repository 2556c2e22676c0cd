/* Trapped system registers: looks the encoding up, calls the row's handler, and passes the gate. The PMU's and the
 * debug registers' handlers are in vpmu.c and debug_regs.c; those of the timers and the GIC are here, and those of
 * registers that only keep bits are made here. */
#include "hv/core/sysreg.h"
#include "hv/abi/field.h"
#include "hv/core/counter.h"
#include "hv/core/gate.h"
#include "hv/core/guest_clock.h"
#include "hv/core/hv.h"
#include "hv/core/inject.h"
#include "hv/core/interrupts.h"
#include "hv/core/standstill.h"
#include "hv/core/sysreg_rows.h"
#include "hv/core/timers.h"
#include "hv/dev/vgic.h"
#include <stddef.h>

#define CNTPCT_KEY SYSREG_KEY(3, 3, 14, 0, 1)

/* ISS of a trapped MSR or MRS (Arm ARM D17.2.37). */
#define ISS_OP0_HI      21
#define ISS_OP0_LO      20
#define ISS_OP2_HI      19
#define ISS_OP2_LO      17
#define ISS_OP1_HI      16
#define ISS_OP1_LO      14
#define ISS_CRN_HI      13
#define ISS_CRN_LO      10
#define ISS_RT_HI       9
#define ISS_RT_LO       5
#define ISS_CRM_HI      4
#define ISS_CRM_LO      1
#define ISS_SYSREG_READ BIT(0)

struct access {
	uint32_t key; /* SYSREG_KEY */
	uint8_t rt;   /* 31 is XZR */
	bool is_write;
};

static struct access decode(uint64_t esr)
{
	return (struct access){
		.key = (uint32_t)SYSREG_KEY(FIELD_GET(esr, ISS_OP0), FIELD_GET(esr, ISS_OP1), FIELD_GET(esr, ISS_CRN),
					    FIELD_GET(esr, ISS_CRM), FIELD_GET(esr, ISS_OP2)),
		.rt = (uint8_t)FIELD_GET(esr, ISS_RT),
		.is_write = !(esr & ISS_SYSREG_READ),
	};
}

uint64_t read_zero(uint32_t key)
{
	(void)key;
	return 0;
}

void write_ignored(uint32_t key, uint64_t value)
{
	(void)key;
	(void)value;
}

static uint64_t read_cntpct(uint32_t key)
{
	(void)key;
	return guest_clock_ticks();
}

static uint64_t read_cntp_tval(uint32_t key)
{
	(void)key;
	return (hv_vcpu()->cntp_cval_el0 - guest_clock_ticks()) & UINT32_MAX;
}

static void write_cntp_tval(uint32_t key, uint64_t value)
{
	(void)key;
	timers_cntp_cval_write(guest_clock_ticks() + (uint64_t)(int64_t)(int32_t)(uint32_t)value);
}

static uint64_t read_cntp_ctl(uint32_t key)
{
	(void)key;
	return timers_cntp_ctl_read();
}

static void write_cntp_ctl(uint32_t key, uint64_t value)
{
	(void)key;
	timers_cntp_ctl_write(value);
}

static uint64_t read_cntp_cval(uint32_t key)
{
	(void)key;
	return hv_vcpu()->cntp_cval_el0;
}

static void write_cntp_cval(uint32_t key, uint64_t value)
{
	(void)key;
	timers_cntp_cval_write(value);
}

static void write_sgi1r(uint32_t key, uint64_t value)
{
	(void)key;
	interrupts_fold();
	vgic_sgi(&hv.guest, hv.guest.current, value);
}

/* Of a replay the recording's, so that a guest sees the same on every machine. */
static uint64_t fingerprint_value(size_t index)
{
	return index < hv.boot->fingerprint_count ? hv.boot->fingerprint[index] : hv.mailbox->fingerprint[index];
}

/* What is not in the fingerprint is reserved, or of a CPU that neither machine has: it reads as zero. */
static uint64_t read_id(uint32_t key)
{
	static const uint32_t keys[] = {
#define FINGERPRINT(name, op1, crn, crm, op2) SYSREG_KEY(3, op1, crn, crm, op2),
#include "hv/abi/fingerprint.def"
#undef FINGERPRINT
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i] == key)
			return fingerprint_value(i);
	}
	return 0;
}

static bool is_id_register(uint32_t key)
{
	return key >= SYSREG_KEY(3, 0, 0, 1, 0) && key <= SYSREG_KEY(3, 0, 0, 7, 7);
}

bool sysreg_id_registers_trap(void)
{
	return hv.boot->machine_version > 1;
}

/* What a write makes of what was there. */
#define STORED_PLAIN(old, value, mask) ((value) & (mask))
#define STORED_SET(old, value, mask)   ((old) | ((value) & (mask)))
#define STORED_CLEAR(old, value, mask) ((old) & ~((value) & (mask)))

/* read_NAME and write_NAME of each register that is no more than its bits. */
#define SYSREG(name, op0, op1, crn, crm, op2, read, write)
#define STORED(name, op0, op1, crn, crm, op2, how, since, array, field, mask)                                          \
	static uint64_t read_##name(uint32_t key)                                                                      \
	{                                                                                                              \
		(void)key;                                                                                             \
		return hv.guest.array[hv.guest.current].field;                                                         \
	}                                                                                                              \
	static void write_##name(uint32_t key, uint64_t value)                                                         \
	{                                                                                                              \
		(void)key;                                                                                             \
		uint64_t *kept = &hv.guest.array[hv.guest.current].field;                                              \
		*kept = STORED_##how(*kept, value, mask);                                                              \
	}
#include "hv/abi/sysreg.def"
#undef SYSREG

struct sysreg_row {
	uint32_t key;
	uint32_t since; /* the machine version that has it */
	uint64_t (*read)(uint32_t key);
	void (*write)(uint32_t key, uint64_t value);
};

#define sysreg_no_read  NULL
#define sysreg_no_write NULL
static const struct sysreg_row rows[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, read, write) {SYSREG_KEY(op0, op1, crn, crm, op2), 1, read, write},
#define STORED(name, op0, op1, crn, crm, op2, how, since, array, field, mask)                                          \
	{SYSREG_KEY(op0, op1, crn, crm, op2), since, read_##name, write_##name},
#include "hv/abi/sysreg.def"
#undef SYSREG
};

/* DBGBVR<n>_EL1, DBGBCR<n>_EL1, DBGWVR<n>_EL1, DBGWCR<n>_EL1: the number is in CRm. */
static const struct sysreg_row breakpoint_row = {0, 1, read_breakpoint, write_breakpoint};
/* PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0 of counters that the virtual PMU does not have. */
static const struct sysreg_row event_counter_row = {0, 1, read_zero, write_ignored};

static const struct sysreg_row id_row = {0, 1, read_id, sysreg_no_write};

static const struct sysreg_row *row_find(uint32_t key)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].key == key && rows[i].since <= hv.boot->machine_version)
			return &rows[i];
	}
	if (is_id_register(key))
		return &id_row;
	if (breakpoint_register(key, hv_vcpu()))
		return &breakpoint_row;
	if ((key & ~UINT32_C(0x3f)) == SYSREG_KEY(3, 3, 14, 8, 0))
		return &event_counter_row;
	return NULL;
}

static enum exit_answer deny(const struct access *access)
{
	gate_trap(EVENT_SYSREG_DENIED, access->key, !access->is_write, 0, true);
	hv.mailbox->denied_count++;
	return standstill_injected(inject_undefined());
}

static enum exit_answer trap_to_el1(const struct access *access, uint64_t esr)
{
	gate_trap(EVENT_SYSREG_DENIED, access->key, !access->is_write, 0, true);
	return standstill_injected(inject_trap(esr));
}

/* MRS of a debug or ID register is one of the reads that the hardware may over-count (docs/CLOCK.md). */
static bool read_is_inexact(uint32_t key)
{
	return key >> 14 == 2 || is_id_register(key);
}

enum exit_answer sysreg_access(const struct exit *exit)
{
	const struct access access = decode(exit->esr);
	const struct sysreg_row *row = row_find(access.key);
	struct vcpu_state *vcpu = hv_vcpu();
	if (!row || (access.is_write ? !row->write : !row->read))
		return deny(&access);
	if (vpmu_is_closed(access.key, access.is_write))
		return trap_to_el1(&access, exit->esr);
	if (access.is_write) {
		uint64_t value = access.rt == 31 ? 0 : vcpu->x[access.rt];
		gate_trap(EVENT_SYSREG_WRITE, access.key, value, 0, false);
		row->write(access.key, value);
		return EXIT_SKIP;
	}
	uint64_t value = row->read(access.key);
	bool is_event = access.key != CNTPCT_KEY || counter_reads_are_events();
	if (is_event)
		gate_trap(EVENT_SYSREG_READ, access.key, value, 0, read_is_inexact(access.key));
	else
		counter_trapped();
	if (access.rt != 31)
		vcpu->x[access.rt] = value;
	return is_event ? EXIT_SKIP : EXIT_PASS;
}

enum exit_answer sysreg_aarch32(const struct exit *exit)
{
	gate_trap(EVENT_SYSREG_DENIED, exit->esr, 0, 0, true);
	return standstill_injected(inject_undefined());
}
