/* A guest that ends badly: it looks for something that is not there, and its exceptions lead nowhere.
 *
 * Arguments: `read ADDRESS`, `write ADDRESS`, `run ADDRESS` (hexadecimal), or `semihosting`. */
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "lost";

/* Every vector leads to a loop. */
__asm__(".balign 2048\nlost_vectors:\n.rept 16\n b 1f\n.balign 128\n.endr\n1: b .\n");
extern const char lost_vectors[];

static uint64_t address_in(const char *text)
{
	uint64_t address = 0;
	while (*text != ' ')
		text++;
	for (text++; *text; text++)
		address = address << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
	return address;
}

void guest_main(void)
{
	uint32_t bytes;
	const char *text = (const char *)dtb_property("chosen", "bootargs", &bytes);
	print("lost\n");
	SYSREG_WRITE(vbar_el1, (uint64_t)lost_vectors);
	isb();
	if (!text)
		return;
	if (text[0] == 'w')
		mmio_write32(address_in(text), 1);
	else if (text[0] == 's')
		__asm__ volatile("hlt #0xf000");
	else if (text[1] == 'u')
		((void (*)(void))address_in(text))();
	else
		mmio_read32(address_in(text));
}
