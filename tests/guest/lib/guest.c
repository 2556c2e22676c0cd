/* Start, end and the few functions of a C library that payloads (and gcc itself) call. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/psci.h"

uint64_t guest_dtb;

_Noreturn void guest_start(uint64_t dtb)
{
	guest_dtb = dtb ? dtb : RAM;
	guest_main();
	guest_end(NULL);
}

_Noreturn void guest_end(const char *why)
{
	print(why ? "FAIL " : "PASS ");
	print(guest_name);
	print(why ? ": " : "");
	print(why ? why : "");
	print("\n");
	psci_system_off();
}

void *memcpy(void *to, const void *from, size_t bytes)
{
	volatile char *out = to; /* volatile: keeps gcc from calling memcpy here */
	const char *in = from;
	for (size_t i = 0; i < bytes; i++)
		out[i] = in[i];
	return to;
}

void *memset(void *to, int value, size_t bytes)
{
	volatile char *out = to;
	for (size_t i = 0; i < bytes; i++)
		out[i] = (char)value;
	return to;
}
