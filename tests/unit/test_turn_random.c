/* Random guests with 2 to 8 vCPUs, and a host that rings, types and takes keyframes at random: everything that one vCPU
 * can do to another, in any order, comes to the same state in a replay, from the start and from a keyframe. */
#include "tests/unit/fake_smp.h"

TestSuite(turn_random, .timeout = 900);

#define KEY_CNTP_TVAL FAKE_KEY(3, 3, 14, 2, 0)
#define KEY_CNTP_CTL  FAKE_KEY(3, 3, 14, 2, 1)
#define KEY_MDSCR     FAKE_KEY(2, 0, 0, 2, 2)

enum { OPS_MAX = 400, BLOCKS = 24, ACTS_MAX = 16, SEEDS = 80 };

struct program {
	struct fake_op ops[OPS_MAX];
	size_t count;
};

static struct program programs[GUEST_VCPU_MAX];
static uint64_t random_state;
static uint32_t vcpu_count;

static uint64_t random_below(uint64_t end)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 16) % end;
}

static void add(struct program *program, const struct fake_op *ops, size_t count)
{
	cr_assert_lt(program->count + count, OPS_MAX);
	memcpy(&program->ops[program->count], ops, count * sizeof(*ops));
	program->count += count;
}
#define ADD(program, ...)                                                                                              \
	add(program, (const struct fake_op[]){__VA_ARGS__},                                                            \
	    sizeof((const struct fake_op[]){__VA_ARGS__}) / sizeof(struct fake_op))

static uint64_t some_vcpu(void)
{
	return random_below(vcpu_count);
}

static void add_wait(struct program *program)
{
	switch (random_below(4)) {
	case 0:
		ADD(program, FAKE_SUSPEND);
		break;
	case 1:
		ADD(program, FAKE_VTIMER(1, random_below(60000)), FAKE_WFI);
		break;
	default:
		ADD(program, FAKE_MOV(9, 200 + random_below(3000)), FAKE_MSR(KEY_CNTP_TVAL, 9), FAKE_MOV(9, 1),
		    FAKE_MSR(KEY_CNTP_CTL, 9), FAKE_WFI);
		break;
	}
}

/* A loop of a number of rounds, each with a WFE or a YIELD. */
static void add_spin(struct program *program)
{
	uint64_t word = random_below(2) ? FAKE_WFE_WORD : FAKE_YIELD_WORD, rounds = 2 + random_below(200);
	ADD(program, FAKE_MOV(21, 0), FAKE_WORD(word, 0), FAKE_ADDS(21, 1), FAKE_UNLESS(21, rounds, 1), FAKE_GOTO(2),
	    FAKE_GOTO(-4));
}

static void add_power(struct program *program, uint32_t vcpu)
{
	uint64_t dice = random_below(6), target = some_vcpu();
	if (dice == 0 && vcpu != 0)
		ADD(program, FAKE_CPU_OFF);
	else if (dice < 4)
		ADD(program, FAKE_CPU_ON_AT(target, FAKE_CODE_OF(target), dice), FAKE_FOLD(0));
	else
		ADD(program, FAKE_AFFINITY(target, dice == 4), FAKE_FOLD(0));
}

static void add_memory(struct program *program, uint32_t vcpu)
{
	uint64_t index = random_below(4);
	switch (random_below(4)) {
	case 0:
		ADD(program, FAKE_GET(22, index), FAKE_FOLD(22));
		break;
	case 1:
		ADD(program, FAKE_GET(22, index), FAKE_ADDS(22, 1), FAKE_PUT(22, index));
		break;
	case 2:
		ADD(program, FAKE_WORD(FAKE_LDXR, 0), FAKE_WORD(FAKE_ADD, 0), FAKE_WORD(FAKE_STXR, 0), FAKE_FOLD(3));
		break;
	default:
		ADD(program, FAKE_PEEK(22, FAKE_CODE_OF((random_below(2) ? vcpu : some_vcpu())) + 0xff0));
		break;
	}
}

static void add_gic(struct program *program)
{
	uint64_t target = some_vcpu();
	switch (random_below(5)) {
	case 0:
		ADD(program, FAKE_SEND_OTHERS(random_below(16)));
		break;
	case 1:
		ADD(program, FAKE_MOV(9, target), FAKE_STORE(9, FAKE_GICD(0x6000 + 8 * GUEST_INTID_UART), 8));
		break;
	case 2: /* pending by a write, in anybody's redistributor */
		ADD(program, FAKE_MOV(9, UINT64_C(1) << random_below(16)),
		    FAKE_STORE(9, FAKE_REDIST(target, 0x200), 4));
		break;
	case 3: /* off and on again */
		ADD(program, FAKE_MOV(9, UINT64_C(1) << random_below(32)), FAKE_STORE(9, FAKE_REDIST(target, 0x180), 4),
		    FAKE_LOOP(1 + random_below(2000)), FAKE_STORE(9, FAKE_REDIST(target, 0x100), 4));
		break;
	default:
		ADD(program, FAKE_SEND(random_below(16), random_below(256)));
		break;
	}
}

static void add_own(struct program *program)
{
	switch (random_below(5)) {
	case 0:
		ADD(program, FAKE_MRS(5, FAKE_CNTPCT), FAKE_FOLD(5));
		break;
	case 1:
		ADD(program, FAKE_CNTVCT(5), FAKE_FOLD(5));
		break;
	case 2:
		ADD(program, FAKE_MASK, FAKE_LOOP(1 + random_below(500)), FAKE_UNMASK);
		break;
	case 3:
		ADD(program, FAKE_MOV(9, random_below(2) << 15), FAKE_MSR(KEY_MDSCR, 9));
		break;
	default:
		ADD(program, FAKE_MOV(5, 'a'), FAKE_STORE(5, GUEST_UART_IPA, 1));
		break;
	}
}

static void add_block(struct program *program, uint32_t vcpu)
{
	uint64_t dice = random_below(100);
	if (dice < 25)
		ADD(program, FAKE_LOOP(1 + random_below(6000)));
	else if (dice < 33)
		ADD(program, FAKE_LOOP(1 + random_below(900000)));
	else if (dice < 45)
		add_wait(program);
	else if (dice < 55)
		add_spin(program);
	else if (dice < 62)
		add_power(program, vcpu);
	else if (dice < 75)
		add_memory(program, vcpu);
	else if (dice < 88)
		add_gic(program);
	else
		add_own(program);
}

static void program_make(uint32_t vcpu)
{
	struct program *program = &programs[vcpu];
	program->count = 0;
	if (vcpu == 0) {
		ADD(program, FAKE_GIC_SETUP, FAKE_MOV(9, 0x10), FAKE_STORE(9, GUEST_UART_IPA + 0x38, 4));
		for (uint32_t i = 1; i < vcpu_count; i++)
			ADD(program, FAKE_GIC_SETUP_OF(i), FAKE_CPU_ON(i));
	}
	ADD(program, FAKE_GIC_ON, FAKE_UNMASK, FAKE_WHO(23), FAKE_FOLD(23));
	size_t loop = program->count;
	for (uint32_t i = 0; i < BLOCKS; i++)
		add_block(program, vcpu);
	ADD(program, FAKE_ADDS(20, 1), FAKE_UNLESS(20, 6, 2), FAKE_OFF);
	ADD(program, FAKE_GOTO((int64_t)loop - (int64_t)program->count));
}

static size_t acts_make(struct fake_act *acts, uint64_t end_n)
{
	static const enum fake_act_kind kinds[] = {FAKE_INPUT,    FAKE_RING,         FAKE_RING_ENTRY, FAKE_SPURIOUS,
						   FAKE_KEYFRAME, FAKE_INPUT_AT_WFI, FAKE_INPUT_IDLE, FAKE_KEYFRAME};
	size_t count = 2 + random_below(ACTS_MAX - 3);
	for (size_t i = 0; i < count; i++)
		acts[i] = (struct fake_act){kinds[random_below(8)], end_n * (i + 1) / (count + 2) + random_below(1000),
					    (uint8_t)('a' + i)};
	acts[count] = (struct fake_act){FAKE_STOP, end_n, 0};
	return count + 1;
}

/* A replay with what the machine may do otherwise. */
static void replay(struct fake_config config, const struct guest_state *recorded, uint32_t reason, bool first)
{
	if (first) {
		config.virtual_first = !config.virtual_first;
		config.over_count += 4;
	} else {
		config.ring_count = 2;
		config.events_turn = 1;
	}
	fake_expect_replay(&config, recorded, reason);
}

struct tally {
	uint32_t ran, keyframes;
	size_t turns[SWITCH_REASON_CHOSEN + 1], idles, injected;
};

/* There may have been more events than the test has room for. */
static bool trace_is_full(void)
{
	size_t count;
	fake_trace(&count);
	return count == FAKE_EVENTS_MAX;
}

static void random_guest(uint64_t seed, struct tally *tally)
{
	struct fake_act acts[ACTS_MAX];
	struct fake_config config = {.acts = acts, .events_turn = 0};
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	config.vcpu_count = vcpu_count = 2 + (uint32_t)(seed % 7);
	config.turn_seed = seed % 3 == 0 ? seed : 0;
	config.pace = seed % 5 == 0 ? HV_PACE_REAL : HV_PACE_SKIP;
	config.virtual_first = seed & 1;
	config.segments[0] = (struct fake_segment)FAKE_IRQ_SEGMENT(fake_smp_handler);
	for (uint32_t i = 0; i < vcpu_count; i++) {
		program_make(i);
		config.segments[1 + i] = (struct fake_segment){FAKE_CODE_OF(i), programs[i].ops, programs[i].count};
	}
	config.act_count = acts_make(acts, 200000 + random_below(3000000));
	if (fake_record(&config) == FAKE_STUCK || trace_is_full())
		return;
	fake_expect_state(FAKE_STOPPED, HV_STATE_ENDED, "recording");
	struct guest_state recorded = fake_mailbox()->final_state;
	uint32_t reason = fake_mailbox()->end_reason;
	tally->ran++;
	for (enum switch_reason why = SWITCH_REASON_SLICE; why <= SWITCH_REASON_CHOSEN; why++)
		tally->turns[why] += fake_switches(why);
	tally->idles += fake_count(EVENT_IDLE);
	tally->injected += fake_count(EVENT_INJECT);
	replay(config, &recorded, reason, true);
	replay(config, &recorded, reason, false);
	uint64_t next_event;
	struct guest_state keyframe = *fake_keyframe(&next_event);
	if (keyframe.n == 0 || next_event == 0)
		return;
	tally->keyframes++;
	config.until_n = keyframe.n;
	replay(config, &keyframe, 0, true);
	config.until_n = 0;
	config.from_keyframe = true;
	replay(config, &recorded, reason, false);
}

Test(turn_random, random_guests_replay)
{
	struct tally tally = {0};
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		random_guest(seed, &tally);
	cr_assert_gt(tally.ran, SEEDS / 2, "%u", tally.ran);
	cr_assert_gt(tally.keyframes, SEEDS / 4, "%u", tally.keyframes);
	for (enum switch_reason why = SWITCH_REASON_SLICE; why <= SWITCH_REASON_CHOSEN; why++)
		cr_assert_gt(tally.turns[why], SEEDS / 10, "turns of reason %d: %zu", why, tally.turns[why]);
	cr_assert_gt(tally.idles, SEEDS / 4);
	cr_assert_gt(tally.injected, SEEDS * 4);
}
