/* System registers that do not exist are UNDEFINED: exception class 0 at EL1, at the instruction, target unchanged. */
#include "tests/guest/lib/exception.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "unknown_register";

static uint64_t expected;

static void expect_undefined(uint64_t pc, const char *why)
{
	CHECK(exception_last.count == ++expected, why);
	CHECK(ESR_EC(exception_last.esr) == EC_UNKNOWN, "exception class is not 0");
	CHECK(ESR_ISS(exception_last.esr) == 0, "ISS is not 0");
	CHECK(exception_last.pc == pc, "taken at another instruction");
}

#define EXPECT_UNDEFINED_READ(name)                                                                                    \
	do {                                                                                                           \
		uint64_t pc, value = 0x1234;                                                                           \
		__asm__ volatile("adr %0, 1f\n1: mrs %1, " #name : "=&r"(pc), "+r"(value)::"memory");                  \
		expect_undefined(pc, "no exception: mrs " #name);                                                      \
		CHECK(value == 0x1234, "target register changed");                                                     \
	} while (0)

#define EXPECT_UNDEFINED_WRITE(name)                                                                                   \
	do {                                                                                                           \
		uint64_t pc;                                                                                           \
		__asm__ volatile("adr %0, 1f\n1: msr " #name ", xzr" : "=r"(pc)::"memory");                            \
		expect_undefined(pc, "no exception: msr " #name);                                                      \
	} while (0)

void guest_main(void)
{
	exception_on_sync = exception_note_and_skip;
	EXPECT_UNDEFINED_READ(S3_5_C15_C0_0);
	EXPECT_UNDEFINED_WRITE(S3_5_C15_C0_0);
	EXPECT_UNDEFINED_READ(S3_7_C11_C13_6);
	EXPECT_UNDEFINED_WRITE(S3_7_C11_C13_6);
	EXPECT_UNDEFINED_READ(S3_3_C2_C4_0); /* RNDR: neoverse-n1 has none */
	EXPECT_UNDEFINED_READ(S3_4_C1_C1_0); /* HCR_EL2, from EL1 */
	EXPECT_UNDEFINED_WRITE(S3_4_C1_C1_0);
	EXPECT_UNDEFINED_WRITE(S3_0_C0_C0_0); /* MIDR_EL1 is read-only */
	print_value("undefined accesses", expected);
}
