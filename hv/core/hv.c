/* The one hypervisor, and what it says to the user. It needs no other part of hv. */
#include "hv/core/hv.h"

struct hv hv = {.vcpu = &hv.guest.vcpu[0]};

char *hv_text_put(char *at, const char *text)
{
	const char *end = (const char *)hv.mailbox->text + HV_TEXT_BYTES - 1;
	while (*text && at < end)
		*at++ = *text++;
	return at;
}

char *hv_text_put_hex(char *at, uint64_t value)
{
	const char *end = (const char *)hv.mailbox->text + HV_TEXT_BYTES - 1;
	at = hv_text_put(at, " 0x");
	for (int shift = 60; shift >= 0 && at < end; shift -= 4) {
		if (value >> shift || shift == 0)
			*at++ = "0123456789abcdef"[value >> shift & 15];
	}
	return at;
}

void hv_text(const char *text, uint64_t value)
{
	*hv_text_put_hex(hv_text_put((char *)hv.mailbox->text, text), value) = 0;
}
