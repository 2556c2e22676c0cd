/* hv's own exclusive monitor, the step that is under way, and how the monitor is found where the guest ran on its own.
 */
#include "hv/core/exclusive.h"
#include "hv/abi/pstate.h"
#include "hv/arch/arch.h"
#include "hv/arch/hot.h"
#include "hv/core/decode_exclusive.h"
#include "hv/core/interrupts.h"
#include "hv/core/load_store.h"
#include "hv/core/vector.h"

/* Sequences are short (Arm ARM B2.9.5), and so is the way back to the beginning of one that failed. */
enum { SEQUENCE_INSNS_MAX = 32, OPEN_INSNS_MAX = 2 * SEQUENCE_INSNS_MAX };
enum { REG_SP = 31 };

/* What a return from an exception takes from SPSR_EL1, and nothing in a sequence changes: M, DAIF, SSBS, PAN, UAO, DIT.
 */
#define PSTATE_RETURNED UINT64_C(0x01c013df)

struct reserved {
	uint64_t va;
	uint8_t bytes; /* 0: nothing */
};

static struct reserved monitor;
static uint64_t cleared_n;  /* it was clear there */
static uint64_t elr_seen;   /* ELR_EL1 where hv last looked for a monitor … */
static bool has_elr_seen;   /* … since then */
static uint32_t insns_left; /* to follow the sequence for */

static bool is_used; /* some of this, apart from cleared_n, since it was dropped last */

static struct {
	uint64_t pc; /* of the instruction that is stepped over */
	struct reserved load;
	bool is_made, is_load;
	uint8_t rs;           /* of the store */
	uint32_t word, plain; /* of the store at `at` */
	volatile uint32_t *at;
} step;
bool exclusive_stores;

static void monitor_clear(void)
{
	monitor.bytes = 0;
	cleared_n = hv.guest.n;
	has_elr_seen = false;
}

static void step_forget(void)
{
	step.is_made = false;
	step.is_load = false;
	exclusive_stores = false;
}

static HV_APART void drop(void)
{
	monitor_clear();
	insns_left = 0;
	step_forget();
	is_used = false;
}

void exclusive_drop(void)
{
	cleared_n = hv.guest.n;
	if (is_used)
		drop();
}

void exclusive_store_put(void)
{
	arch_code_write(step.at, step.plain);
}

void exclusive_store_take_back(void)
{
	arch_code_write(step.at, step.word);
}

bool exclusive_step_end(void)
{
	is_used = true;
	bool done = hv_vcpu()->pc == step.pc + 4;
	uint64_t after = arch_elr_el1() - step.pc; /* ELR_EL1 of an SVC is after it */
	bool at_vector = vector_is_here();         /* an exception came instead of the instruction, or with it */
	bool excepted = step.is_made && at_vector && (after == 0 || after == 4);
	if (done && step.is_load)
		monitor = step.load;
	if (done && exclusive_stores) {
		if (step.rs != 31)
			hv_vcpu()->x[step.rs] = 0;
		monitor.bytes = 0;
		insns_left = 0;
	}
	if (at_vector)
		monitor_clear();
	step_forget();
	return excepted;
}

static struct reserved accessed(const struct decode_exclusive *access)
{
	const struct vcpu_state *vcpu = hv_vcpu();
	uint64_t va = access->rn == REG_SP ? arch_sp_read(vcpu->pstate) : vcpu->x[access->rn];
	return (struct reserved){va, access->bytes};
}

static void load_begin(struct reserved load)
{
	step.load = load;
	step.is_load = true;
	insns_left = OPEN_INSNS_MAX;
}

/* Where hardware lets it fail, the guest's own instruction does: the CPU's monitor is clear. */
static void store_begin(const struct decode_exclusive *access, uint32_t word, volatile uint32_t *at)
{
	struct reserved store = accessed(access);
	exclusive_stores = store.bytes == monitor.bytes && store.va == monitor.va;
	monitor.bytes = exclusive_stores ? monitor.bytes : 0;
	step.rs = access->rs;
	step.word = word;
	step.plain = decode_exclusive_plain(word);
	step.at = at;
}

void exclusive_step_begin(void)
{
	struct decode_exclusive access;
	uint32_t word;
	volatile uint32_t *at;
	is_used = true;
	step.pc = hv_vcpu()->pc;
	step.is_made = true;
	if (!load_store_fetch((va_t){step.pc}, &word, &at))
		return;
	if (decode_exclusive(word, &access) && access.is_load)
		load_begin(accessed(&access));
	else if (decode_exclusive(word, &access))
		store_begin(&access, word, at);
	else if (decode_exclusive_ends(word))
		monitor_clear();
}

/* How many instructions ago the guest, as the code before pc shows, executed the load of a sequence in which it stands;
 * 0: it stands in none. */
static uint32_t load_look_back(struct decode_exclusive *load)
{
	uint32_t words[SEQUENCE_INSNS_MAX];
	uint32_t back = 0, between = 0;
	volatile uint32_t *at;
	do {
		if (back == SEQUENCE_INSNS_MAX ||
		    !load_store_fetch((va_t){hv_vcpu()->pc - 4 * (back + UINT64_C(1))}, &words[back], &at))
			return 0;
	} while (!decode_exclusive(words[back++], load));
	if (!load->is_load)
		return 0;
	while (between < back - 1 && decode_exclusive_passes(words[between], load->rn))
		between++;
	return between == back - 1 ? back : 0;
}

/* Whether the guest may have returned from an exception into the last `insns` instructions since it executed the first
 * of them: ELR_EL1 is of such a return, and so is PSTATE. Both may be left from a return long ago: so they are if hv
 * saw them in a sequence before, and nothing came since then. */
static bool may_have_returned(uint32_t insns)
{
	uint64_t elr = arch_elr_el1();
	bool seen = has_elr_seen && elr == elr_seen;
	bool acknowledged = interrupts_acknowledged();
	elr_seen = elr;
	has_elr_seen = true;
	if (hv_vcpu()->pc - elr >= UINT64_C(4) * insns)
		return false;
	if ((arch_spsr_el1() ^ hv_vcpu()->pstate) & PSTATE_RETURNED)
		return false;
	return acknowledged || !seen;
}

/* The monitor of a guest that ran on its own: what it loaded, if nothing cleared it since. */
static void monitor_look_back(void)
{
	struct decode_exclusive load;
	uint32_t insns = load_look_back(&load);
	if (insns == 0)
		return;
	insns_left = OPEN_INSNS_MAX;
	bool returned = may_have_returned(insns);
	if (!returned && hv.guest.n >= insns && hv.guest.n - insns >= cleared_n)
		monitor = accessed(&load);
	else
		cleared_n = hv.guest.n;
}

void exclusive_step_first(void)
{
	exclusive_step_end();
	if (monitor.bytes == 0)
		monitor_look_back();
	exclusive_step_begin();
}

bool exclusive_is_open(void)
{
	if (insns_left == 0)
		return false;
	insns_left--;
	return true;
}
