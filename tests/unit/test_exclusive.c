/* Exclusive sequences in code: where a sequence that begins at pc is over. The words are GNU as's. */
#include "replay/guest/exclusive.h"

#include <criterion/criterion.h>
#include <string.h>

enum { RAM_BYTES = 4096, AT = 0x100 };

#define LDXR     UINT32_C(0xc85f7c20) /* ldxr x0, [x1] */
#define STXR     UINT32_C(0xc8027c20) /* stxr w2, x0, [x1] */
#define CASP     UINT32_C(0x48207c82) /* casp x0, x1, x2, x3, [x4] */
#define ADD      UINT32_C(0x91000400) /* add x0, x0, #1 */
#define RET      UINT32_C(0xd65f03c0)
#define SVC      UINT32_C(0xd4000001)
#define B_BACK   UINT32_C(0x17fffffe) /* b .-8 */
#define B_NE     UINT32_C(0x54000081) /* b.ne .+16 */
#define CBZ      UINT32_C(0xb40000c0) /* cbz x0, .+24 */
#define CBNZ_W   UINT32_C(0x35ffffc0) /* cbnz w0, .-8 */
#define TBNZ     UINT32_C(0x37180100) /* tbnz w0, #3, .+32 */
#define CODE(of) (GUEST_RAM_IPA + AT + 4 * (uint64_t)(of))

static _Alignas(4096) uint8_t ram[RAM_BYTES];
static const struct guest_memory memory = {.ram = ram, .bytes = RAM_BYTES};
static struct vcpu_state vcpu;

static void write_code(const uint32_t *words, size_t bytes)
{
	memset(ram, 0x1f, sizeof(ram));
	memcpy(ram + AT, words, bytes);
}

static size_t exits_of(const uint32_t *words, size_t bytes, uint64_t exits[EXCLUSIVE_EXITS_MAX])
{
	write_code(words, bytes);
	vcpu.pc = CODE(0);
	return exclusive_exits(memory, &vcpu, exits);
}

#define EXITS(exits, ...) exits_of((const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}), exits)

Test(exclusive, it_is_over_behind_its_store)
{
	uint64_t exits[EXCLUSIVE_EXITS_MAX];
	cr_assert_eq(EXITS(exits, LDXR, ADD, STXR, CBNZ_W), 1);
	cr_assert_eq(exits[0], CODE(3));
}

Test(exclusive, it_is_over_where_its_branches_lead)
{
	uint64_t exits[EXCLUSIVE_EXITS_MAX];
	cr_assert_eq(EXITS(exits, LDXR, B_NE, CBZ, TBNZ, STXR), 4);
	cr_assert_eq(exits[0], CODE(5));
	cr_assert_eq(exits[1], CODE(8));
	cr_assert_eq(exits[2], CODE(11));
	cr_assert_eq(exits[3], CODE(5));
	cr_assert_eq(EXITS(exits, LDXR, ADD, CBNZ_W, B_BACK, STXR), 3);
	cr_assert_eq(exits[0], CODE(0));
	cr_assert_eq(exits[1], CODE(1));
}

Test(exclusive, what_is_no_sequence_has_no_end)
{
	uint64_t exits[EXCLUSIVE_EXITS_MAX];
	cr_assert_eq(EXITS(exits, ADD, LDXR, STXR), 0);
	cr_assert_eq(EXITS(exits, CASP, STXR), 0);
	cr_assert_eq(EXITS(exits, STXR, ADD), 0);
	cr_assert_eq(EXITS(exits, LDXR, RET, STXR), 0);
	cr_assert_eq(EXITS(exits, LDXR, SVC, STXR), 0);
	cr_assert_eq(EXITS(exits, LDXR, B_NE, B_NE, B_NE, B_NE, STXR), 0);
	cr_assert_eq(EXITS(exits, LDXR, ADD), 0); /* no store far and wide */
}

static bool ends_at(uint64_t pc)
{
	vcpu.pc = pc;
	return exclusive_ends_here(memory, &vcpu);
}

Test(exclusive, it_ends_at_the_store_behind_its_load)
{
	static const uint32_t words[] = {STXR, LDXR, ADD, STXR, STXR, LDXR, RET, STXR};
	write_code(words, sizeof(words));
	for (uint64_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect_eq(ends_at(CODE(i)), i == 3, "%d", (int)i);
	cr_expect_not(ends_at(GUEST_RAM_IPA + RAM_BYTES));
}
