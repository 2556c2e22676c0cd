/* The DTB: prints /chosen/bootargs and looks at /memory. The test that runs it knows what to expect. */
#include "tests/guest/lib/dtb.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "bootargs";

void guest_main(void)
{
	uint32_t bytes;
	uint64_t start, memory_bytes;
	const uint8_t *text = dtb_property("chosen", "bootargs", &bytes);
	print("bootargs: ");
	print(text ? (const char *)text : "none");
	print("\n");
	CHECK(!text || text[bytes - 1] == 0, "bootargs does not end with NUL");
	CHECK(dtb_memory(&start, &memory_bytes), "no /memory in the DTB, or no DTB");
	CHECK(start == RAM && memory_bytes >= 1 << 24, "/memory does not start at 1 GiB or is tiny");
	CHECK(dtb_property("psci", "method", &bytes), "no /psci in the DTB");
	CHECK(!dtb_property("chosen", "no-such-property", &bytes), "found what is not there");
}
