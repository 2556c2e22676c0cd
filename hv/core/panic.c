/* One line for the user, and the end. Nothing here may rely on more than the mailbox. */
#include "hv/arch/panic.h"
#include "hv/board/board.h"
#include "hv/core/hv.h"

static char *put_text(char *at, const char *end, const char *text)
{
	while (*text && at < end)
		*at++ = *text++;
	return at;
}

static char *put_hex(char *at, const char *end, uint64_t value)
{
	at = put_text(at, end, " 0x");
	for (int shift = 60; shift >= 0 && at < end; shift -= 4) {
		if (value >> shift || shift == 0)
			*at++ = "0123456789abcdef"[value >> shift & 15];
	}
	return at;
}

void hv_text(const char *text, uint64_t value)
{
	char *at = (char *)hv.mailbox->text;
	const char *end = at + HV_TEXT_BYTES - 1;
	*put_hex(put_text(at, end, text), end, value) = 0;
}

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
	const char *end = at + HV_TEXT_BYTES - 1;
	at = put_text(at, end, file);
	at = put_text(at, end, ": ");
	at = put_text(at, end, condition);
	*put_hex(put_text(at, end, ", line"), end, (uint64_t)line) = 0;
	panic_end();
}

void panic_exception(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far)
{
	char *at = (char *)hv.mailbox->text;
	const char *end = at + HV_TEXT_BYTES - 1;
	at = put_hex(put_text(at, end, "exception at EL2, vector"), end, vector);
	at = put_hex(put_text(at, end, " ESR"), end, esr);
	at = put_hex(put_text(at, end, " ELR"), end, elr);
	*put_hex(put_text(at, end, " FAR"), end, far) = 0;
	panic_end();
}
