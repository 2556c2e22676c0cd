/* Every form of load and store against device registers that keep what is written: priorities (bytes, words) and
 * routes (doublewords) of SPIs that nobody uses, and the PL011's identification. Where the size is not architected for
 * the register, it is not used: halfwords go to the PL011 only. Forms with write-back and pairs have no syndrome (ISV =
 * 0). */
#include "tests/guest/lib/gic.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "mmio_forms";

#define PRIORITIES ((uint64_t)GICD + GICD_IPRIORITYR + 128)
#define ROUTES     ((uint64_t)GICD + GICD_IROUTER + UINT64_C(8) * 128)
#define UART_ID    ((uint64_t)UART + 0xfe0)

/* Runs a load with its base in %1 and its result in %0; checks the result and where the base went. */
#define LOAD(instruction, address, result, moved)                                                                      \
	do {                                                                                                           \
		uint64_t base = (address), value = ~UINT64_C(0);                                                       \
		__asm__ volatile(instruction : "+r"(value), "+r"(base) : "r"(UINT64_C(4)) : "memory");                 \
		CHECK(value == (result), instruction ": wrong value");                                                 \
		CHECK(base == (address) + (uint64_t)(moved), instruction ": wrong base");                              \
	} while (0)

/* Runs a store of `datum` with its base in %1; checks 32 bits at `at` afterwards and where the base went. */
#define STORE(instruction, address, datum, at, result, moved)                                                          \
	do {                                                                                                           \
		uint64_t base = (address);                                                                             \
		__asm__ volatile(instruction : "+r"(base) : "r"((uint64_t)(datum)), "r"(UINT64_C(4)) : "memory");      \
		CHECK(mmio_read32(at) == (result), instruction ": wrong value");                                       \
		CHECK(base == (address) + (uint64_t)(moved), instruction ": wrong base");                              \
	} while (0)

static void words_stored(void)
{
	STORE("str %w1, [%0]", PRIORITIES, 0x10203040, PRIORITIES, 0x10203040u, 0);
	STORE("str %w1, [%0], #4", PRIORITIES, 0x20304050, PRIORITIES, 0x20304050u, 4);
	STORE("str %w1, [%0, #4]!", PRIORITIES, 0x30405060, PRIORITIES + 4, 0x30405060u, 4);
	STORE("str %w1, [%0, #-4]!", PRIORITIES + 4, 0x40506070, PRIORITIES, 0x40506070u, -4);
	STORE("str %w1, [%0, %2]", PRIORITIES, 0x50607080, PRIORITIES + 4, 0x50607080u, 0);
	STORE("str %w1, [%0, %w2, uxtw #2]", PRIORITIES, 0x60708090, PRIORITIES + 16, 0x60708090u, 0);
	STORE("stur %w1, [%0, #-4]", PRIORITIES + 4, 0x708090a0, PRIORITIES, 0x708090a0u, 0);
	STORE("stp %w1, wzr, [%0]", PRIORITIES, 0x8090a0b0, PRIORITIES, 0x8090a0b0u, 0);
	STORE("stp wzr, %w1, [%0], #8", PRIORITIES, 0x8090a0b0, PRIORITIES + 4, 0x8090a0b0u, 8);
	STORE("stp %w1, %w1, [%0, #8]!", PRIORITIES, 0x90a0b0c0, PRIORITIES + 12, 0x90a0b0c0u, 8);
	STORE("str wzr, [%0]", PRIORITIES, 0, PRIORITIES, 0u, 0);
	STORE("stlr %w1, [%0]", PRIORITIES, 0xa0b0c0d0, PRIORITIES, 0xa0b0c0d0u, 0);
}

static void bytes_stored(void)
{
	mmio_write32(PRIORITIES, 0);
	STORE("strb %w1, [%0]", PRIORITIES, 0x10, PRIORITIES, 0x10u, 0);
	STORE("strb %w1, [%0], #1", PRIORITIES + 1, 0x20, PRIORITIES, 0x2010u, 1);
	STORE("strb %w1, [%0, #1]!", PRIORITIES + 1, 0x30, PRIORITIES, 0x302010u, 1);
	STORE("sturb %w1, [%0, #-1]", PRIORITIES + 4, 0xf8, PRIORITIES, 0xf8302010u, 0);
	STORE("strb wzr, [%0]", PRIORITIES, 0, PRIORITIES, 0xf8302000u, 0);
}

static void words_and_bytes_loaded(void)
{
	mmio_write32(PRIORITIES, 0xf8302010);
	mmio_write32(PRIORITIES + 4, 0x88706050);
	LOAD("ldr %w0, [%1]", PRIORITIES, 0xf8302010u, 0);
	LOAD("ldr %w0, [%1], #4", PRIORITIES, 0xf8302010u, 4);
	LOAD("ldr %w0, [%1, #4]!", PRIORITIES, 0x88706050u, 4);
	LOAD("ldr %w0, [%1, %2]", PRIORITIES, 0x88706050u, 0);
	LOAD("ldur %w0, [%1, #-4]", PRIORITIES + 4, 0xf8302010u, 0);
	LOAD("ldar %w0, [%1]", PRIORITIES, 0xf8302010u, 0);
	LOAD("ldrsw %0, [%1]", PRIORITIES, UINT64_C(0xfffffffff8302010), 0);
	LOAD("ldrsw %0, [%1, #4]!", PRIORITIES, UINT64_C(0xffffffff88706050), 4);
	LOAD("ldp wzr, %w0, [%1]", PRIORITIES, 0x88706050u, 0);
	LOAD("ldp %w0, wzr, [%1], #8", PRIORITIES, 0xf8302010u, 8);
	LOAD("ldp wzr, %w0, [%1, #-8]!", PRIORITIES + 8, 0x88706050u, -8);
	LOAD("ldpsw %0, xzr, [%1]", PRIORITIES, UINT64_C(0xfffffffff8302010), 0);
	LOAD("ldr wzr, [%1], #4", PRIORITIES, ~UINT64_C(0), 4);
	LOAD("ldrb %w0, [%1, #3]", PRIORITIES, 0xf8u, 0);
	LOAD("ldrb %w0, [%1], #1", PRIORITIES, 0x10u, 1);
	LOAD("ldrb %w0, [%1, #3]!", PRIORITIES, 0xf8u, 3);
	LOAD("ldrsb %w0, [%1, #3]", PRIORITIES, 0xfffffff8u, 0);
	LOAD("ldrsb %0, [%1, #3]", PRIORITIES, UINT64_C(0xfffffffffffffff8), 0);
	LOAD("ldrsb %0, [%1], #1", PRIORITIES + 3, UINT64_C(0xfffffffffffffff8), 1);
}

static void doublewords(void)
{
	STORE("str %1, [%0]", ROUTES, 0x10203, ROUTES, 0x10203u, 0);
	STORE("str xzr, [%0], #8", ROUTES, 0, ROUTES, 0u, 8);
	STORE("stp %1, xzr, [%0]", ROUTES, 0x20304, ROUTES, 0x20304u, 0);
	STORE("stp xzr, %1, [%0, #16]!", ROUTES, 0x30405, ROUTES + 24, 0x30405u, 16);
	LOAD("ldr %0, [%1]", ROUTES, 0x20304u, 0);
	LOAD("ldr %0, [%1], #-8", ROUTES + 24, 0x30405u, -8);
	LOAD("ldp %0, xzr, [%1]", ROUTES, 0x20304u, 0);
	LOAD("ldp xzr, %0, [%1, #16]!", ROUTES, 0x30405u, 16);
}

static void halfwords(void)
{
	LOAD("ldrh %w0, [%1]", UART_ID, 0x11u, 0);
	LOAD("ldrh %w0, [%1], #4", UART_ID + 4, 0x10u, 4);
	LOAD("ldrh %w0, [%1, #4]!", UART_ID + 4, 0x14u, 4);
	LOAD("ldrsh %w0, [%1]", UART_ID + 0x14, 0xf0u, 0);
	LOAD("ldrsh %0, [%1]", UART_ID + 0x1c, 0xb1u, 0);
	LOAD("ldrb %w0, [%1]", UART_ID + 0x1c, 0xb1u, 0);
}

void guest_main(void)
{
	CHECK(mmio_read32(VIRTIO) == 0x74726976, "no virtio-mmio transport at 0x0a000000");
	gic_init();
	words_stored();
	bytes_stored();
	words_and_bytes_loaded();
	doublewords();
	halfwords();
}
