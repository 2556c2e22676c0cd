/* Exclusive sequences while the guest's own debug events, masked, are on them: software step, breakpoints, watchpoints,
 * masked by PSTATE.D, by MDSCR_EL1.KDE and by the OS lock, at EL1 and EL0. Each store has the outcome that it has with
 * nothing armed, at once, and no debug exception is taken. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/timer.h"
#include "tests/guest/lib/user.h"

const char guest_name[] = "debug_exclusive";

enum { MDSCR_SS = 1, MDSCR_KDE = 1 << 13, MDSCR_MDE = 1 << 15, OSLSR_OSLK = 2 };
enum { BCR_WORD = 0xf << 5 | 3 << 1 | 1, WCR_ALL = 0xff << 5 | 3 << 1 | 1, WCR_READ = 1 << 3, WCR_WRITE = 2 << 3 };
enum { ATTEMPTS = 3, OTHER = 64 };            /* where the code finds another doubleword */
enum { TURN_COUNT = 150, PERIOD_TICKS = 60 }; /* of the storm */
enum { EC_DATA_WRITE = 1 << 6, FSC_PERMISSION_LEVEL2 = 0x0e };
#define AP_READ_ONLY (UINT64_C(1) << 7)
#define DESC_DBM     (UINT64_C(1) << 51)
#define TCR_HA_HD    (UINT64_C(3) << 39)

/* In: x0 = the doublewords. Out: x0 = the status. The labels are where breakpoints go. */
#define SEQUENCE(name, load, between, store)                                                                           \
	__asm__(".text\n" #name ":	mov	w2, #7\n" #name "_load:	" load "\n" #name "_between:	" between      \
		"\n" #name "_store:	" store "\n	mov	w0, w2\n	ret\n")
__asm__(".text\n.global code\ncode:\n");
SEQUENCE(add_word, "ldxr	w1, [x0]", "add	w1, w1, #1", "stxr	w2, w1, [x0]");
SEQUENCE(add_doubleword, "ldaxr	x1, [x0]", "add	x1, x1, #1", "stlxr	w2, x1, [x0]");
SEQUENCE(add_byte, "ldxrb	w1, [x0]", "add	w1, w1, #1", "stxrb	w2, w1, [x0]");
SEQUENCE(add_halfword, "ldaxrh	w1, [x0]", "add	w1, w1, #1", "stlxrh	w2, w1, [x0]");
SEQUENCE(add_pair, "ldxp	x1, x3, [x0]", "adds	x1, x1, #1; adc	x3, x3, xzr", "stxp	w2, x1, x3, [x0]");
SEQUENCE(add_word_pair, "ldaxp	w1, w3, [x0]", "add	w1, w1, w3", "stlxp	w2, w1, w3, [x0]");
SEQUENCE(lock, "ldaxr	w1, [x0]", "mov	w1, #1", "stxr	w2, w1, [x0]");
SEQUENCE(add_other, "ldaxr	x1, [x0]", "ldr	x3, [x0, #64]; add	x1, x1, x3; str	x1, [x0, #64]",
	 "stxr	w2, x1, [x0]");
SEQUENCE(compare, "ldxr	w1, [x0]", "cmp	w1, #5; b.eq	1f; dmb	ish; nop; mrs	x3, tpidr_el0",
	 "stxr	w2, w3, [x0]; 1:");
SEQUENCE(on_stack, "mov	x4, sp; mov	sp, x0; ldxr	w1, [sp]", "cmp	w1, #5; add	w1, w1, #1",
	 "stxr	w2, w1, [sp]; mov	sp, x4");
/* And those that fail. */
SEQUENCE(cleared, "ldxr	x1, [x0]", "add	x1, x1, #1; clrex", "stxr	w2, x1, [x0]");
SEQUENCE(other_address, "ldxr	x1, [x0]", "add	x3, x0, #64", "stxr	w2, x1, [x3]");
SEQUENCE(twice, "ldxr	x1, [x0]; stxr	w2, x1, [x0]", "add	x1, x1, #1", "stxr	w2, x1, [x0]");
SEQUENCE(excepted, "ldxr	x1, [x0]", "udf	#0; add	x1, x1, #1", "stxr	w2, x1, [x0]");
__asm__(".text\ncall_end:	svc	#0\n.global code_end\ncode_end:\n");
extern const char code[], code_end[], call_end[];

struct sequence {
	const char *start, *load, *between, *store;
};
#define SEQUENCE_ROW(name)                                                                                             \
	{                                                                                                              \
		name, name##_load, name##_between, name##_store                                                        \
	}
#define SEQUENCE_LABELS(name) extern const char name[], name##_load[], name##_between[], name##_store[]
SEQUENCE_LABELS(add_word);
SEQUENCE_LABELS(add_doubleword);
SEQUENCE_LABELS(add_byte);
SEQUENCE_LABELS(add_halfword);
SEQUENCE_LABELS(add_pair);
SEQUENCE_LABELS(add_word_pair);
SEQUENCE_LABELS(lock);
SEQUENCE_LABELS(add_other);
SEQUENCE_LABELS(compare);
SEQUENCE_LABELS(on_stack);
SEQUENCE_LABELS(cleared);
SEQUENCE_LABELS(other_address);
SEQUENCE_LABELS(twice);
SEQUENCE_LABELS(excepted);
static const struct sequence sequences[] = {
	SEQUENCE_ROW(add_word), SEQUENCE_ROW(add_doubleword), SEQUENCE_ROW(add_byte), SEQUENCE_ROW(add_halfword),
	SEQUENCE_ROW(add_pair), SEQUENCE_ROW(add_word_pair),  SEQUENCE_ROW(lock),     SEQUENCE_ROW(add_other),
	SEQUENCE_ROW(compare),  SEQUENCE_ROW(on_stack),       SEQUENCE_ROW(cleared),  SEQUENCE_ROW(other_address),
	SEQUENCE_ROW(twice),    SEQUENCE_ROW(excepted), /* the last: not at EL0 */
};
enum { SEQUENCE_COUNT = sizeof(sequences) / sizeof(sequences[0]) };

enum source {
	NONE,
	STEP,
	BREAK_LOAD,
	BREAK_BETWEEN,
	BREAK_STORE,
	WATCH_LOAD,
	WATCH_STORE,
	WATCH_OTHER,
	WATCH_ALL,
	STEP_AND_ALL,
	SOURCE_COUNT,
};

enum mask { BY_PSTATE, BY_KDE, BY_OS_LOCK, BY_OS_LOCK_AT_EL0, MASK_COUNT };
static enum mask mask_count = MASK_COUNT;

static struct user user;

static uint64_t *words(void)
{
	return (uint64_t *)(MMU_USER + 0x1000);
}

static uint64_t address_of(const char *label, enum mask mask)
{
	return mask == BY_OS_LOCK_AT_EL0 ? MMU_USER + (uint64_t)(label - code) : (uint64_t)label;
}

static void disarm(void)
{
	__asm__ volatile("msr daifset, #8" ::: "memory");
	SYSREG_WRITE(mdscr_el1, 0);
	SYSREG_WRITE(dbgbcr0_el1, 0);
	SYSREG_WRITE(dbgbcr1_el1, 0);
	SYSREG_WRITE(dbgbcr2_el1, 0);
	SYSREG_WRITE(dbgwcr0_el1, 0);
	SYSREG_WRITE(dbgwcr1_el1, 0);
	SYSREG_WRITE(oslar_el1, 0);
	isb(); /* nothing is armed */
}

static uint64_t watched(enum source source)
{
	return source == WATCH_LOAD    ? WCR_ALL | WCR_READ
	       : source == WATCH_STORE ? WCR_ALL | WCR_WRITE
	       : source >= WATCH_ALL   ? WCR_ALL | WCR_READ | WCR_WRITE
				       : 0;
}

static void arm(const struct sequence *sequence, enum source source, enum mask mask)
{
	bool all = source == STEP_AND_ALL;
	uint64_t steps = source == STEP || all ? MDSCR_SS : 0;
	SYSREG_WRITE(dbgbvr0_el1, address_of(sequence->load, mask));
	SYSREG_WRITE(dbgbcr0_el1, source == BREAK_LOAD || all ? BCR_WORD : 0);
	SYSREG_WRITE(dbgbvr1_el1, address_of(sequence->between, mask));
	SYSREG_WRITE(dbgbcr1_el1, source == BREAK_BETWEEN || all ? BCR_WORD : 0);
	SYSREG_WRITE(dbgbvr2_el1, address_of(sequence->store, mask));
	SYSREG_WRITE(dbgbcr2_el1, source == BREAK_STORE || all ? BCR_WORD : 0);
	SYSREG_WRITE(dbgwvr0_el1, words());
	SYSREG_WRITE(dbgwcr0_el1, watched(source));
	SYSREG_WRITE(dbgwvr1_el1, (uint64_t)words() + OTHER);
	SYSREG_WRITE(dbgwcr1_el1, source == WATCH_OTHER || source >= WATCH_ALL ? WCR_ALL | WCR_READ | WCR_WRITE : 0);
	SYSREG_WRITE(oslar_el1, mask >= BY_OS_LOCK);
	SYSREG_WRITE(mdscr_el1, (source == NONE ? 0 : MDSCR_MDE) | steps | (mask == BY_KDE ? 0 : MDSCR_KDE));
	isb(); /* armed, and masked */
	if (mask != BY_PSTATE)
		__asm__ volatile("msr daifclr, #8" ::: "memory");
}

static uint64_t call(const char *start)
{
	register uint64_t x0 __asm__("x0") = (uint64_t)words();
	__asm__ volatile("blr	%1" : "+r"(x0) : "r"(start) : "x1", "x2", "x3", "x4", "x30", "cc", "memory");
	return x0;
}

static uint64_t call_at_el0(const char *start)
{
	user.pc = address_of(start, BY_OS_LOCK_AT_EL0);
	user.x[0] = (uint64_t)words();
	user.x[30] = address_of(call_end, BY_OS_LOCK_AT_EL0);
	user_run(&user);
	CHECK(ESR_EC(user.esr) == EC_SVC, "another exception than the call's end from EL0");
	return user.x[0];
}

static void fill(void)
{
	for (uint64_t i = 0; i <= OTHER / 8; i++)
		words()[i] = 0xff + i;
}

static uint64_t sum(void)
{
	uint64_t result = 0;
	for (uint64_t i = 0; i <= OTHER / 8; i++)
		result = result * 31 + words()[i];
	return result;
}

struct outcome {
	uint64_t status, sum, exceptions;
};

static struct outcome run(const struct sequence *sequence, enum source source, enum mask mask)
{
	bool at_el0 = mask == BY_OS_LOCK_AT_EL0 && source != NONE;
	fill();
	exception_last.count = 0;
	arm(sequence, source, mask);
	uint64_t status = at_el0 ? call_at_el0(sequence->start) : call(sequence->start);
	disarm();
	return (struct outcome){status, sum(), exception_last.count};
}

/* An interruption that the guest does not see may make a store fail, but not each time. */
static void try_one(const struct sequence *sequence, enum source source, enum mask mask)
{
	struct outcome expected = run(sequence, NONE, mask), outcome = expected;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		outcome = run(sequence, source, mask);
		CHECK(outcome.exceptions == expected.exceptions, "a debug exception was taken");
		if (outcome.status == expected.status)
			break;
	}
	CHECK(outcome.status == expected.status, "another status than with nothing armed");
	CHECK(outcome.sum == expected.sum, "another result than with nothing armed");
}

/* QEMU's own board does not look at it (7.2: at another bit of OSLSR_EL1). */
static bool os_lock_masks(void)
{
	exception_last.count = 0;
	arm(&sequences[0], BREAK_BETWEEN, BY_OS_LOCK);
	call(sequences[0].start);
	disarm();
	return exception_last.count == 0;
}

static void try_all(void)
{
	for (enum mask mask = 0; mask < mask_count; mask++) {
		for (uint32_t i = 0; i < SEQUENCE_COUNT - (mask == BY_OS_LOCK_AT_EL0); i++) {
			for (enum source source = STEP; source < SOURCE_COUNT; source++)
				try_one(&sequences[i], source, mask);
		}
	}
}

/* ---- a store that faults ---- */

static uint64_t *user_descriptor(void)
{
	uint64_t *level1 = (uint64_t *)(SYSREG_READ(ttbr0_el1) & ~UINT64_C(0xfff));
	uint64_t *level2 = (uint64_t *)(level1[1] & UINT64_C(0xfffffffff000));
	return &level2[(MMU_USER - RAM) / MMU_USER_BYTES];
}

static void descriptor_write(uint64_t value)
{
	*user_descriptor() = value;
	__asm__ volatile("dsb ish\n tlbi vmalle1\n dsb ish\n isb" ::: "memory"); /* it is in force */
}

/* As a copy-on-write page is: the store is repeated. */
static bool make_writable(struct exception_frame *frame, uint64_t esr, uint64_t far)
{
	exception_last.count++;
	exception_last.pc = frame->pc;
	CHECK(ESR_EC(esr) == EC_DATA_ABORT && ESR_ISS(esr) == (EC_DATA_WRITE | FSC_PERMISSION_LEVEL2),
	      "the store's abort has another syndrome");
	CHECK(far == (uint64_t)words(), "the store's abort has another address");
	descriptor_write(*user_descriptor() & ~AP_READ_ONLY);
	return true;
}

/* ELR_EL1 is then of here, not of a store that was returned to. */
static void except_elsewhere(void)
{
	exception_on_sync = exception_note_and_skip;
	__asm__ volatile("udf	#0");
	exception_on_sync = make_writable;
	exception_last.count = 0;
}

static void fault(const struct sequence *sequence, enum source source)
{
	uint64_t status = 0;
	for (int attempt = 0; attempt < ATTEMPTS && exception_last.count == 0; attempt++) {
		except_elsewhere();
		fill();
		arm(sequence, source, BY_PSTATE);
		descriptor_write(*user_descriptor() | AP_READ_ONLY);
		status = call(sequence->start);
		disarm();
	}
	CHECK(exception_last.count == 1 && exception_last.pc == (uint64_t)sequence->store,
	      "the store did not fault once");
	uint64_t after = sum();
	fill();
	CHECK(status == 1 && sum() == after, "the store was done behind the exception");
}

/* Where the CPU keeps dirty state, the store makes its page writable. */
static void dirty(const struct sequence *sequence, enum source source)
{
	uint64_t status = 1;
	for (int attempt = 0; attempt < ATTEMPTS && status != 0; attempt++) {
		except_elsewhere();
		fill();
		arm(sequence, source, BY_PSTATE);
		descriptor_write(*user_descriptor() | AP_READ_ONLY | DESC_DBM);
		status = call(sequence->start);
		disarm();
	}
	CHECK(status == 0 && exception_last.count == 0, "the store to a clean page failed");
	CHECK((*user_descriptor() & AP_READ_ONLY) == 0, "the page is still clean");
}

static void try_pages(void)
{
	for (enum source source = 0; source < SOURCE_COUNT; source++) {
		exception_last.count = 0;
		fault(&sequences[0], source);
	}
	SYSREG_WRITE(tcr_el1, SYSREG_READ(tcr_el1) | TCR_HA_HD);
	for (enum source source = 0; source < SOURCE_COUNT; source++)
		dirty(&sequences[0], source);
}

/* ---- interrupts on the way ---- */

static void add_until_done(void)
{
	while (call(add_doubleword) != 0)
		;
}

/* Both who is interrupted and who interrupts adds, in the same sequence. */
static void storm(enum mask mask)
{
	uint64_t turn = 0;
	words()[0] = 0;
	timer_storm_start(PERIOD_TICKS);
	for (enum source source = 0; source < SOURCE_COUNT; source++) {
		arm(&sequences[1], source, mask);
		uint64_t end = turn + TURN_COUNT, irqs = timer_irq_count + 2;
		for (; turn < end || timer_irq_count < irqs; turn++)
			add_until_done();
		disarm();
	}
	timer_storm_stop();
	CHECK(words()[0] == turn + timer_irq_count, "wrong sum under interrupts");
}

void guest_main(void)
{
	exception_on_sync = exception_note_and_skip;
	mmu_on();
	user_load(&user, code, code_end);
	user.spsr = 0x3c0; /* EL0, interrupts masked */
	disarm();
	if (os_lock_masks())
		print("the OS lock masks debug events\n");
	else
		mask_count = BY_OS_LOCK;
	try_all();
	try_pages();
	timer_on_irq = add_until_done;
	for (enum mask mask = 0; mask < mask_count && mask < BY_OS_LOCK_AT_EL0; mask++)
		storm(mask);
}
