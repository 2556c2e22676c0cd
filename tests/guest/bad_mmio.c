/* An access to nothing is a synchronous external abort at EL1, with the address and the instruction, every time. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "bad_mmio";

enum { DFSC_EXTERNAL = 0x10, ISS_WNR = 1 << 6 };

static uint64_t expected;

#define EXPECT_ABORT(instruction, address, wnr)                                                                        \
	do {                                                                                                           \
		uint64_t pc, value = 0x1234;                                                                           \
		__asm__ volatile("adr %0, 1f\n1: " instruction : "=&r"(pc), "+r"(value) : "r"(address) : "memory");    \
		CHECK(exception_last.count == ++expected, "no exception: " instruction);                               \
		CHECK(ESR_EC(exception_last.esr) == EC_DATA_ABORT, "no data abort from EL1: " instruction);            \
		CHECK(ESR_DFSC(exception_last.esr) == DFSC_EXTERNAL, "no external abort: " instruction);               \
		CHECK((ESR_ISS(exception_last.esr) & ISS_WNR) == (wnr), "wrong WnR: " instruction);                    \
		CHECK(exception_last.far == (address), "wrong FAR: " instruction);                                     \
		CHECK(exception_last.pc == pc, "wrong ELR: " instruction);                                             \
		CHECK(value == 0x1234, "register changed: " instruction);                                              \
	} while (0)

void guest_main(void)
{
	exception_on_sync = exception_note_and_skip;
	for (uint64_t address = NOTHING; address < NOTHING + 0x10000; address += 0x4000) {
		EXPECT_ABORT("ldr %1, [%2]", address, 0);
		EXPECT_ABORT("ldrb %w1, [%2]", address, 0);
		EXPECT_ABORT("str %1, [%2]", address, ISS_WNR);
		EXPECT_ABORT("strh %w1, [%2]", address, ISS_WNR);
		EXPECT_ABORT("ldp %1, xzr, [%2]", address, 0);
	}
	print_value("external aborts", expected);
}
