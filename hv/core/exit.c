/* The table of exception classes and the dispatcher: decodes, calls the handler, advances pc, keeps the count right. */
#include "hv/core/exit.h"
#include "hv/arch/arch.h"
#include "hv/arch/field.h"
#include "hv/core/abort.h"
#include "hv/core/debug.h"
#include "hv/core/exclusive.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/core/psci.h"
#include "hv/core/sysreg.h"

/* ESR_EL2 and its ISS encodings (Arm ARM D17.2.37). */
#define ESR_EC_HI       31
#define ESR_EC_LO       26
#define ESR_IL          BIT(25)
#define ISS_ISV         BIT(24)
#define ISS_SAS_HI      23
#define ISS_SAS_LO      22
#define ISS_SSE         BIT(21)
#define ISS_SRT_HI      20
#define ISS_SRT_LO      16
#define ISS_SF          BIT(15)
#define ISS_CM          BIT(8)
#define ISS_S1PTW       BIT(7)
#define ISS_WNR         BIT(6)
#define ISS_FSC_HI      5
#define ISS_FSC_LO      0
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

enum { EC_HVC64 = 0x16, EC_SYSREG = 0x18, EC_COUNT = 64 };

/* Where ELR points and whether the hardware counted the trapped instruction (docs/ARCHITECTURE.md, "The instruction
 * clock"). */
enum counting {
	NOT_COUNTED,     /* at the instruction, not counted */
	COUNTED,         /* at the instruction, counted */
	COUNTED_ELR_NEXT /* behind the instruction, counted */
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

static enum exit_answer exit_unknown(const struct exit *exit)
{
	hv_text("the guest caused an exit that hv does not know, ESR_EL2 =", exit->esr);
	return EXIT_REFUSED;
}

static const struct exit_row rows[EC_COUNT] = {
	[0x01] = {exit_wfi, COUNTED},               /* WFI */
	[EC_HVC64] = {psci_call, COUNTED_ELR_NEXT}, /* HVC */
	[0x17] = {psci_call, COUNTED},              /* SMC */
	[EC_SYSREG] = {sysreg_access, COUNTED},     /* system register */
	[0x03] = {sysreg_aarch32, COUNTED},         /* AArch32 CP15 */
	[0x04] = {sysreg_aarch32, COUNTED},         /* AArch32 CP15 64-bit */
	[0x05] = {sysreg_aarch32, COUNTED},         /* AArch32 CP14 */
	[0x06] = {sysreg_aarch32, COUNTED},         /* AArch32 LDC/STC */
	[0x0c] = {sysreg_aarch32, COUNTED},         /* AArch32 CP14 64-bit */
	[0x20] = {abort_instruction, NOT_COUNTED},  /* instruction abort */
	[0x24] = {abort_data, NOT_COUNTED},         /* data abort */
	[0x30] = {debug_breakpoint, NOT_COUNTED},   /* hardware breakpoint */
	[0x32] = {debug_step, NOT_COUNTED},         /* software step */
	[0x34] = {debug_breakpoint, NOT_COUNTED},   /* watchpoint */
	[0x38] = {debug_brk, COUNTED},              /* AArch32 BKPT */
	[0x3c] = {debug_brk, COUNTED},              /* BRK */
};

static struct exit exit_decode(uint64_t ec)
{
	struct arch_syndrome syndrome = arch_syndrome_read();
	uint64_t esr = syndrome.esr;
	struct exit exit = {.esr = esr, .far = {syndrome.far}};
	if (ec == EC_SYSREG) {
		exit.sysreg =
			(uint32_t)SYSREG_KEY(FIELD_GET(esr, ISS_OP0), FIELD_GET(esr, ISS_OP1), FIELD_GET(esr, ISS_CRN),
					     FIELD_GET(esr, ISS_CRM), FIELD_GET(esr, ISS_OP2));
		exit.rt = (uint8_t)FIELD_GET(esr, ISS_RT);
		exit.is_write = !(esr & ISS_SYSREG_READ);
		return exit;
	}
	exit.ipa = (ipa_t){syndrome.ipa_page | (syndrome.far & 0xfff)};
	exit.rt = (uint8_t)FIELD_GET(esr, ISS_SRT);
	exit.is_write = esr & ISS_WNR;
	exit.has_isv = esr & ISS_ISV;
	exit.size = (uint8_t)(1 << FIELD_GET(esr, ISS_SAS));
	exit.sign_extend = esr & ISS_SSE;
	exit.is_64bit = esr & ISS_SF;
	exit.is_walk = esr & ISS_S1PTW;
	exit.is_cache = esr & ISS_CM;
	exit.fault = (uint8_t)FIELD_GET(esr, ISS_FSC);
	return exit;
}

enum exit_answer exit_dispatch(void)
{
	uint64_t raw_n = clock_now().v;
	uint64_t ec = FIELD_GET(arch_syndrome_read().esr, ESR_EC);
	static const struct exit_row unknown = {exit_unknown, NOT_COUNTED};
	const struct exit_row *row = rows[ec].handler ? &rows[ec] : &unknown;
	struct exit exit = exit_decode(ec);
	uint64_t counted = row->counting == NOT_COUNTED ? 0 : 1;

	/* The event stands where the trapping instruction stands. */
	hv.guest.n = raw_n - counted;
	if (row->counting == COUNTED_ELR_NEXT)
		hv_vcpu()->pc -= 4;
	debug_pass_end();
	if (!(KEEPS_MONITOR & BIT(ec)))
		exclusive_drop();
	enum exit_answer answer = row->handler(&exit);
	switch (answer) {
	case EXIT_SKIP:
	case EXIT_PASS:
	case EXIT_WAIT:
		hv_vcpu()->pc += exit.esr & ESR_IL ? 4 : 2; /* T32 has 16-bit instructions */
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
	return answer;
}
