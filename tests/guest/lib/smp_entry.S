/* Where a CPU comes up after CPU_ON, at EL1 with the MMU off, x0 = context: a stack of its own, by its number, the
 * vectors, then smp_come_up(context). */
#define STACK_BYTES 16384
	.text
	.global	smp_entry
smp_entry:
	mrs	x1, mpidr_el1
	and	x1, x1, #0xff
	adrp	x2, stacks
	add	x2, x2, :lo12:stacks
	add	x1, x1, #1
	mov	x3, #STACK_BYTES
	madd	x2, x1, x3, x2
	msr	spsel, #1
	mov	sp, x2
	adrp	x2, vectors
	add	x2, x2, :lo12:vectors
	msr	vbar_el1, x2
	isb					/* the vectors hold from here on */
	bl	smp_come_up
	b	.

	.bss
	.balign	16
stacks:
	.space	8 * STACK_BYTES
