/* One line for the user, and the end. Nothing here may rely on more than the mailbox. */
#include "hv/arch/panic.h"
#include "hv/board/board.h"
#include "hv/core/hv.h"

static _Noreturn void panic_end(void)
{
	__atomic_store_n(&hv.mailbox->state, (uint32_t)HV_STATE_PANIC, __ATOMIC_RELEASE);
	for (;;) {
		board_doorbell_ring();
		board_wait();
	}
}

void panic_check(const char *condition, const char *file, int line)
{
	char *at = (char *)hv.mailbox->text;
	at = hv_text_put(at, file);
	at = hv_text_put(at, ": ");
	at = hv_text_put(at, condition);
	*hv_text_put_hex(hv_text_put(at, ", line"), (uint64_t)line) = 0;
	panic_end();
}

void panic_exception(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far)
{
	char *at = (char *)hv.mailbox->text;
	at = hv_text_put_hex(hv_text_put(at, "exception at EL2, vector"), vector);
	at = hv_text_put_hex(hv_text_put(at, " ESR"), esr);
	at = hv_text_put_hex(hv_text_put(at, " ELR"), elr);
	*hv_text_put_hex(hv_text_put(at, " FAR"), far) = 0;
	panic_end();
}
