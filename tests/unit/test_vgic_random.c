/* The virtual GIC under random devices and guests, against a reference that knows no list registers: whatever happens,
 * what the CPU interface (vgic_model.h) signals must be what a GIC with room for everything would signal. */
#include "tests/unit/vgic_model.h"

TestSuite(vgic_random, .timeout = 900);

struct ref_irq {
	bool enabled, pending, level, edge, group1;
	uint8_t priority;
	int active_on; /* vCPU, or -1 */
	uint32_t route;
};

struct ref_cpu {
	struct ref_irq private[VGIC_PRIVATE_COUNT];
	uint32_t stack[32]; /* acknowledged, not ended */
	uint32_t depth;
	uint8_t running[32];
};

static struct ref_cpu ref_cpus[GUEST_VCPU_MAX];
static struct ref_irq ref_spis[VGIC_SPI_COUNT];
static uint32_t ref_ctlr;
static uint64_t random_state;
static uint32_t haste; /* 1 to 8: how soon the guest ends an interrupt; slow guests nest deeply */
static uint32_t delivered_count, spilled_count, waiting_count, elsewhere_count;

static const uint32_t used_intids[] = {0,  1,  15, 16, 26, 27, 30, 31, 32,  33,  34,  48,  63,
				       64, 79, 80, 90, 95, 96, 97, 98, 120, 127, 128, 159, 287};
enum { USED_COUNT = sizeof used_intids / sizeof *used_intids };

static uint32_t random_below(uint32_t end)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % end;
}

static struct ref_irq *ref_irq(uint32_t vcpu, uint32_t intid)
{
	return intid < INTID_SPI_FIRST ? &ref_cpus[vcpu].private[intid] : &ref_spis[intid - INTID_SPI_FIRST];
}

static uint32_t ref_running(uint32_t vcpu)
{
	return ref_cpus[vcpu].depth ? ref_cpus[vcpu].running[ref_cpus[vcpu].depth - 1] : 0xff;
}

static uint32_t ref_signalled(uint32_t vcpu)
{
	uint64_t vmcr = guest.vcpu[vcpu].ich_vmcr;
	uint32_t best = NO_INTID, best_priority = 0x100;

	for (uint32_t i = 0; i < USED_COUNT; i++) {
		const struct ref_irq *irq = ref_irq(vcpu, used_intids[i]);
		if (!irq->enabled || !(irq->pending || (irq->level && !irq->edge)) || irq->active_on >= 0)
			continue;
		if (used_intids[i] >= INTID_SPI_FIRST && irq->route != vcpu)
			continue;
		if (!(ref_ctlr >> irq->group1 & 1) || !(vmcr >> irq->group1 & 1) || irq->priority >= best_priority)
			continue;
		best = used_intids[i];
		best_priority = irq->priority;
	}
	return best_priority < FIELD_GET(vmcr, ICH_VMCR_VPMR) && best_priority < ref_running(vcpu) ? best : NO_INTID;
}

static void ref_ack(uint32_t vcpu, uint32_t intid)
{
	struct ref_cpu *cpu = &ref_cpus[vcpu];
	struct ref_irq *irq = ref_irq(vcpu, intid);

	irq->pending = false;
	irq->active_on = (int)vcpu;
	cpu->running[cpu->depth] = irq->priority;
	cpu->stack[cpu->depth++] = intid;
}

static uint32_t ref_eoi(uint32_t vcpu)
{
	struct ref_cpu *cpu = &ref_cpus[vcpu];
	uint32_t intid = cpu->stack[--cpu->depth];

	ref_irq(vcpu, intid)->active_on = -1;
	if (intid == GUEST_INTID_VTIMER)
		ref_irq(vcpu, intid)->level = false;
	return intid;
}

static void random_setup(uint64_t seed)
{
	haste = 1 + seed % 8;
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	guest_setup(2 + (uint32_t)(seed / 8 % 7));
	memset(ref_cpus, 0, sizeof ref_cpus);
	memset(ref_spis, 0, sizeof ref_spis);
	ref_ctlr = 3;
	for (uint32_t i = 0; i < guest.vcpu_count * USED_COUNT; i++) {
		uint32_t vcpu = i / USED_COUNT, intid = used_intids[i % USED_COUNT];
		struct ref_irq *irq = ref_irq(vcpu, intid);
		if (vcpu && intid >= INTID_SPI_FIRST)
			continue;
		*irq = (struct ref_irq){.enabled = true, .group1 = true, .active_on = -1};
		irq->priority = (uint8_t)(random_below(12) * 16 + 8);
		irq->edge = intid < 16 || (intid != GUEST_INTID_VTIMER && random_below(2));
		config_write(vcpu, GIC_ISENABLER, intid);
		priority_write(vcpu, intid, irq->priority | (uint8_t)random_below(8));
		if (irq->edge && intid >= 16)
			edge_write(vcpu, intid);
	}
}

/* To a list, to all others, or to nobody: another cluster, or a range of numbers that no vCPU has. */
static void random_sgi(uint32_t vcpu, uint32_t intid)
{
	uint32_t dice = random_below(8), list = random_below(1 << 16);
	uint64_t value = sgi(intid, list);

	value |= dice == 0 ? FIELD_PUT(ICC_SGI_AFF1, 1 + random_below(255)) : 0;
	value |= dice == 1 ? FIELD_PUT(ICC_SGI_RS, 1 + random_below(15)) : 0;
	value |= dice == 2 ? ICC_SGI_IRM : 0;
	vgic_sgi(&guest, vcpu, value);
	for (uint32_t target = 0; target < guest.vcpu_count; target++) {
		struct ref_irq *irq = ref_irq(target, intid);
		bool is_target = dice == 2 ? target != vcpu : dice > 2 && list >> target & 1;
		irq->pending |= is_target && irq->group1;
	}
}

static void random_line(uint32_t vcpu, uint32_t intid)
{
	struct ref_irq *irq = ref_irq(vcpu, intid);
	bool level = intid == GUEST_INTID_VTIMER || random_below(3);

	irq->pending |= level && !irq->level && irq->edge;
	irq->level = level;
	vgic_set_level(&guest, vcpu, intid, level);
}

static void random_group(uint32_t intid, struct ref_irq *irq)
{
	uint64_t value;

	if (irq->active_on >= 0 || intid < INTID_SPI_FIRST)
		return;
	irq->group1 = random_below(4) != 0;
	cr_assert(vgicd_read(&guest, GIC_IGROUPR + intid / 32 * 4, 4, &value));
	value &= ~(UINT64_C(1) << intid % 32);
	gicd_write(GIC_IGROUPR + intid / 32 * 4, value | (uint64_t)irq->group1 << intid % 32);
}

/* vCPUs and places where there is none. */
static void random_route(uint32_t intid, struct ref_irq *irq)
{
	static const uint64_t nowhere[] = {8, 255, 0x100, 0x10000, UINT64_C(1) << 32};
	uint64_t route = random_below(16) ? random_below(guest.vcpu_count) : nowhere[random_below(5)];

	if (intid < INTID_SPI_FIRST)
		return;
	irq->route = route < guest.vcpu_count ? (uint32_t)route : UINT32_MAX;
	cr_assert(vgicd_write(&guest, GICD_IROUTER + 8 * intid, 8, route));
}

/* What the guest does with the distributor, and with the redistributor of any vCPU. */
static void random_config(uint32_t vcpu, uint32_t intid)
{
	struct ref_irq *irq = ref_irq(vcpu, intid);

	switch (random_below(6)) {
	case 0:
		irq->enabled = random_below(4) != 0;
		config_write(vcpu, irq->enabled ? GIC_ISENABLER : GIC_ICENABLER, intid);
		break;
	case 1:
		if (intid == GUEST_INTID_VTIMER)
			break; /* made pending while active it comes one exit late, see vgic.h */
		irq->pending = random_below(2);
		config_write(vcpu, irq->pending ? GIC_ISPENDR : GIC_ICPENDR, intid);
		break;
	case 2:
		irq->priority = (uint8_t)(random_below(24) * 8);
		priority_write(vcpu, intid, irq->priority);
		break;
	case 3:
		ref_ctlr = random_below(4) ? 3 : random_below(4);
		gicd_write(GICD_CTLR, ref_ctlr);
		break;
	case 4:
		random_group(intid, irq);
		break;
	default:
		random_route(intid, irq);
		break;
	}
}

static bool pending_in(const uint64_t *lr, uint32_t intid)
{
	for (int i = 0; i < GUEST_LR_COUNT; i++)
		if ((lr[i] & ICH_LR_PENDING) && FIELD_GET(lr[i], ICH_LR_VINTID) == intid)
			return true;
	return false;
}

/* `before`: the list registers as the vCPU last left them; `quiet`: nothing happened in between. */
static void check_injected(uint32_t vcpu, const uint64_t *before, bool quiet)
{
	const uint64_t *after = guest.vcpu[vcpu].ich_lr;

	for (uint32_t i = 0; i < USED_COUNT; i++) {
		uint32_t told = 0, intid = used_intids[i];
		for (uint32_t j = 0; j < injected_count; j++)
			told += injected_intid[j] == intid;
		cr_assert_leq(told, 1);
		if (!pending_in(after, intid))
			cr_assert_eq(told, 0);
		else if (!pending_in(before, intid))
			cr_assert_eq(told, 1, "INTID %u is news", intid);
		else if (quiet)
			cr_assert_eq(told, 0, "INTID %u is no news", intid);
	}
}

static void check_list_registers(const struct vcpu_state *cpu)
{
	for (int i = 0; i < GUEST_LR_COUNT; i++) {
		uint64_t lr = cpu->ich_lr[i];
		uint64_t both = ICH_LR_PENDING | ICH_LR_ACTIVE;
		if (!(lr & both)) {
			cr_assert_eq(lr, 0);
			continue;
		}
		cr_assert_eq((lr & ICH_LR_HW) != 0, FIELD_GET(lr, ICH_LR_VINTID) == GUEST_INTID_VTIMER);
		cr_assert((lr & both) != both || !(lr & ICH_LR_HW));
		for (int j = 0; j < i; j++)
			cr_assert_neq(FIELD_GET(cpu->ich_lr[j], ICH_LR_VINTID), FIELD_GET(lr, ICH_LR_VINTID));
	}
	cr_assert_not(hw_maintenance(cpu), "the guest would never get on");
}

enum action { ACTION_NONE, ACTION_LINES, ACTION_CONFIG };

/* SGIs of the vCPU that runs; lines of any, since timers of the others come due too. */
static void random_news(uint32_t vcpu)
{
	uint32_t intid = used_intids[random_below(USED_COUNT)];

	if (intid < 16)
		random_sgi(vcpu, intid);
	else
		random_line(random_below(2) ? vcpu : random_below(guest.vcpu_count), intid);
}

/* Who could go on if it were its turn. */
static void check_pending(uint32_t vcpu)
{
	for (uint32_t i = 0; i < guest.vcpu_count; i++) {
		bool pending = ref_signalled(i) != NO_INTID;
		cr_assert_eq(vgic_has_pending(&guest, i), pending, "vCPU %u of %u, %u runs", i, guest.vcpu_count, vcpu);
		elsewhere_count += pending && i != vcpu;
	}
}

/* One exit: events from outside or an access of the guest, then on with `next`. */
static void random_exit(uint32_t vcpu, uint32_t next, enum action action)
{
	static uint64_t left[GUEST_VCPU_MAX][GUEST_LR_COUNT];
	uint32_t lines = action == ACTION_LINES ? 1 + random_below(6) : 0;

	memcpy(left[vcpu], guest.vcpu[vcpu].ich_lr, sizeof left[vcpu]);
	vgic_fold(&guest, vcpu);
	for (uint32_t i = 0; i < lines; i++)
		random_news(vcpu);
	if (action == ACTION_CONFIG)
		random_config(random_below(guest.vcpu_count), used_intids[random_below(USED_COUNT)]);
	check_pending(vcpu);
	flush(next);
	spilled_count += (guest.vcpu[next].ich_hcr & ICH_HCR_LRENPIE) != 0;
	waiting_count += (guest.vcpu[next].ich_hcr & ICH_HCR_NPIE) != 0;
	check_injected(next, left[next], action == ACTION_NONE && vcpu == next);
	check_list_registers(&guest.vcpu[next]);
}

/* What a guest does without an exit: masks and groups of its CPU interface. */
static void random_cpu_interface(struct vcpu_state *cpu)
{
	uint64_t mask = random_below(3) ? 0xf8 : random_below(32) * 8;

	cpu->ich_vmcr &= ~(FIELD_MASK(ICH_VMCR_VPMR) | ICH_VMCR_VENG0 | ICH_VMCR_VENG1);
	cpu->ich_vmcr |= FIELD_PUT(ICH_VMCR_VPMR, mask) | (random_below(4) ? 3 : random_below(4));
}

/* One step of the machine; returns the vCPU that runs after it. */
static uint32_t random_step(uint32_t vcpu)
{
	struct vcpu_state *cpu = &guest.vcpu[vcpu];
	uint32_t next = vcpu, dice = random_below(100);

	if (dice < 30) {
		uint32_t intid = hw_ack(cpu);
		if (intid != NO_INTID) {
			ref_ack(vcpu, intid);
			delivered_count++;
		}
	} else if (dice < 60) {
		if (ref_cpus[vcpu].depth && random_below(8) < haste)
			hw_eoi(cpu, ref_eoi(vcpu));
	} else if (dice < 64) {
		random_cpu_interface(cpu);
	} else if (dice < 70) {
		next = random_below(guest.vcpu_count);
		random_exit(vcpu, next, ACTION_NONE);
	} else {
		random_exit(vcpu, vcpu, dice < 95 ? ACTION_LINES : ACTION_CONFIG);
	}
	if (hw_maintenance(&guest.vcpu[next]))
		random_exit(next, next, ACTION_NONE);
	return next;
}

static void random_check_config(void)
{
	for (uint32_t i = 0; i < guest.vcpu_count * USED_COUNT; i++) {
		uint32_t vcpu = i / USED_COUNT, intid = used_intids[i % USED_COUNT];
		const struct virq *irq = vgic_irq_const(&guest.vgic, vcpu, intid);
		const struct ref_irq *ref = ref_irq(vcpu, intid);
		cr_assert_eq(irq->pending, ref->pending, "pending of %u", intid);
		cr_assert_eq(irq->level, ref->level, "level of %u", intid);
		cr_assert_eq(irq->active != 0, ref->active_on >= 0, "active of %u", intid);
	}
}

Test(vgic_random, random_guests_see_what_a_gic_without_list_registers_would_signal)
{
	delivered_count = spilled_count = waiting_count = elsewhere_count = 0;
	for (uint64_t seed = 1; seed <= 112; seed++) {
		uint32_t vcpu = 0;
		random_setup(seed);
		flush(0);
		for (uint32_t step = 0; step < 4000; step++) {
			vcpu = random_step(vcpu);
			cr_assert_eq(hw_signalled_intid(&guest.vcpu[vcpu]), ref_signalled(vcpu),
				     "seed %u step %u: signals %u, must be %u", (uint32_t)seed, step,
				     hw_signalled_intid(&guest.vcpu[vcpu]), ref_signalled(vcpu));
		}
		vgic_fold(&guest, vcpu);
		random_check_config();
	}
	cr_assert_gt(delivered_count, 1000);
	cr_assert_gt(spilled_count, 100, "active ones outside must have been tried");
	cr_assert_gt(waiting_count, 100, "pending ones outside must have been tried");
	cr_assert_gt(elsewhere_count, 1000, "others must have had something pending");
}

Test(vgic_random, the_same_calls_give_the_same_bytes)
{
	static struct guest_state first;

	for (int run = 0; run < 2; run++) {
		uint32_t vcpu = 0;
		random_setup(99);
		flush(0);
		for (uint32_t step = 0; step < 2000; step++)
			vcpu = random_step(vcpu);
		if (run == 0)
			first = guest;
	}
	cr_assert_eq(memcmp(&first, &guest, sizeof first), 0);
}
