/* Trapped system registers: looks the encoding up, calls the row's handler, and passes the gate. The PMU's and the
 * debug registers' handlers are in vpmu.c and debug.c; those of the timers and the GIC are here. */
#include "hv/core/sysreg.h"
#include "hv/core/counter.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/core/inject.h"
#include "hv/core/interrupts.h"
#include "hv/core/standstill.h"
#include "hv/core/sysreg_rows.h"
#include "hv/core/timers.h"
#include "hv/dev/vgic.h"
#include <stddef.h>

#define CNTPCT_KEY SYSREG_KEY(3, 3, 14, 0, 1)

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
	return timers_counter();
}

static uint64_t read_cntp_tval(uint32_t key)
{
	(void)key;
	return (hv_vcpu()->cntp_cval_el0 - timers_counter()) & UINT32_MAX;
}

static void write_cntp_tval(uint32_t key, uint64_t value)
{
	(void)key;
	timers_cntp_cval_write(timers_counter() + (uint64_t)(int64_t)(int32_t)(uint32_t)value);
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
#include "hv/arch/fingerprint.def"
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

struct sysreg_row {
	uint32_t key;
	uint64_t (*read)(uint32_t key);
	void (*write)(uint32_t key, uint64_t value);
};

#define sysreg_no_read  NULL
#define sysreg_no_write NULL
static const struct sysreg_row rows[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, read, write) {SYSREG_KEY(op0, op1, crn, crm, op2), read, write},
#include "hv/core/sysreg.def"
#undef SYSREG
};

/* DBGBVR<n>_EL1, DBGBCR<n>_EL1, DBGWVR<n>_EL1, DBGWCR<n>_EL1: the number is in CRm. */
static const struct sysreg_row breakpoint_row = {0, read_breakpoint, write_breakpoint};
/* PMEVCNTR<n>_EL0 and PMEVTYPER<n>_EL0 of counters that the virtual PMU does not have. */
static const struct sysreg_row event_counter_row = {0, read_zero, write_ignored};

static const struct sysreg_row id_row = {0, read_id, sysreg_no_write};

static const struct sysreg_row *row_find(uint32_t key)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].key == key)
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

static enum exit_answer deny(const struct exit *exit)
{
	gate_trap(EVENT_SYSREG_DENIED, exit->sysreg, !exit->is_write, 0, true);
	hv.mailbox->denied_count++;
	return standstill_injected(inject_undefined());
}

static enum exit_answer trap_to_el1(const struct exit *exit)
{
	gate_trap(EVENT_SYSREG_DENIED, exit->sysreg, !exit->is_write, 0, true);
	return standstill_injected(inject_trap(exit->esr));
}

/* MRS of a debug or ID register is one of the reads that the hardware may over-count (docs/ARCHITECTURE.md, "The
 * instruction clock"). */
static bool read_is_inexact(uint32_t key)
{
	return key >> 14 == 2 || is_id_register(key);
}

enum exit_answer sysreg_access(const struct exit *exit)
{
	const struct sysreg_row *row = row_find(exit->sysreg);
	struct vcpu_state *vcpu = hv_vcpu();
	if (!row || (exit->is_write ? !row->write : !row->read))
		return deny(exit);
	if (vpmu_is_closed(exit->sysreg, exit->is_write))
		return trap_to_el1(exit);
	if (exit->is_write) {
		uint64_t value = exit->rt == 31 ? 0 : vcpu->x[exit->rt];
		gate_trap(EVENT_SYSREG_WRITE, exit->sysreg, value, 0, false);
		row->write(exit->sysreg, value);
		return EXIT_SKIP;
	}
	uint64_t value = row->read(exit->sysreg);
	bool is_event = exit->sysreg != CNTPCT_KEY || counter_reads_are_events();
	if (is_event)
		gate_trap(EVENT_SYSREG_READ, exit->sysreg, value, 0, read_is_inexact(exit->sysreg));
	else
		counter_trapped();
	if (exit->rt != 31)
		vcpu->x[exit->rt] = value;
	return is_event ? EXIT_SKIP : EXIT_PASS;
}

enum exit_answer sysreg_aarch32(const struct exit *exit)
{
	gate_trap(EVENT_SYSREG_DENIED, exit->esr, 0, 0, true);
	return standstill_injected(inject_undefined());
}
