/* Sends each exception taken to EL1 to the one who waits for it. Hooks are set once, before anything can come. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/user.h"

enum { VECTOR_SYNC = 4, VECTOR_IRQ = 5, VECTOR_SYNC_LOWER = 8, VECTOR_IRQ_LOWER = 9, VECTOR_SYNC_AARCH32 = 12 };
enum { INTID_SPURIOUS = 1023 };

exception_irq_handler *exception_on_irq;
exception_sync_handler *exception_on_sync;
volatile struct exception_taken exception_last;

static void take_irq(void)
{
	uint32_t intid = (uint32_t)SYSREG_READ(icc_iar1_el1);
	if (intid == INTID_SPURIOUS)
		return;
	CHECK(exception_on_irq, "interrupt without a handler");
	exception_on_irq(intid);
	SYSREG_WRITE(icc_eoir1_el1, intid);
	isb(); /* the running priority has dropped before the interrupted code goes on */
}

static _Noreturn void take_unexpected(const struct exception_frame *frame, uint64_t vector, uint64_t esr, uint64_t far)
{
	print_value("vector", vector);
	print_value("esr", esr);
	print_value("far", far);
	print_value("pc", frame->pc);
	guest_end("unexpected exception");
}

bool exception_note_and_skip(struct exception_frame *frame, uint64_t esr, uint64_t far)
{
	exception_last.count++;
	exception_last.esr = esr;
	exception_last.far = far;
	exception_last.pc = frame->pc;
	frame->pc += 4;
	return true;
}

void exception_take(struct exception_frame *frame, uint64_t vector)
{
	uint64_t esr = SYSREG_READ(esr_el1);
	uint64_t far = SYSREG_READ(far_el1);
	if (vector == VECTOR_IRQ || vector == VECTOR_IRQ_LOWER)
		take_irq();
	else if (vector == VECTOR_SYNC_LOWER || vector == VECTOR_SYNC_AARCH32)
		user_leave(frame, esr, far);
	else if (vector != VECTOR_SYNC || !exception_on_sync || !exception_on_sync(frame, esr, far))
		take_unexpected(frame, vector, esr, far);
}
