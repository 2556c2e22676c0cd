/* The table of exception classes and the dispatcher: decodes, calls the handler, advances pc, keeps the count right. */
#include "hv/core/exit.h"
#include "hv/abi/esr.h"
#include "hv/abi/field.h"
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/core/abort.h"
#include "hv/core/debug.h"
#include "hv/core/exclusive.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/core/psci.h"
#include "hv/core/spin.h"
#include "hv/core/sysreg.h"

/* Where ELR points and whether the hardware counted the trapped instruction (docs/CLOCK.md). */
enum counting {
	NOT_COUNTED,     /* at the instruction, not counted */
	COUNTED,         /* at the instruction, counted */
	COUNTED_ELR_NEXT /* after the instruction, counted */
};

struct exit_row {
	enum exit_answer (*handler)(const struct exit *exit);
	enum counting counting;
};

/* The exits that leave hv's own exclusive monitor alone (exclusive.h): a WFI, which may not come in a replay, and those
 * whose handler sees to it, breakpoint, software step and watchpoint. */
#define KEEPS_MONITOR (BIT(0x01) | BIT(0x30) | BIT(0x32) | BIT(0x34))

static enum exit_answer exit_wfi(const struct exit *exit)
{
	(void)exit;
	return EXIT_WAIT;
}

static enum exit_answer exit_hvc(const struct exit *exit)
{
	return spin_is_here(exit) ? EXIT_SPIN : psci_call(exit);
}

static enum exit_answer exit_unknown(const struct exit *exit)
{
	hv_text("the guest caused an exit that hv does not know, ESR_EL2 =", exit->esr);
	return EXIT_REFUSED;
}

static const struct exit_row rows[EC_COUNT] = {
	[EC_WFX] = {exit_wfi, COUNTED},                            /* WFI */
	[EC_HVC64] = {exit_hvc, COUNTED_ELR_NEXT},                 /* HVC */
	[0x17] = {psci_call, COUNTED},                             /* SMC */
	[EC_SYSREG] = {sysreg_access, COUNTED},                    /* system register */
	[0x03] = {sysreg_aarch32, COUNTED},                        /* AArch32 CP15 */
	[0x04] = {sysreg_aarch32, COUNTED},                        /* AArch32 CP15 64-bit */
	[0x05] = {sysreg_aarch32, COUNTED},                        /* AArch32 CP14 */
	[0x06] = {sysreg_aarch32, COUNTED},                        /* AArch32 LDC/STC */
	[0x0c] = {sysreg_aarch32, COUNTED},                        /* AArch32 CP14 64-bit */
	[EC_INSTRUCTION_ABORT] = {abort_instruction, NOT_COUNTED}, /* instruction abort */
	[EC_DATA_ABORT] = {abort_data, NOT_COUNTED},               /* data abort */
	[EC_BREAKPOINT] = {debug_breakpoint, NOT_COUNTED},         /* hardware breakpoint */
	[0x32] = {debug_step, NOT_COUNTED},                        /* software step */
	[EC_WATCHPOINT] = {debug_breakpoint, NOT_COUNTED},         /* watchpoint */
	[EC_BKPT32] = {debug_brk, COUNTED},                        /* AArch32 BKPT */
	[EC_BRK] = {debug_brk, COUNTED},                           /* BRK */
};

/* Brings pc and N to where the guest goes on. `raw_n` is what the hardware counted. */
static void goes_on(const struct exit *exit, enum exit_answer answer, uint64_t raw_n, uint64_t counted)
{
	switch (answer) {
	case EXIT_SKIP:
	case EXIT_PASS:
	case EXIT_WAIT:
	case EXIT_SPIN:
		hv_vcpu()->pc += exit->esr & ESR_IL ? 4 : 2; /* T32 has 16-bit instructions */
		hv.guest.n += 1;
		break;
	case EXIT_RESUME:
		hv.guest.n += counted;
		break;
	case EXIT_REFUSED:
		gate_end(END_REASON_UNSUPPORTED);
		break;
	case EXIT_AGAIN:
	case EXIT_STOP:
	default:
		break;
	}
	clock_adjust(hv.guest.n - raw_n);
}

static enum exit_answer dispatch(const struct exit *exit, uint64_t ec, const struct exit_row *row)
{
	uint64_t raw_n = clock_now().v;
	uint64_t counted = row->counting == NOT_COUNTED ? 0 : 1;

	/* The event stands where the trapping instruction stands. */
	hv.guest.n = raw_n - counted;
	if (row->counting == COUNTED_ELR_NEXT)
		hv_vcpu()->pc -= 4;
	debug_pass_end();
	if (!(KEEPS_MONITOR & BIT(ec)))
		exclusive_drop();
	enum exit_answer answer = ec == EC_DATA_ABORT ? abort_data(exit) : row->handler(exit); /* by name: inlined */
	goes_on(exit, answer, raw_n, counted);
	return answer;
}

static HV_APART enum exit_answer dispatch_other(struct exit exit, uint64_t ec)
{
	static const struct exit_row unknown = {exit_unknown, NOT_COUNTED};
	return dispatch(&exit, ec, rows[ec].handler ? &rows[ec] : &unknown);
}

enum exit_answer exit_dispatch(void)
{
	struct arch_syndrome syndrome = arch_syndrome_read();
	uint64_t ec = FIELD_GET(syndrome.esr, ESR_EC);
	struct exit exit = {syndrome.esr, {syndrome.far}, {syndrome.ipa_page | (syndrome.far & 0xfff)}};
	/* Most exits are of this class: its row is known where this is compiled. */
	return ec == EC_DATA_ABORT ? dispatch(&exit, EC_DATA_ABORT, &rows[EC_DATA_ABORT]) : dispatch_other(exit, ec);
}
