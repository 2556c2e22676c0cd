/* Exceptions taken to EL1, with one hook for interrupts and one for synchronous exceptions from EL1 itself.
 * Those from EL0 belong to user.h. An exception that nobody expects ends the payload with FAIL. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Laid out by vectors.S. What a handler changes here is what the interrupted code continues with. */
struct exception_frame {
	uint64_t x[31];
	uint64_t pc;
	uint64_t spsr;
	uint64_t zero;
};

enum exception_class { /* ESR_EL1.EC, Arm ARM D17.2.37 */
		       EC_UNKNOWN = 0x00,
		       EC_SVC_AARCH32 = 0x11,
		       EC_SVC = 0x15,
		       EC_DATA_ABORT_LOWER = 0x24,
		       EC_DATA_ABORT = 0x25,
		       EC_BREAKPOINT_LOWER = 0x30,
		       EC_BREAKPOINT = 0x31,
		       EC_STEP_LOWER = 0x32,
		       EC_STEP = 0x33,
		       EC_WATCHPOINT_LOWER = 0x34,
		       EC_WATCHPOINT = 0x35,
		       EC_BRK = 0x3c,
};

#define ESR_EC(esr)   ((uint32_t)((esr) >> 26) & 0x3f)
#define ESR_ISS(esr)  ((uint32_t)(esr)&0x1ffffff)
#define ESR_DFSC(esr) ((uint32_t)(esr)&0x3f)

/* Interrupts: called with the INTID acknowledged and IRQs masked; end of interrupt follows its return. */
typedef void exception_irq_handler(uint32_t intid);
extern exception_irq_handler *exception_on_irq;

/* Synchronous exceptions from EL1: true if it was expected. */
typedef bool exception_sync_handler(struct exception_frame *frame, uint64_t esr, uint64_t far);
extern exception_sync_handler *exception_on_sync;

/* For tests that provoke one: a handler that keeps what came and goes on after the instruction. */
struct exception_taken {
	uint64_t count;
	uint64_t esr, far, pc;
};
extern volatile struct exception_taken exception_last;
bool exception_note_and_skip(struct exception_frame *frame, uint64_t esr, uint64_t far);

/* Called by vectors.S; `vector` is the number of the vector, 0 to 15 (Arm ARM D1.3.1). */
void exception_take(struct exception_frame *frame, uint64_t vector);
