/* What every payload has: its name and its one function, results, printing, device and system registers.
 * A payload defines guest_name and guest_main; returning from guest_main is PASS, a failed CHECK is FAIL, and both
 * power off. Everything runs at EL1 of QEMU's virt board (or of the guest machine that hv makes after its model). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const char guest_name[];
void guest_main(void);

/* The DTB's address: x0 at entry, or the start of RAM, where QEMU puts it for an ELF file (docs/system/arm/virt.rst).
 */
extern uint64_t guest_dtb;

/* Called by start.S with x0 at entry. Does not return. */
_Noreturn void guest_start(uint64_t dtb);

/* Prints `PASS name`, or with a reason `FAIL name: why`, and powers off. Does not return. */
_Noreturn void guest_end(const char *why);

#define CHECK(condition, why) ((condition) ? (void)0 : guest_end(why))

/* Console output; cannot fail, waits for room in the PL011 (ARM DDI 0183). */
void print(const char *text);
void input_ask(void);              /* looks for input, as one who polls for it: a recording gives none before */
void print_hex(uint64_t value);    /* 0x and 16 digits */
void print_number(uint64_t value); /* decimal */
void print_value(const char *text, uint64_t value); /* a line: text, hex */

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

#define SYSREG_READ(name)                                                                                              \
	__extension__({                                                                                                \
		uint64_t sysreg_value;                                                                                 \
		__asm__ volatile("mrs %0, " #name : "=r"(sysreg_value)::"memory");                                     \
		sysreg_value;                                                                                          \
	})
#define SYSREG_WRITE(name, value) __asm__ volatile("msr " #name ", %0" ::"r"((uint64_t)(value)) : "memory")

static inline void isb(void)
{
	__asm__ volatile("isb" ::: "memory");
}

static inline void dsb(void)
{
	__asm__ volatile("dsb sy" ::: "memory");
}

static inline void wfi(void)
{
	__asm__ volatile("dsb sy\n wfi" ::: "memory");
}

static inline void irq_unmask(void)
{
	__asm__ volatile("msr daifclr, #2\n isb" ::: "memory");
}

static inline void irq_mask(void)
{
	__asm__ volatile("msr daifset, #2" ::: "memory");
}

/* Device accesses by inline assembly, so that the compiler cannot choose another form of load or store. */
static inline uint8_t mmio_read8(uint64_t address)
{
	uint32_t value;
	__asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
	return (uint8_t)value;
}

static inline uint32_t mmio_read32(uint64_t address)
{
	uint32_t value;
	__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
	return value;
}

static inline void mmio_write8(uint64_t address, uint8_t value)
{
	__asm__ volatile("strb %w0, [%1]" ::"r"((uint32_t)value), "r"(address) : "memory");
}

static inline void mmio_write32(uint64_t address, uint32_t value)
{
	__asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(address) : "memory");
}

static inline void mmio_write64(uint64_t address, uint64_t value)
{
	__asm__ volatile("str %0, [%1]" ::"r"(value), "r"(address) : "memory");
}

enum {
	GICD = 0x08000000,
	GICR = 0x080a0000,
	GICR_SGI = 0x080b0000,
	UART = 0x09000000,
	RTC = 0x09010000,
	VIRTIO = 0x0a000000,
	NOTHING = 0x0b000000, /* no device here */
	RAM = 0x40000000,
};
