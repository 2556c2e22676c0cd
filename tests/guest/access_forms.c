/* One instruction of each form of access to memory, each behind a NOP: tests/gdb/test_accesses.py knows their ranges,
 * and watches them. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/mmu.h"

const char guest_name[] = "access_forms";

enum { PAGE_BYTES = 4096, LAST_BYTE = 0x55 };

uint8_t area[2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

/* x0: area; x5: 12 bytes behind it; x10: 64; x11 and x12: 3 and 8 bytes before its second page */
static void run_all(void)
{
	register uint64_t x0 __asm__("x0") = (uint64_t)area;
	__asm__ volatile(".arch armv8.2-a+simd+lse\n"
			 "	mov	x1, #0x1111\n"
			 "	mov	x2, #0x2222\n"
			 "	dup	v0.2d, x1\n"
			 "	dup	v1.2d, x2\n"
			 "	add	x5, x0, #12\n"
			 "	add	x10, x0, #64\n"
			 "	add	x12, x0, #4088\n"
			 "	add	x11, x0, #4093\n"
			 "	.global forms\n"
			 "forms:\n"
			 "	nop; str	x1, [x0, #8]\n"
			 "	nop; strb	w1, [x0, #3]\n"
			 "	nop; strh	w1, [x0, #6]\n"
			 "	nop; str	w2, [x0, #4]\n"
			 "	nop; stp	x1, x2, [x0, #16]\n"
			 "	nop; stp	w1, w2, [x0, #12]\n"
			 "	nop; stur	x1, [x0, #5]\n"
			 "	nop; stur	x1, [x0, #61]\n"
			 "	nop; str	q0, [x0, #32]\n"
			 "	nop; stp	q0, q1, [x0, #32]\n"
			 "	nop; stur	q0, [x0, #25]\n"
			 "	nop; st1	{v0.16b, v1.16b, v2.16b, v3.16b}, [x0]\n"
			 "	nop; st2	{v0.2d, v1.2d}, [x0]\n"
			 "	nop; dc	zva, x5\n"
			 "	nop; str	x1, [x10, #-8]!\n"
			 "	nop; stp	x1, x2, [x10], #8\n"
			 "	nop; ldp	x3, x4, [x0, #16]\n"
			 "	nop; ldp	q2, q3, [x0, #32]\n"
			 "	nop; ldr	q2, [x0, #48]\n"
			 "	nop; ldur	x3, [x0, #13]\n"
			 "	nop; ld1	{v2.4s, v3.4s}, [x0]\n"
			 "	nop; ldpsw	x3, x4, [x0, #8]\n"
			 "	nop; ldrb	w3, [x0, #7]\n"
			 "	nop; ldadd	x1, x3, [x0]\n"
			 "	nop; swp	w1, w3, [x5]\n"
			 "	nop; ldr	x3, [x0]\n"
			 "	nop; cas	x3, x1, [x0]\n"
			 "	nop; ldp	x6, x7, [x0]\n"
			 "	nop; casp	x6, x7, x2, x3, [x0]\n"
			 "	nop; stlr	x1, [x0]\n"
			 "	nop; ldar	x3, [x0]\n"
			 "	nop; prfm	pldl1keep, [x0]\n"
			 "	nop; stur	x2, [x11]\n"
			 "	nop; stp	x1, x2, [x12]\n"
			 "	nop; ldur	x3, [x11]\n"
			 "	nop; ldp	x3, x4, [x12]\n"
			 "	.global forms_end\n"
			 "forms_end:\n"
			 "	mov	w3, #0x55\n"
			 "	strb	w3, [x0, #100]\n"
			 : "+r"(x0)::"x1", "x2", "x3", "x4", "x5", "x6", "x7", "x10", "x11", "x12", "memory");
}

void guest_main(void)
{
	mmu_on();
	SYSREG_WRITE(cpacr_el1, 3 << 20);
	isb(); /* FP is on before its first use */
	run_all();
	CHECK(area[100] == LAST_BYTE, "not all were executed");
}
