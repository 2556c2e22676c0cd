/* The world switch with the clock alignment, and EL2's vectors, by which it ends.
 *
 * The world switch is the one place on which exact guest time rests: from the counter read to the guest's first
 * instruction it runs a fixed number of instructions plus the NOPs chosen here. The assembler computes that number
 * (PATH_INSNS), so that an edit of the path keeps it right; only straight code may stand on it.
 *
 * While the guest runs the stack's top is the address of the vCPU's struct vcpu_state; its first 33 words are x0-x30, pc,
 * pstate. A write of a system register costs QEMU as much as dozens of other instructions, so none is made in vain. */

#define VCPU_PC     248
#define VCPU_PSTATE 256

	.text
	.macro	vector_panic, kind
	.balign	128
	mov	x0, #\kind
	mrs	x1, esr_el2
	mrs	x2, elr_el2
	mrs	x3, far_el2
	b	panic_exception		/* an exception at EL2 is our own bug */
	.endm

	.macro	vector_guest, kind
	.balign	128
	stp	x0, x1, [sp, #-16]!
	mov	x1, #\kind
	b	guest_exit
	.endm

	.macro	guest_x2_to_x30, pair, single
	\pair	x2, x3, [x0, #16]
	\pair	x4, x5, [x0, #32]
	\pair	x6, x7, [x0, #48]
	\pair	x8, x9, [x0, #64]
	\pair	x10, x11, [x0, #80]
	\pair	x12, x13, [x0, #96]
	\pair	x14, x15, [x0, #112]
	\pair	x16, x17, [x0, #128]
	\pair	x18, x19, [x0, #144]
	\pair	x20, x21, [x0, #160]
	\pair	x22, x23, [x0, #176]
	\pair	x24, x25, [x0, #192]
	\pair	x26, x27, [x0, #208]
	\pair	x28, x29, [x0, #224]
	\single	x30, [x0, #240]
	.endm

	.global hv_vectors
	.balign	2048
hv_vectors:
	vector_panic 0			/* EL2 with SP_EL0: never */
	vector_panic 1
	vector_panic 2
	vector_panic 3
	vector_panic 4			/* EL2 with SP_EL2 */
	vector_panic 5
	vector_panic 6
	vector_panic 7
	vector_guest 0			/* EL1 or EL0, AArch64: enum arch_exit */
	vector_guest 1
	vector_guest 2
	vector_guest 3
	vector_guest 0			/* EL0 in AArch32 */
	vector_guest 1
	vector_guest 2
	vector_guest 3

/* In: x1 = kind; on the stack the guest's x0 and x1, then the struct. Returns the kind from world_enter. */
guest_exit:
	ldr	x0, [sp, #16]
	guest_x2_to_x30 stp, str
	ldp	x2, x3, [sp], #32
	stp	x2, x3, [x0]
	mrs	x2, elr_el2
	mrs	x3, spsr_el2
	stp	x2, x3, [x0, #VCPU_PC]
	mov	x0, x1
	ldp	x19, x20, [sp], #16
	ldp	x21, x22, [sp], #16
	ldp	x23, x24, [sp], #16
	ldp	x25, x26, [sp], #16
	ldp	x27, x28, [sp], #16
	ldp	x29, x30, [sp], #16
	ret

#define PATH_INSNS ((guest_first - counter_read - 16 * 4) / 4)

/* uint32_t world_enter(struct vcpu_state *vcpu, uint64_t guest_ns, uint64_t counter_bias)
 * Runs the guest until its next exit, with CNTVCT_EL0 = guest time / 16 at each of its instructions. */
	.global world_enter
world_enter:
	stp	x29, x30, [sp, #-16]!
	stp	x27, x28, [sp, #-16]!
	stp	x25, x26, [sp, #-16]!
	stp	x23, x24, [sp, #-16]!
	stp	x21, x22, [sp, #-16]!
	stp	x19, x20, [sp, #-16]!
	str	x0, [sp, #-16]!
	ldp	x4, x5, [x0, #VCPU_PC]
	mrs	x3, spsr_el2
	msr	elr_el2, x4
	cmp	x3, x5
	b.eq	1f
	msr	spsr_el2, x5
1:	mrs	x3, cntpct_el0
counter_read:
	mrs	x4, pmevcntr1_el0	/* the same clock in ns, 32 bits of it */
	lsl	x3, x3, #4
	add	x4, x4, x2
	sub	w4, w4, w3
	add	x4, x4, x3		/* all 64 bits of the ns clock at counter_read */
	add	x4, x4, #PATH_INSNS	/* … and at the guest's first instruction, without NOPs */
	sub	x5, x1, x4
	and	x5, x5, #15		/* NOPs that bring both clocks to the same place within a tick */
	add	x4, x4, x5
	lsr	x4, x4, #4
	lsr	x1, x1, #4
	sub	x4, x4, x1
	msr	cntvoff_el2, x4
	adr	x4, sled_end
	sub	x4, x4, x5, lsl #2
	br	x4
	.rept	16
	nop
	.endr
sled_end:
	guest_x2_to_x30 ldp, ldr
	ldp	x0, x1, [x0]
	eret
guest_first:
