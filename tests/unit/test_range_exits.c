/* Where a range of code is left. The words are GNU as's. */
#include "replay/guest/range_exits.h"

#include <criterion/criterion.h>
#include <string.h>

enum { RAM_BYTES = 1 << 18, AT = 0x1000, EL0T = 0, EL0_A32 = 0x10, EL1T = 4, EL1H = 5 };

#define ADD       UINT32_C(0x91000400) /* add x0, x0, #1 */
#define NOP       UINT32_C(0xd503201f)
#define B_BACK    UINT32_C(0x17fffffe) /* b .-8 */
#define BL        UINT32_C(0x94000040) /* bl .+0x100 */
#define B_NE      UINT32_C(0x54000081) /* b.ne .+16 */
#define CBNZ_BACK UINT32_C(0x35ffffc0) /* cbnz w0, .-8 */
#define TBNZ      UINT32_C(0x37180100) /* tbnz w0, #3, .+32 */
#define RET       UINT32_C(0xd65f03c0)
#define BLRAA     UINT32_C(0xd73f0801) /* blraa x0, x1 */
#define SVC       UINT32_C(0xd4000001)
#define MSR_VBAR  UINT32_C(0xd518c003) /* msr vbar_el1, x3 */
#define MSR_SPSEL UINT32_C(0xd50041bf) /* msr spsel, #1 */
#define MSR_SP    UINT32_C(0xd5184203) /* msr spsel, x3 */
#define VBAR      UINT64_C(0xffff800008010800)
#define CODE(of)  (GUEST_RAM_IPA + AT + 4 * (uint64_t)(of))

static _Alignas(4096) uint8_t ram[RAM_BYTES];
static const struct guest_memory memory = {.ram = ram, .bytes = RAM_BYTES};
static struct vcpu_state vcpu = {.pc = CODE(0), .pstate = EL1H, .vbar_el1 = VBAR};
static uint64_t exits[RANGE_EXITS_MAX];
static size_t exit_count;

static void look(size_t count, const uint32_t *words)
{
	memcpy(ram + AT, words, count * sizeof(*words));
	exit_count = range_exits(memory, &vcpu, CODE(0), CODE(count), exits);
}

#define LOOK(...) look(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (const uint32_t[]){__VA_ARGS__})

static bool has(uint64_t address)
{
	for (size_t i = 0; i < exit_count; i++) {
		if (exits[i] == address)
			return true;
	}
	return false;
}

Test(range_exits, the_end_and_the_vectors_are_always_there)
{
	LOOK(ADD, ADD);
	cr_expect_eq(exit_count, 5);
	cr_expect(has(CODE(2)));
	for (uint64_t i = 0; i < 4; i++)
		cr_expect(has(VBAR + 0x200 + i * 0x80));
}

Test(range_exits, vectors_are_those_of_the_level)
{
	vcpu.pstate = EL0T;
	LOOK(ADD);
	cr_expect(has(VBAR + 0x400) && has(VBAR + 0x480) && has(VBAR + 0x500) && has(VBAR + 0x580));
	vcpu.pstate = EL1T;
	LOOK(ADD);
	cr_expect(has(VBAR) && has(VBAR + 0x80) && has(VBAR + 0x100) && has(VBAR + 0x180));
}

Test(range_exits, those_of_aarch32_code_are_not_known)
{
	vcpu.pstate = EL0_A32;
	LOOK(ADD);
	cr_expect_eq(exit_count, 0);
}

Test(range_exits, ends_inside_of_an_instruction_are_behind_it)
{
	LOOK(RET, ADD, ADD, RET);
	cr_expect_eq(range_exits(memory, &vcpu, CODE(0) + 1, CODE(2) + 1, exits), 5);
	exit_count = 5;
	cr_expect(has(CODE(3)) && !has(CODE(0)));
}

Test(range_exits, branches_inside_are_none)
{
	LOOK(ADD, NOP, B_BACK, CBNZ_BACK);
	cr_expect_eq(exit_count, 5);
}

Test(range_exits, branches_out_are_where_they_lead)
{
	LOOK(CBNZ_BACK, BL, B_NE, TBNZ);
	cr_expect_eq(exit_count, 5 + 4);
	cr_expect(has(CODE(-2)));
	cr_expect(has(CODE(1 + 0x40)));
	cr_expect(has(CODE(2 + 4)));
	cr_expect(has(CODE(3 + 8)));
}

Test(range_exits, what_leads_anywhere_is_one_itself)
{
	LOOK(RET, BLRAA, SVC, MSR_VBAR, MSR_SPSEL, MSR_SP, ADD);
	cr_expect_eq(exit_count, 5 + 6);
	for (int i = 0; i < 6; i++)
		cr_expect(has(CODE(i)), "%d", i);
}

Test(range_exits, one_address_is_one_exit)
{
	LOOK(B_NE, ADD, ADD, ADD);
	cr_expect_eq(exit_count, 5);
}

Test(range_exits, too_many_are_not_known)
{
	uint32_t words[RANGE_EXITS_MAX];
	for (size_t i = 0; i < RANGE_EXITS_MAX; i++)
		words[i] = RET;
	look(RANGE_EXITS_MAX, words);
	cr_expect_eq(exit_count, 0);
	look(RANGE_EXITS_MAX - 5, words);
	cr_expect_eq(exit_count, RANGE_EXITS_MAX);
}

Test(range_exits, what_cannot_be_read_or_is_too_long_is_not_known)
{
	cr_expect_eq(range_exits(memory, &vcpu, GUEST_RAM_IPA + RAM_BYTES - 8, GUEST_RAM_IPA + RAM_BYTES + 8, exits),
		     0);
	cr_expect_eq(range_exits(memory, &vcpu, GUEST_RAM_IPA, GUEST_RAM_IPA + (1 << 17), exits), 0);
	cr_expect_eq(range_exits(memory, &vcpu, 8, 0, exits), 0);
}
