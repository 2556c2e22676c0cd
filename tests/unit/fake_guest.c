/* The interpreter of scripted guests: see fake_guest.h. The virtual CPU interface is vgic_model.h's. */
#include "tests/unit/fake_guest.h"
#include "tests/unit/fake_machine.h"
#include "tests/unit/vgic_model.h"

#define PSTATE_I    BIT(7)
#define PSTATE_DAIF UINT64_C(0x3c0)
#define PSTATE_MODE UINT64_C(0xf)
#define PSTATE_SS   BIT(21)
#define MDSCR_SS    BIT(0)
#define MDSCR_MDE   BIT(15)
#define EL1H        UINT64_C(5)
#define ESR_IL      BIT(25)
#define FSC_LEVEL3  UINT64_C(7)
#define ISS_WNR     BIT(6)

#define HVC_IMM16_MASK UINT32_C(0x1fffe0)

#define FSC_PERMISSION_LEVEL3 UINT64_C(0xf)

/* What LDXR and its like load and store. */
static uint64_t *cell(void)
{
	return (uint64_t *)fake_ram_word(FAKE_CELL);
}

static const struct fake_op default_sync[] = {FAKE_SYNC, FAKE_ERET};

static const struct fake_op *op_in(const struct fake_segment *segment, uint64_t pc)
{
	uint64_t index = (pc - segment->pc) / 4;
	return pc >= segment->pc && pc % 4 == 0 && index < segment->count ? &segment->ops[index] : NULL;
}

/* NULL: there is none. */
static const struct fake_op *op_of_program(uint64_t pc)
{
	const struct fake_op *op = NULL;
	for (size_t i = 0; i < FAKE_SEGMENTS && !op; i++)
		op = op_in(&fake_config->segments[i], pc);
	return op;
}

static const struct fake_op *op_at(uint64_t pc)
{
	const struct fake_op *op = op_of_program(pc);
	for (uint64_t vector = 0; vector < 0x800 && !op; vector += 0x200)
		op = op_in(&(struct fake_segment){FAKE_VBAR + vector, default_sync, 2}, pc);
	if (!op)
		fake_machine_end(FAKE_LOST);
	return op;
}

static void trap(uint64_t esr, uint64_t far, uint64_t ipa)
{
	fake_cpu->syndrome = (struct arch_syndrome){.esr = esr, .far = far, .ipa_page = ipa & ~UINT64_C(0xfff)};
}

/* DESIGN section 9: what the hardware counts of a trapped instruction, and where ELR points. */
static uint64_t trap_counted(struct vcpu_state *vcpu, uint64_t esr)
{
	uint64_t ec = esr >> 26 & 63;
	if (ec == 0x16)
		vcpu->pc += 4;
	return ec == 0x20 || ec == 0x24 || ec == 0x30 || ec == 0x34 || ec == 0x32 ? 0 : 1;
}

static uint64_t sysreg_iss(const struct fake_op *op, bool is_read)
{
	uint64_t key = op->a;
	return (key >> 14 & 3) << 20 | (key & 7) << 17 | (key >> 11 & 7) << 14 | (key >> 7 & 15) << 10 |
	       (uint64_t)op->reg << 5 | (key >> 3 & 15) << 1 | is_read;
}

static uint64_t access_iss(const struct fake_op *op, bool is_write)
{
	uint64_t sas = op->b == 8 ? 3 : op->b >> 1;
	uint64_t sf = op->b == 8 ? BIT(15) : 0;
	return BIT(24) | sas << 22 | op->c | sf | (uint64_t)op->reg << 16 | (uint64_t)is_write << 6 | FSC_LEVEL3;
}

/* An MRS that the trapped plain registers over-count: debug registers, and whatever hv does not know. */
static bool over_counts(uint64_t key)
{
	return key >> 14 == 2 || (key >> 7 & 15) == 0;
}

static bool step_trap(struct vcpu_state *vcpu, const struct fake_op *op, uint64_t *retired)
{
	uint64_t far = op->a;
	uint64_t over = 0;
	switch (op->kind) {
	case FAKE_OP_MSR:
		trap(FAKE_ESR(0x18, sysreg_iss(op, false)), 0, 0);
		break;
	case FAKE_OP_MRS:
		trap(FAKE_ESR(0x18, sysreg_iss(op, true)), 0, 0);
		fake_cpu->word = op->a == FAKE_CNTPCT ? FAKE_CNTPCT_WORD(op->reg) : 0;
		over = over_counts(op->a) ? fake_config->over_count : 0;
		break;
	case FAKE_OP_STORE:
		trap(FAKE_ESR(0x24, access_iss(op, true)), far, far);
		break;
	case FAKE_OP_LOAD:
		trap(FAKE_ESR(0x24, access_iss(op, false)), far, far);
		break;
	case FAKE_OP_CALL:
		trap(FAKE_ESR(op->a, 0), 0, 0);
		break;
	default: /* FAKE_OP_TRAP */
		trap(op->a, op->b, op->b);
		fake_cpu->word = (uint32_t)op->c;
		break;
	}
	*retired = trap_counted(vcpu, fake_cpu->syndrome.esr) + over;
	return true;
}

static bool step_wfi(struct vcpu_state *vcpu, uint64_t *retired)
{
	bool wakes = fake_machine_irq_at_wfi();
	for (int i = 0; i < GUEST_LR_COUNT; i++)
		wakes |= (fake_cpu->el1.ich_lr[i] & ICH_LR_PENDING) != 0;
	*retired = 1;
	if (wakes)
		vcpu->pc += 4;
	else
		trap(FAKE_ESR(0x01, 0), 0, 0);
	return !wakes;
}

static void step_loop(struct vcpu_state *vcpu, const struct fake_op *op, uint64_t max, uint64_t *retired)
{
	uint64_t *left = &vcpu->x[28];
	if (*left == 0)
		*left = op->a;
	*retired = *left < max ? *left : max;
	*left -= *retired;
	if (*left == 0)
		vcpu->pc += 4;
}

/* The breakpoint fires with MDSCR.MDE; with MDSCR.SS and PSTATE.SS the instruction is stepped: both come to EL2. A step
 * retires its instruction, and clears PSTATE.SS. */
static bool step_break(struct vcpu_state *vcpu, uint64_t *retired)
{
	*retired = 0;
	if (fake_cpu->el1.mdscr_el1 & MDSCR_MDE) {
		trap(FAKE_ESR(0x30, 0x22), 0, 0);
		return true;
	}
	*retired = 1;
	vcpu->pc += 4;
	if (!(fake_cpu->el1.mdscr_el1 & MDSCR_SS) || !(vcpu->pstate & PSTATE_SS))
		return false;
	vcpu->pstate &= ~PSTATE_SS;
	trap(FAKE_ESR(0x32, 0x22), 0, 0);
	return true;
}

void fake_guest_load(const struct fake_config *config)
{
	for (size_t i = 0; i < FAKE_SEGMENTS; i++) {
		const struct fake_segment *segment = &config->segments[i];
		for (size_t at = 0; at < segment->count; at++) {
			if (segment->ops[at].kind == FAKE_OP_CODE)
				*fake_ram_word(segment->pc + 4 * at) = (uint32_t)segment->ops[at].a;
		}
	}
}

bool fake_guest_is_plain(uint64_t va)
{
	const struct fake_op *op = fake_config ? op_of_program(va) : NULL;
	return op && op->kind != FAKE_OP_TRAP && op->kind != FAKE_OP_MRS;
}

static void execute(struct vcpu_state *vcpu, uint32_t word)
{
	switch (word) {
	case FAKE_LDXR:
		vcpu->x[1] = *cell();
		fake_cpu->monitor = true;
		break;
	case FAKE_ADD:
		vcpu->x[1]++;
		break;
	case FAKE_STXR:
		vcpu->x[3] = !fake_cpu->monitor;
		*cell() = fake_cpu->monitor ? vcpu->x[1] : *cell();
		fake_cpu->monitor = false;
		break;
	case FAKE_STR:
		*cell() = vcpu->x[1];
		break;
	case FAKE_CLREX:
		fake_cpu->monitor = false;
		break;
	case FAKE_WFE_WORD:
	case FAKE_YIELD_WORD:
		break;
	default:
		fake_machine_end(FAKE_LOST);
	}
}

/* As step_break; a guest that steps itself may come here with the step already made. */
static bool step_code(struct vcpu_state *vcpu, const struct fake_op *op, uint64_t *retired)
{
	uint32_t word = *fake_ram_word(vcpu->pc);
	bool steps = fake_cpu->el1.mdscr_el1 & MDSCR_SS, made = steps && !(vcpu->pstate & PSTATE_SS);
	*retired = 0;
	if (!made && op->b != 0 && fake_cpu->el1.mdscr_el1 & MDSCR_MDE) {
		trap(FAKE_ESR(0x30, 0x22), 0, 0);
		return true;
	}
	if ((word & ~HVC_IMM16_MASK) == FAKE_HVC_WORD(0)) {
		trap(FAKE_ESR(0x16, (word & HVC_IMM16_MASK) >> 5), 0, 0);
		*retired = trap_counted(vcpu, fake_cpu->syndrome.esr);
		return true;
	}
	if (!made) {
		execute(vcpu, word);
		vcpu->pc += 4;
		*retired = 1;
	}
	if (!steps)
		return false;
	vcpu->pstate &= ~PSTATE_SS;
	trap(FAKE_ESR(0x32, 0x22), 0, 0);
	return true;
}

static void step_eret(struct vcpu_state *vcpu)
{
	vcpu->pc = fake_cpu->el1.elr_el1;
	vcpu->pstate = fake_cpu->el1.spsr_el1;
	fake_cpu->monitor = false;
}

static void step_end_of_interrupt(uint32_t intid)
{
	for (int i = 0; i < GUEST_LR_COUNT; i++) {
		uint64_t lr = fake_cpu->el1.ich_lr[i];
		if (lr & ICH_LR_ACTIVE && lr & ICH_LR_HW && FIELD_GET(lr, ICH_LR_VINTID) == intid)
			board_vtimer_set_active(false);
	}
	hw_eoi(&fake_cpu->el1, intid);
}

static void step_sync(struct vcpu_state *vcpu)
{
	vcpu->x[21] = fake_cpu->el1.esr_el1;
	vcpu->x[22] = fake_cpu->el1.far_el1;
	vcpu->x[23] = vcpu->pc - FAKE_VBAR;
	vcpu->x[24] = fake_cpu->el1.spsr_el1;
	fake_cpu->el1.elr_el1 += 4;
}

static void take_exception(struct vcpu_state *vcpu, uint64_t vector)
{
	fake_cpu->el1.elr_el1 = vcpu->pc;
	fake_cpu->el1.spsr_el1 = vcpu->pstate;
	vcpu->pc = vector;
	vcpu->pstate = (vcpu->pstate & ~PSTATE_MODE) | EL1H | PSTATE_DAIF;
}

static void step_fault(struct vcpu_state *vcpu, const struct fake_op *op, uint64_t *retired)
{
	fake_cpu->el1.esr_el1 = op->a == 0 ? FAKE_ESR(0x21, 5) : FAKE_ESR(0, 0);
	take_exception(vcpu, FAKE_SYNC_VECTOR);
	*retired = op->a;
}

/* Steps that retire one instruction without a trap. */
static void step_plain(struct vcpu_state *vcpu, const struct fake_op *op, uint64_t counter_ns)
{
	uint64_t *x = &vcpu->x[op->reg];
	uint64_t next = vcpu->pc + 4;
	switch (op->kind) {
	case FAKE_OP_MOV:
		*x = op->a;
		break;
	case FAKE_OP_DAIF:
		vcpu->pstate = (vcpu->pstate & ~PSTATE_DAIF) | op->a;
		break;
	case FAKE_OP_LEVEL:
		vcpu->pstate = (vcpu->pstate & ~(PSTATE_MODE | BIT(4))) | op->a;
		break;
	case FAKE_OP_VMCR:
		fake_cpu->el1.ich_vmcr |= FIELD_PUT(ICH_VMCR_VPMR, 0xf8) | ICH_VMCR_VENG1;
		break;
	case FAKE_OP_VTIMER:
		fake_cpu->el1.cntv_ctl_el0 = op->a;
		fake_cpu->el1.cntv_cval_el0 = GUEST_COUNTER_START + op->b;
		break;
	case FAKE_OP_CNTVCT:
		*x = counter_ns / GUEST_NS_PER_TICK - GUEST_COUNTER_START;
		break;
	case FAKE_OP_ACK:
		*x = hw_ack(&fake_cpu->el1);
		break;
	case FAKE_OP_EOI:
		step_end_of_interrupt((uint32_t)*x);
		break;
	case FAKE_OP_UNLESS:
		next += *x != op->a ? op->b * 4 : 0;
		break;
	case FAKE_OP_GOTO:
		next += op->a * 4 - 4;
		break;
	case FAKE_OP_SINCE:
		*x -= fake_config->machine_version == 1 ? 0 : GUEST_COUNTER_START;
		break;
	case FAKE_OP_FOLD:
		vcpu->x[19] = vcpu->x[19] * 31 + *x;
		break;
	case FAKE_OP_MRS: /* of CNTPCT, replaced */
		*x = counter_ns / GUEST_NS_PER_TICK;
		break;
	case FAKE_OP_PEEK:
		*x = *fake_ram_word(op->a);
		break;
	case FAKE_OP_POKE:
		*fake_ram_word(op->a) = (uint32_t)*x;
		break;
	case FAKE_OP_ADD:
		*x += op->a;
		break;
	case FAKE_OP_WHO:
		*x = fake_cpu_here();
		break;
	case FAKE_OP_SP:
		*(vcpu->pstate & 1 ? &fake_cpu->el1.sp_el1 : &fake_cpu->el1.sp_el0) = op->a;
		break;
	case FAKE_OP_SYNC:
		step_sync(vcpu);
		break;
	default:
		fake_machine_end(FAKE_LOST);
	}
	vcpu->pc = next;
}

/* What stage 2 does not permit on an execute-only page. */
static bool step_forbidden(const struct vcpu_state *vcpu, const struct fake_op *op)
{
	if ((vcpu->pstate & PSTATE_MODE) == 0 && fake_is_execute_only(vcpu->pc))
		trap(FAKE_ESR(0x20, FSC_PERMISSION_LEVEL3), vcpu->pc, vcpu->pc);
	else if (op->kind == FAKE_OP_PEEK && fake_is_execute_only(op->a))
		trap(FAKE_ESR(0x24, FSC_PERMISSION_LEVEL3), op->a, op->a);
	else if (op->kind == FAKE_OP_POKE && fake_is_execute_only(op->a))
		trap(FAKE_ESR(0x24, FSC_PERMISSION_LEVEL3 | ISS_WNR), op->a, op->a);
	else
		return false;
	return true;
}

static bool is_replaced(const struct vcpu_state *vcpu, const struct fake_op *op)
{
	const uint32_t *word = fake_ram_word(vcpu->pc);
	return op->kind == FAKE_OP_MRS && op->a == FAKE_CNTPCT && word && *word == FAKE_CNTVCT_WORD(op->reg);
}

bool fake_guest_step(struct vcpu_state *vcpu, uint64_t counter_ns, uint64_t max, uint64_t *retired)
{
	const struct fake_op *op = op_at(vcpu->pc);
	*retired = 0;
	if (step_forbidden(vcpu, op))
		return true;
	*retired = 1;
	if (is_replaced(vcpu, op)) {
		step_plain(vcpu, op, counter_ns);
		return false;
	}
	switch (op->kind) {
	case FAKE_OP_MSR:
	case FAKE_OP_MRS:
	case FAKE_OP_STORE:
	case FAKE_OP_LOAD:
	case FAKE_OP_CALL:
	case FAKE_OP_TRAP:
		return step_trap(vcpu, op, retired);
	case FAKE_OP_WFI:
		return step_wfi(vcpu, retired);
	case FAKE_OP_LOOP:
		step_loop(vcpu, op, max, retired);
		return false;
	case FAKE_OP_ERET:
		step_eret(vcpu);
		return false;
	case FAKE_OP_FAULT:
		step_fault(vcpu, op, retired);
		return false;
	case FAKE_OP_BREAK:
		return step_break(vcpu, retired);
	case FAKE_OP_CODE:
		return step_code(vcpu, op, retired);
	default:
		step_plain(vcpu, op, counter_ns);
		return false;
	}
}

void fake_guest_irq(struct vcpu_state *vcpu)
{
	if (vcpu->pstate & PSTATE_I || !(fake_cpu->el1.ich_hcr & ICH_HCR_EN) || hw_signalled(&fake_cpu->el1) < 0)
		return;
	take_exception(vcpu, FAKE_IRQ_VECTOR);
}
