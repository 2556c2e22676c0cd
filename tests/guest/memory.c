/* All RAM that the DTB names is there: zero or what the loader put there, one doubleword in each 64 KiB above the
 * payload keeps what is written. The DTB itself may be overwritten: it has been read. */
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "memory";

enum { STRIDE_BYTES = 0x10000 };
#define PATTERN UINT64_C(0x9e3779b97f4a7c15)

extern char image_end[];

static volatile uint64_t *at(uint64_t address)
{
	return (volatile uint64_t *)address;
}

void guest_main(void)
{
	uint64_t start, bytes;
	CHECK(dtb_memory(&start, &bytes), "no /memory in the DTB");
	uint64_t end = start + bytes;
	uint64_t first = ((uint64_t)image_end + STRIDE_BYTES - 1) & ~(uint64_t)(STRIDE_BYTES - 1);
	for (uint64_t address = first; address < end; address += STRIDE_BYTES)
		*at(address) = address * PATTERN;
	*at(end - 8) = PATTERN;
	for (uint64_t address = first; address < end; address += STRIDE_BYTES)
		CHECK(*at(address) == address * PATTERN, "memory lost what was written");
	CHECK(*at(end - 8) == PATTERN, "the last doubleword lost what was written");
	print_value("bytes of memory", bytes);
}
