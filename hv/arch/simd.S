/* The SIMD registers, in and out, and copies; the C code of hv is built without SIMD. */
	.arch	armv8.2-a

	.macro	all_simd, op
	\op	q0, q1, [x0, #0]
	\op	q2, q3, [x0, #32]
	\op	q4, q5, [x0, #64]
	\op	q6, q7, [x0, #96]
	\op	q8, q9, [x0, #128]
	\op	q10, q11, [x0, #160]
	\op	q12, q13, [x0, #192]
	\op	q14, q15, [x0, #224]
	\op	q16, q17, [x0, #256]
	\op	q18, q19, [x0, #288]
	\op	q20, q21, [x0, #320]
	\op	q22, q23, [x0, #352]
	\op	q24, q25, [x0, #384]
	\op	q26, q27, [x0, #416]
	\op	q28, q29, [x0, #448]
	\op	q30, q31, [x0, #480]
	.endm

	.text
	.global	arch_simd_save
arch_simd_save:
	all_simd stp
	ret

	.global	arch_simd_load
arch_simd_load:
	all_simd ldp
	ret

/* void arch_page_copy(void *to, const void *from, uint64_t lines): the guest's SIMD registers are in use, so it goes
 * through x registers. The machine is an emulator, each instruction costs: from set bit to set bit. */
	.global	arch_page_copy
arch_page_copy:
	cbz	x2, 2f
1:	rbit	x3, x2
	clz	x3, x3
	sub	x4, x2, #1
	ands	x2, x2, x4
	add	x5, x1, x3, lsl #6
	add	x6, x0, x3, lsl #6
	ldp	x7, x8, [x5]
	ldp	x9, x10, [x5, #16]
	ldp	x11, x12, [x5, #32]
	ldp	x13, x14, [x5, #48]
	stp	x7, x8, [x6]
	stp	x9, x10, [x6, #16]
	stp	x11, x12, [x6, #32]
	stp	x13, x14, [x6, #48]
	b.ne	1b
2:	ret

/* void arch_copy(void *to, const void *from, size_t bytes): at any addresses, for all of it is normal memory. */
	.global	arch_copy
arch_copy:
	subs	x2, x2, #64
	b.lo	2f
1:	ldp	x5, x6, [x1]
	ldp	x7, x8, [x1, #16]
	ldp	x9, x10, [x1, #32]
	ldp	x11, x12, [x1, #48]
	stp	x5, x6, [x0]
	stp	x7, x8, [x0, #16]
	stp	x9, x10, [x0, #32]
	stp	x11, x12, [x0, #48]
	add	x0, x0, #64
	add	x1, x1, #64
	subs	x2, x2, #64
	b.hs	1b
2:	adds	x2, x2, #64
	b.eq	4f
3:	ldrb	w5, [x1], #1
	strb	w5, [x0], #1
	subs	x2, x2, #1
	b.ne	3b
4:	ret
