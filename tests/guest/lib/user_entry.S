/* user_enter(user): runs a struct user (user.h) at EL0. The next synchronous exception from EL0 ends it: user_leave
 * (user.c) fills the struct and calls user_return, which continues here as if user_enter had returned. */
#define USER_PC   248
#define USER_SPSR 256
#define USER_SP   264
	.text
	.global	user_enter
user_enter:
	stp	x29, x30, [sp, #-96]!
	stp	x27, x28, [sp, #16]
	stp	x25, x26, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x21, x22, [sp, #64]
	stp	x19, x20, [sp, #80]
	adrp	x1, enter_sp
	add	x1, x1, :lo12:enter_sp
	mrs	x2, mpidr_el1
	and	x2, x2, #7
	add	x1, x1, x2, lsl #3
	mov	x2, sp
	str	x2, [x1]
	ldr	x2, [x0, #USER_PC]
	msr	elr_el1, x2
	ldr	x2, [x0, #USER_SPSR]
	msr	spsr_el1, x2
	ldr	x2, [x0, #USER_SP]
	msr	sp_el0, x2
	.irp	r, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
	ldr	x\r, [x0, #8 * \r]
	.endr
	ldr	x0, [x0]
	eret

	.global	user_return
user_return:
	adrp	x1, enter_sp
	add	x1, x1, :lo12:enter_sp
	mrs	x2, mpidr_el1
	and	x2, x2, #7
	ldr	x2, [x1, x2, lsl #3]
	mov	sp, x2
	ldp	x27, x28, [sp, #16]
	ldp	x25, x26, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #64]
	ldp	x19, x20, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret

	.bss
	.balign	8
enter_sp:					/* by CPU */
	.space	8 * 8
