/* Both banks of flash, empty: reads of every width give zero, anywhere in them, and what is written is not kept. The
 * only command is the one that every flash takes for "read the array". */
#include "tests/guest/lib/guest.h"

const char guest_name[] = "flash";

enum { READ_ARRAY = 0xff, STEP = 0x3ff000 };
#define FLASH_BYTES UINT64_C(0x08000000)

void guest_main(void)
{
	uint64_t low, high;
	for (uint64_t at = 0; at < FLASH_BYTES; at += STEP) {
		CHECK(mmio_read8(at + 1) == 0, "a byte is not 0");
		CHECK(mmio_read32(at + 4) == 0, "a word is not 0");
		__asm__ volatile("ldp %0, %1, [%2]" : "=r"(low), "=r"(high) : "r"(at + 16) : "memory");
		CHECK((low | high) == 0, "a pair is not 0");
	}
	CHECK(mmio_read32(FLASH_BYTES - 4) == 0, "the last word is not 0");
	mmio_write32(0, READ_ARRAY);
	mmio_write8(FLASH_BYTES / 2, READ_ARRAY);
	CHECK(mmio_read32(0) == 0 && mmio_read32(FLASH_BYTES / 2) == 0, "a write was kept");
}
