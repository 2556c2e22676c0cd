/* Round robin: who has waited longest for the CPU goes on (docs/SMP.md has the measurements).
 *
 * 1. A turn ends when its vCPU waits, is off or spins; else at the next alarm after SLICE, if others can run. Who is
 *    woken gets the CPU WAKE after it, not at once: whoever woke it often still holds the lock that it wants first. One
 *    that went to wait by itself before that was over is trusted for twice as long the next time: an alarm that comes
 * to nothing costs as much as two turns, in QEMU's timers.
 * 2. The virtual GIC is never folded here: of those whose turn it is not all is known.
 * 3. A loop that spins is known only once an asynchronous exit has come upon it (hv/core/spin.c). So while others can
 * run the guest is looked at: often after such a loop was found, since they come together, and less and less after.
 * 4. Where all that can run do nothing but spin, and each finds its registers as they were, only time can end it, or an
 *    interrupt that time brings: they wait for a while as if in WFI, the longer the longer it lasts. One that counts or
 *    reads the time between is left alone for longer and longer, for a turn costs more than a WFE.
 * 5. With a seed turns are of random length, most of them short, and who goes on is drawn too (record --turns). */
#include "hv/core/schedule.h"
#include "hv/core/hv.h"
#include "hv/core/spin.h"

#define SLICE      UINT64_C(1000000)
#define WAKE       UINT64_C(20000)
#define WAKE_MAX   UINT64_C(320000)
#define LOOK_FIRST UINT64_C(2000)
enum { LOOP_MAX = 16, CLOSE_MANY = 16, STAYS_MAX = 64, DRAWN_BITS = 12 };

#define JUMP_MIN UINT64_C(1000)
#define JUMP_MAX UINT64_C(100000)

static struct {
	uint64_t start_n;                /* of the turn */
	uint64_t end_n;                  /* UINT64_MAX: it has no end yet */
	bool woken;                      /* the end is for one that was woken */
	uint64_t left_n[GUEST_VCPU_MAX]; /* where each one's last turn ended */
	uint32_t trust[GUEST_VCPU_MAX];  /* how often in a row it did not keep those waiting that were woken */
} turn = {.end_n = UINT64_MAX};

static struct {
	uint64_t at_n, every;
	uint64_t found; /* spin_found() then */
} look = {.every = LOOK_FIRST};

static struct {
	uint64_t last_n[GUEST_VCPU_MAX]; /* each one's last WFE or YIELD … */
	uint64_t state[GUEST_VCPU_MAX];  /* … its registers there … */
	uint32_t close[GUEST_VCPU_MAX];  /* … and how many in a row were as close to each other as in a loop */
	uint32_t same;                   /* so many in a row of all found their registers as they had left them */
	uint32_t stay;                   /* for so many more the one that spins keeps its turn */
	uint64_t since_ns;               /* `same` was 0 */
	uint64_t jump_ns;
} spin;

void schedule_forget(void)
{
	__builtin_memset(&turn, 0, sizeof(turn));
	__builtin_memset(&spin, 0, sizeof(spin));
	turn.start_n = hv.guest.n;
	turn.end_n = UINT64_MAX;
	look.at_n = hv.guest.n;
	look.every = LOOK_FIRST;
}

/* xorshift64 (Marsaglia 2003). */
static uint64_t draw(void)
{
	static uint64_t state;
	if (state == 0)
		state = hv.boot->turn_seed;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

/* How long the next turn is: of each order of magnitude equally often. */
static uint64_t slice(void)
{
	if (hv.boot->turn_seed == 0)
		return SLICE;
	uint64_t most = UINT64_C(1) << draw() % DRAWN_BITS;
	return 1 + draw() % most;
}

static bool is_woken(uint32_t vcpu)
{
	return hv.guest.turn.waits[vcpu];
}

/* One of those that can run, by lot; the one that runs: nobody. */
static uint32_t drawn(void)
{
	uint32_t best = hv.guest.current, count = 0;
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++) {
		if (i != hv.guest.current && turn_can_run(i) && draw() % ++count == 0)
			best = i;
	}
	return best;
}

/* Who has waited longest, among those that were woken if `woken`; the one that runs: nobody. */
static uint32_t longest(bool woken)
{
	uint32_t best = hv.guest.current;
	if (hv.boot->turn_seed != 0)
		return drawn();
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++) {
		if (i == hv.guest.current || (woken && !is_woken(i)) || !turn_can_run(i))
			continue;
		if (best == hv.guest.current || turn.left_n[i] < turn.left_n[best])
			best = i;
	}
	return best;
}

static bool give(uint32_t next, enum switch_reason reason, uint32_t *to, enum switch_reason *why)
{
	turn.left_n[hv.guest.current] = hv.guest.n;
	turn.start_n = hv.guest.n;
	turn.end_n = UINT64_MAX;
	turn.woken = false;
	*to = next;
	*why = reason;
	return true;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void look_next(void)
{
	if (look.found != spin_found())
		look.every = LOOK_FIRST;
	look.found = spin_found();
	look.at_n = hv.guest.n + look.every;
	look.every = min_u64(2 * look.every, SLICE);
}

static bool turn_at_exit(uint32_t *to, enum switch_reason *why)
{
	look_next();
	if (hv.guest.n < turn.end_n)
		return false;
	if (turn.woken)
		turn.trust[hv.guest.current] = 0;
	uint32_t next = turn.woken ? longest(true) : hv.guest.current;
	enum switch_reason reason = next != hv.guest.current ? SWITCH_REASON_WOKEN : SWITCH_REASON_SLICE;
	if (hv.boot->turn_seed != 0)
		reason = SWITCH_REASON_CHOSEN;
	if (next == hv.guest.current)
		next = longest(false);
	turn.end_n = UINT64_MAX;
	return next != hv.guest.current && give(next, reason, to, why);
}

/* All that can run do is wait, and nothing has changed for any of them. For how long that may be taken for a WFI: a
 * quarter of the time that it has lasted. */
static void spin_wait(void)
{
	uint64_t lasted = hv_now().v - spin.since_ns;
	spin.jump_ns = lasted / 4 < JUMP_MIN ? JUMP_MIN : lasted / 4 > JUMP_MAX ? JUMP_MAX : lasted / 4;
	spin.same = hv.guest.vcpu_count; /* all have another go before the next */
	spin.stay = 0;
}

static uint64_t registers_hash(const struct vcpu_state *vcpu)
{
	uint64_t hash = vcpu->pc;
	for (uint32_t i = 0; i < 31; i++)
		hash = (hash ^ vcpu->x[i]) * UINT64_C(0x9e3779b97f4a7c15);
	return hash;
}

static void spin_see(void)
{
	uint32_t me = hv.guest.current;
	uint64_t state = registers_hash(hv_vcpu());
	uint64_t from = spin.last_n[me] > turn.start_n ? spin.last_n[me] : turn.start_n;
	spin.close[me] = hv.guest.n - from <= LOOP_MAX ? spin.close[me] + 1 : 0;
	spin.same = state == spin.state[me] ? spin.same + 1 : 0;
	if (spin.same == 0)
		spin.since_ns = hv_now().v;
	spin.state[me] = state;
	spin.last_n[me] = hv.guest.n;
}

static bool turn_at_spin(uint32_t *to, enum switch_reason *why)
{
	spin_see();
	if (spin.same > 2 * hv.guest.vcpu_count) {
		spin_wait();
		return false;
	}
	if (spin.stay > 0) {
		spin.stay--;
		return false;
	}
	uint32_t next = longest(false), close = spin.close[next] / CLOSE_MANY;
	spin.stay = spin.same > 0 ? 0 : close < STAYS_MAX ? close : STAYS_MAX;
	return next != hv.guest.current && give(next, SWITCH_REASON_SPINS, to, why);
}

static bool turn_at_wait(uint32_t *to, enum switch_reason *why)
{
	uint32_t next = longest(false);
	uint32_t *trust = &turn.trust[hv.guest.current];
	if (turn.woken && WAKE << *trust < WAKE_MAX)
		++*trust;
	bool is_off = hv.guest.vcpu[hv.guest.current].power == VCPU_OFF;
	return next != hv.guest.current && give(next, is_off ? SWITCH_REASON_OFF : SWITCH_REASON_WAITS, to, why);
}

bool schedule_turn(enum turn_cause cause, uint32_t *to, enum switch_reason *why)
{
	spin.jump_ns = 0;
	switch (cause) {
	case TURN_EXIT:
		spin.same = 0;
		return turn_at_exit(to, why);
	case TURN_WAITS:
		spin.same = 0;
		return turn_at_wait(to, why);
	case TURN_SPINS:
		return turn_at_spin(to, why);
	case TURN_TRAP:
	default:
		return false;
	}
}

ns_t schedule_spin_jump(void)
{
	return (ns_t){spin.jump_ns};
}

/* One that ran alone for longer than a slice is not taken out at once. */
static uint64_t turn_end(void)
{
	uint64_t end = turn.start_n + slice(), soon = hv.guest.n + WAKE;
	return end > soon || hv.boot->turn_seed != 0 ? end : soon;
}

insn_t schedule_deadline(void)
{
	bool any = false, woken = false;
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++) {
		if (i == hv.guest.current || !turn_can_run(i))
			continue;
		any = true;
		woken |= is_woken(i);
	}
	if (!any) {
		turn.end_n = UINT64_MAX;
		turn.woken = false;
		return (insn_t){UINT64_MAX};
	}
	if (turn.end_n == UINT64_MAX)
		turn.end_n = turn_end();
	if (woken && !turn.woken && hv.boot->turn_seed == 0)
		turn.end_n = min_u64(turn.end_n, hv.guest.n + (WAKE << turn.trust[hv.guest.current]));
	turn.woken = woken;
	if (look.at_n <= hv.guest.n)
		look_next(); /* one that traps so often does not spin */
	uint64_t at = min_u64(turn.end_n, look.at_n);
	return (insn_t){at > hv.guest.n ? at : hv.guest.n + 1};
}
