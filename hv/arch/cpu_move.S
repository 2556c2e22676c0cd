/* How hv moves from one CPU to another (hv/arch/cpus.c). The CPUs of QEMU's -icount run one after the other, and one that
 * executes YIELD lets all others run. */

#define PRIORITY_MASK_SLEEPING	0x80	/* lets the SGI in that wakes, and no other interrupt (hv/board) */
#define PRIORITY_MASK_ALL	0xff

#define ICC_PMR_EL1	S3_0_C4_C6_0
#define ICC_IAR1_EL1	S3_0_C12_C12_0
#define ICC_EOIR1_EL1	S3_0_C12_C12_1
#define ICC_DIR_EL1	S3_0_C12_C11_1

/* move_state: hv's stack pointer, who leaves, who goes on, the vectors, and who sleeps (a word for each CPU). */
#define MOVE_SP		0
#define MOVE_FROM	8
#define MOVE_TO		12
#define MOVE_VECTORS	16
#define MOVE_SLEEPS	24

	.text
/* void cpu_move(uint32_t from, uint32_t to, void (*wake)(uint32_t to, uint64_t entry)) */
	.global cpu_move
cpu_move:
	stp	x29, x30, [sp, #-16]!
	stp	x27, x28, [sp, #-16]!
	stp	x25, x26, [sp, #-16]!
	stp	x23, x24, [sp, #-16]!
	stp	x21, x22, [sp, #-16]!
	stp	x19, x20, [sp, #-16]!
	mov	w19, w0
	ldr	x9, =move_state
	mov	x10, sp
	str	x10, [x9, #MOVE_SP]
	str	w0, [x9, #MOVE_FROM]
	str	w1, [x9, #MOVE_TO]
	mrs	x10, vbar_el2
	str	x10, [x9, #MOVE_VECTORS]
	dsb	sy			/* who is woken sees it */
	mov	w0, w1
	adr	x1, cpu_entry
	blr	x2			/* the stack is ours until we sleep */
	ldr	x9, =move_state
	mov	x10, #PRIORITY_MASK_SLEEPING
	msr	ICC_PMR_EL1, x10
	isb				/* no other interrupt ends the WFI */
	add	x11, x9, #MOVE_SLEEPS
	mov	w12, #1
1:	str	w12, [x11, w19, uxtw #2]
	wfi
	ldr	w10, [x9, #MOVE_TO]
	cmp	w10, w19
	b.ne	1b
	str	wzr, [x11, w19, uxtw #2]
	mrs	x10, ICC_IAR1_EL1
	msr	ICC_EOIR1_EL1, x10
	msr	ICC_DIR_EL1, x10
	mov	x10, #PRIORITY_MASK_ALL
	msr	ICC_PMR_EL1, x10
	isb
arrive:					/* in: x9 = move_state, x11 = its MOVE_SLEEPS */
	ldr	w10, [x9, #MOVE_FROM]
2:	yield				/* lets it come to its WFI */
	ldr	w12, [x11, w10, uxtw #2]
	cbz	w12, 2b
	yield				/* it may have said that it sleeps with the WFI still before it */
	ldr	x10, [x9, #MOVE_SP]
	mov	sp, x10
	ldp	x19, x20, [sp], #16
	ldp	x21, x22, [sp], #16
	ldp	x23, x24, [sp], #16
	ldp	x25, x26, [sp], #16
	ldp	x27, x28, [sp], #16
	ldp	x29, x30, [sp], #16
	ret

/* A CPU that was started, MMU off; x0 = its number. */
cpu_entry:
	msr	daifset, #15
	ldr	x9, =move_state
	ldr	x1, [x9, #MOVE_VECTORS]
	msr	vbar_el2, x1
	isb				/* the vectors are live before anything can fault */
	add	x11, x9, #MOVE_SLEEPS
	b	arrive

	.bss
	.balign	8
move_state:
	.space	MOVE_SLEEPS + 4 * 8	/* GUEST_VCPU_MAX */
