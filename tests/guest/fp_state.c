/* V0 to V31, FPCR and FPSR are the same after some thousand interrupts, device accesses and HVCs. Nothing else in a
 * payload uses them (-mgeneral-regs-only), so only a hypervisor below could change them. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/psci.h"
#include "tests/guest/lib/timer.h"

const char guest_name[] = "fp_state";

enum { BYTE_COUNT = 32 * 16, IRQ_COUNT = 3000, PERIOD_TICKS = 500, FPCR_VALUE = 0x03c00000, FPSR_VALUE = 0x0800009f };

static uint8_t expected[BYTE_COUNT], actual[BYTE_COUNT];

static void load_all(const uint8_t *from)
{
	__asm__ volatile(
		".arch armv8.2-a+simd\n"
		".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
		"ldr q\\r, [%0, #16 * \\r]\n"
		".endr" ::"r"(from)
		: "memory");
}

static void store_all(uint8_t *to)
{
	__asm__ volatile(
		".irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
		"str q\\r, [%0, #16 * \\r]\n"
		".endr" ::"r"(to)
		: "memory");
}

static void compare(void)
{
	store_all(actual);
	for (int i = 0; i < BYTE_COUNT; i++)
		CHECK(actual[i] == expected[i], "a SIMD register changed");
	CHECK(SYSREG_READ(fpcr) == FPCR_VALUE, "FPCR changed");
	CHECK(SYSREG_READ(fpsr) == FPSR_VALUE, "FPSR changed");
}

void guest_main(void)
{
	uint32_t random = 1;
	for (int i = 0; i < BYTE_COUNT; i++) {
		random = random * 1664525 + 1013904223;
		expected[i] = (uint8_t)(random >> 24);
	}
	SYSREG_WRITE(cpacr_el1, 3 << 20);
	isb(); /* FP is on before its first use */
	load_all(expected);
	SYSREG_WRITE(fpcr, FPCR_VALUE);
	SYSREG_WRITE(fpsr, FPSR_VALUE);
	timer_storm_start(PERIOD_TICKS);
	for (uint64_t seen = 0; seen < IRQ_COUNT; seen = timer_irq_count) {
		compare();
		psci_call(PSCI_ID_VERSION, 0, 0, 0);
		mmio_read32(VIRTIO);
	}
	timer_storm_stop();
	compare();
}
