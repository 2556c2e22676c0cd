/* Start of hv: the machine's loader jumps to _start, at the image's beginning, with the MMU off. */

	.section .text.start, "ax"
	.global _start
_start:
	msr	daifset, #15
	ldr	x0, =hv_stack_top
	mov	sp, x0
	ldr	x1, =hv_vectors
	msr	vbar_el2, x1
	isb				/* the vectors are live before anything can fault */
	bl	hv_main
	b	.

	.bss
	.balign	4096
	.space	32768
hv_stack_top:
