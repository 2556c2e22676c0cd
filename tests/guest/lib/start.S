/* A payload's entry, at EL1 with the MMU off, x0 = DTB or 0: clears .bss, relocates itself (a static PIE only; LINK_BASE
 * is where it was linked), sets the stack and calls guest_start. */
	.section .text.start, "ax"
	.global	_start
_start:
	mov	x19, x0
	adrp	x1, image_start
	add	x1, x1, :lo12:image_start
	ldr	x2, =LINK_BASE
	sub	x1, x1, x2

	adrp	x2, rela_start
	add	x2, x2, :lo12:rela_start
	adrp	x3, rela_end
	add	x3, x3, :lo12:rela_end
1:	cmp	x2, x3
	b.hs	2f
	ldp	x4, x5, [x2], #16		/* offset, type: only R_AARCH64_RELATIVE occurs */
	ldr	x6, [x2], #8
	add	x6, x6, x1
	str	x6, [x4, x1]
	b	1b

2:	adrp	x2, bss_start
	add	x2, x2, :lo12:bss_start
	adrp	x3, bss_end
	add	x3, x3, :lo12:bss_end
3:	cmp	x2, x3
	b.hs	4f
	stp	xzr, xzr, [x2], #16
	b	3b

4:	adrp	x2, stack_top
	add	x2, x2, :lo12:stack_top
	msr	spsel, #1
	mov	sp, x2
	adrp	x2, vectors
	add	x2, x2, :lo12:vectors
	msr	vbar_el1, x2
	isb					/* the vectors hold from here on */
	mov	x0, x19
	bl	guest_start
	b	.

	.bss
	.balign	16
	.space	65536
stack_top:
