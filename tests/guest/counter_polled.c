/* CNTPCT_EL0 polled from a page that is all sorts of other things as well: data that is read, written and locked, a
 * page table, EL0's code, code that is changed. Whatever a hypervisor does to make polling fast, none of them may
 * notice. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"
#include "tests/guest/lib/timer.h"
#include "tests/guest/lib/user.h"

const char guest_name[] = "counter_polled";

enum {
	PAGE_WORDS = 1024,
	POLL_COUNT = 64,
	SITE_COUNT = 150,
	ROUND_COUNT = 5,
	DATA = 512,
	LITERAL = 520,
	TABLE_ENTRY = 300,
	SERVICE_CALL = 40,
	EC_SYSREG = 0x18
};

#define MRS_CNTPCT(rt) (0xd53be020u | (rt))
#define MRS_CNTVCT(rt) (0xd53be040u | (rt))
#define NOP            0xd503201fu
#define RET            0xd65f03c0u
#define MOVZ_X0_7      0xd28000e0u
#define SVC_0          0xd4000001u
#define STR_X3_X1_POST 0xf8008423u /* str x3, [x1], #8 */
#define SUBS_X2_1      0xf1000442u /* subs x2, x2, #1 */
#define B_NE(words)    (0x54000001u | ((uint32_t)(words)&0x7ffff) << 5)

#define CNTKCTL_EL0PCTEN UINT64_C(1)
#define CNTKCTL_EL0VCTEN UINT64_C(2)
#define TABLE_VA         UINT64_C(0x80000000) /* level 1, entry 2: the polling page is its level-2 table */
#define USER_VA          UINT64_C(0xc0000000) /* entry 3: RAM, for EL0 */
#define BLOCK_MASK       UINT64_C(0x1fffff)
#define DESCRIPTOR_TABLE UINT64_C(3)
#define DESCRIPTOR_EL1   UINT64_C(0x40000000000705) /* block, index 1, shareable, AF, UXN */
#define DESCRIPTOR_EL0   UINT64_C(0x20000000000745) /* the same for EL0, PXN */

/* Word 0: read and return. 8: a loop of 16 instructions that keeps each reading. 32: two counters at once. */
static uint32_t page[PAGE_WORDS] __attribute__((aligned(4096)));
static uint32_t copy[PAGE_WORDS] __attribute__((aligned(4096)));
static uint32_t sites[2 * PAGE_WORDS] __attribute__((aligned(4096)));
static uint64_t user_table[512] __attribute__((aligned(4096)));
static uint64_t readings[POLL_COUNT];
static uint64_t other_word;
static struct user user;

static uint64_t call(const uint32_t *at)
{
	register uint64_t x0 __asm__("x0");
	__asm__ volatile("blr %1" : "=r"(x0) : "r"(at) : "x1", "x2", "x30", "memory");
	return x0;
}

static void poll(const uint32_t *at)
{
	uint64_t last = 0;
	for (int i = 0; i < POLL_COUNT; i++) {
		uint64_t now = call(at);
		CHECK(now >= last, "the counter goes back");
		last = now;
	}
}

static void loop_write(uint32_t *at, uint32_t mrs)
{
	at[0] = mrs;
	at[1] = STR_X3_X1_POST;
	at[2] = SUBS_X2_1;
	for (int i = 3; i < 15; i++)
		at[i] = NOP;
	at[15] = B_NE(-15);
	at[16] = RET;
}

static void code_write(void)
{
	page[0] = MRS_CNTPCT(0);
	page[1] = RET;
	loop_write(&page[8], MRS_CNTPCT(3));
	page[32] = MRS_CNTVCT(0);
	page[33] = MRS_CNTPCT(1);
	page[34] = MRS_CNTVCT(2);
	page[35] = RET;
	page[SERVICE_CALL] = SVC_0;
	loop_write(copy, MRS_CNTVCT(3));
	for (uint32_t i = 0; i < SITE_COUNT; i++) {
		sites[13 * i] = MRS_CNTPCT(0);
		sites[13 * i + 1] = RET;
	}
	mmu_code_written((uint64_t)page, sizeof(page));
	mmu_code_written((uint64_t)copy, sizeof(copy));
	mmu_code_written((uint64_t)sites, sizeof(sites));
}

/* Whether a reading each 16 instructions is one tick after the last: not on a machine that runs in real time. */
static bool is_exact(const uint32_t *loop)
{
	register uint64_t *x1 __asm__("x1") = readings;
	register uint64_t x2 __asm__("x2") = POLL_COUNT;
	__asm__ volatile("blr %2" : "+r"(x1), "+r"(x2) : "r"(loop) : "x3", "x30", "cc", "memory");
	for (int i = 1; i < POLL_COUNT; i++) {
		if (readings[i] != readings[i - 1] + 1)
			return false;
	}
	return true;
}

static void both_counters(void)
{
	if (is_exact(copy)) {
		CHECK(is_exact(&page[8]), "CNTPCT_EL0 is not where CNTVCT_EL0 is");
		print("counter_polled: a tick every 16 instructions\n");
	}
	for (int i = 0; i < POLL_COUNT; i++) {
		register uint64_t x0 __asm__("x0");
		register uint64_t x1 __asm__("x1");
		register uint64_t x2 __asm__("x2");
		__asm__ volatile("blr %3" : "=r"(x0), "=r"(x1), "=r"(x2) : "r"(&page[32]) : "x30", "memory");
		CHECK(x0 <= x1 && x1 <= x2, "the counters differ");
	}
}

static uint64_t sum(const volatile uint32_t *words)
{
	uint64_t value = 0;
	for (int i = 0; i < PAGE_WORDS; i++)
		value = value * 31 + words[i];
	return value;
}

static void read_as_data(void)
{
	uint64_t before = sum(page);
	poll(page);
	CHECK(*(volatile uint32_t *)&page[0] == MRS_CNTPCT(0), "another instruction is read than was written");
	poll(page);
	CHECK(sum(page) == before, "the page reads differently after it was polled from");
	poll(page);
	memcpy(copy, page, sizeof(page));
	mmu_code_written((uint64_t)copy, sizeof(copy));
	CHECK(sum(copy) == before, "a copy of the page differs");
	poll(copy);
	poll(page);
}

__attribute__((noinline)) static void write_beside(void)
{
	volatile uint32_t *data = &page[DATA];
	for (uint32_t i = 0; i < 100; i++) {
		call(page);
		*data = i;
		poll(page);
		CHECK(*data == i, "data beside the code is lost");
	}
	poll(page);
	page[0] = MOVZ_X0_7;
	mmu_code_written((uint64_t)page, 4);
	CHECK(call(page) == 7, "old code ran");
	page[0] = MRS_CNTPCT(0);
	mmu_code_written((uint64_t)page, 4);
	poll(page);
}

/* An exclusive pair around a load from the page, and one on the page. */
static uint64_t add_exclusive(uint64_t *to, const uint64_t *literal)
{
	uint64_t value, more, tries = 0;
	uint32_t failed;
	__asm__ volatile("1: add %2, %2, #1\n ldxr %0, [%4]\n ldr %1, [%5]\n add %0, %0, %1\n stxr %w3, %0, [%4]\n"
			 " cbnz %w3, 1b"
			 : "=&r"(value), "=&r"(more), "+r"(tries), "=&r"(failed)
			 : "r"(to), "r"(literal)
			 : "memory");
	return tries;
}

__attribute__((noinline)) static void lock(void)
{
	uint64_t *literal = (uint64_t *)(void *)&page[LITERAL];
	uint64_t *inside = (uint64_t *)(void *)&page[DATA];
	uint64_t old;
	*literal = 3;
	*inside = other_word = 0;
	for (int i = 0; i < 20; i++) {
		poll(page);
		CHECK(add_exclusive(&other_word, literal) < 50, "the store fails again and again");
		poll(page);
		CHECK(add_exclusive(inside, literal) < 50, "the store into the page fails again and again");
		poll(page);
		__asm__ volatile(".arch_extension lse\n ldadd %1, %0, [%2]"
				 : "=r"(old)
				 : "r"(UINT64_C(1)), "r"(inside)
				 : "memory");
	}
	CHECK(other_word == 60 && *inside == 80, "a sum is wrong");
}

static uint64_t *level1_table(void)
{
	return (uint64_t *)(void *)SYSREG_READ(ttbr0_el1);
}

static void be_a_table(void)
{
	uint64_t *entry = (uint64_t *)(void *)page + TABLE_ENTRY;
	const volatile uint64_t *seen = (const volatile uint64_t *)(TABLE_VA + TABLE_ENTRY * (BLOCK_MASK + 1) +
								    ((uint64_t)&other_word & BLOCK_MASK));
	*entry = ((uint64_t)&other_word & ~BLOCK_MASK) | DESCRIPTOR_EL1;
	level1_table()[2] = (uint64_t)page | DESCRIPTOR_TABLE;
	for (int i = 0; i < 10; i++) {
		poll(page);
		__asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb" ::: "memory"); /* it is walked again */
		CHECK(*seen == other_word, "another word through the page as a table");
	}
}

/* EL0 must be trapped at the read that EL1 polls with where EL1 says so, and not where not. */
static void be_at_el0(void)
{
	uint64_t here = USER_VA + ((uint64_t)page & BLOCK_MASK);
	user_table[0] = ((uint64_t)page & ~BLOCK_MASK) | DESCRIPTOR_EL0;
	level1_table()[3] = (uint64_t)user_table | DESCRIPTOR_TABLE;
	dsb();
	for (uint64_t i = 0; i < 10; i++) {
		poll(page);
		SYSREG_WRITE(cntkctl_el1, i % 2 == 0 ? CNTKCTL_EL0VCTEN : CNTKCTL_EL0VCTEN | CNTKCTL_EL0PCTEN);
		isb();
		user.pc = here;
		user.x[30] = here + SERVICE_CALL * sizeof(page[0]);
		user_run(&user);
		CHECK(ESR_EC(user.esr) == (i % 2 == 0 ? EC_SYSREG : EC_SVC), "EL0's read does not trap as it should");
	}
}

static void many_sites(void)
{
	for (int turn = 0; turn < 3; turn++) {
		for (uint32_t i = 0; i < SITE_COUNT; i++)
			poll(&sites[13 * i]);
	}
}

void guest_main(void)
{
	mmu_on();
	code_write();
	both_counters();
	timer_storm_start(500);
	user_load(&user, (const char *)page, (const char *)&page[2]);
	for (int round = 0; round < ROUND_COUNT; round++) {
		read_as_data();
		write_beside();
		lock();
		be_a_table();
		be_at_el0();
		many_sites();
	}
	timer_storm_stop();
}
