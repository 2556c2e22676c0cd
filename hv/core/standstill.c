/* Finding that a guest takes exceptions for ever. It may be at EL1 all the time, and N may stand still: then no alarm
 * comes, only the host's bell.
 *
 * 1. Registers and memory decide what the guest does next, time only by interrupts, and those are masked. So it loops
 *    if hv makes it take an exception that changes nothing. In a replay the same happens again.
 * 2. What it takes at EL1 hv sees only when it is interrupted. An interrupt at a vector is put off; if the guest is
 *    there again, with the same registers, having retired one instruction or none, and so ROUNDS times, it loops.
 *    Having retired none, it may not have run at all in one round, if the host rang just then. Not in ROUNDS: hv asks
 *    for each bell after the one before.
 * 3. So every loop of one round, with at most one instruction, is found. In one of several rounds each place may be a
 *    vector. After PUT_OFF_MAX of them the alarm's place is taken: a replay's alarm for this position comes to the
 *    same, before the timers or after taking a virtual interrupt. */
#include "hv/core/standstill.h"
#include "hv/abi/field.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/board/board.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/core/ring.h"
#include "hv/core/vector.h"
#include <stddef.h>

enum { ROUNDS = 8, PUT_OFF_MAX = 32 };

/* Of struct vcpu_state, what instructions read and change: not what hv keeps for it. */
enum { WORDS = offsetof(struct vcpu_state, mdscr_el1) / sizeof(uint64_t) };

static uint64_t last_n;      /* of the last interrupt that was put off */
static uint32_t put_off;     /* so many at positions that follow on each other */
static uint32_t same_rounds; /* the last ones of them with the registers `last` */
static struct vcpu_state last;

/* The machine of version 1 went on. */
enum exit_answer standstill_injected(bool goes_on)
{
	if (goes_on || hv.boot->machine_version < 2)
		return EXIT_RESUME;
	gate_end(END_REASON_EXCEPTION_LOOP);
	return EXIT_STOP;
}

static bool is_masked(const struct vcpu_state *vcpu)
{
	return vcpu->pstate & PSTATE_I && vcpu->pstate & PSTATE_F;
}

/* Keeps the registers. Returns whether they are the same as before. */
static bool registers_keep(const struct vcpu_state *now)
{
	const uint64_t *new_word = (const uint64_t *)now;
	uint64_t *old_word = (uint64_t *)&last;
	bool same = true;
	for (size_t i = 0; i < WORDS; i++) {
		same &= old_word[i] == new_word[i];
		old_word[i] = new_word[i];
	}
	return same;
}

static bool loops_at_vector(uint64_t retired)
{
	struct vcpu_state now = *hv_vcpu();
	arch_el1_save(&now);
	bool same = registers_keep(&now) && put_off > 0;
	bool own = vector_is_own(&now);
	if (own)
		ring_bell_ask();
	if (!same || !is_masked(&now))
		same_rounds = 0;
	else if (own || retired == 1)
		same_rounds++;
	if (same_rounds < ROUNDS)
		return false;
	gate_end(own ? END_REASON_EXCEPTION_LOOP : END_REASON_VECTOR_LOOP);
	return true;
}

bool standstill_stops(uint32_t irqs, uint64_t entry_n)
{
	uint64_t retired = hv.guest.n - last_n;
	put_off = retired <= 1 ? put_off + 1 : 0;
	last_n = hv.guest.n;
	if (vector_is_here() && loops_at_vector(retired))
		return true;
	return put_off >= PUT_OFF_MAX && irqs & BOARD_IRQ_ALARM && hv.guest.n != entry_n;
}
