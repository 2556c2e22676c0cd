/* Decodes A64 loads and stores, for the stage-2 data aborts whose syndrome does not describe the access (ESR_EL2.ISV =
 * 0): pairs, writeback forms, SIMD&FP registers.
 *
 * Called by the data abort handler with the instruction word that it fetched from guest memory, so nothing about the
 * word is trusted. It knows what can sensibly go to a device: plain loads and stores of one or two registers, ordered
 * ones included. It refuses exclusives, atomics, prefetches, tag and pointer-authentication accesses, and SIMD
 * structures.
 *
 * Encodings: Arm ARM (DDI 0487) C4.1, "Loads and Stores". Freestanding; also built for the host's tests. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* How the index register Xm becomes an offset, before the shift; values are the `option` field of C6.2.182. */
enum decode_extend {
	DECODE_EXTEND_UXTW = 2,
	DECODE_EXTEND_UXTX = 3, /* LSL */
	DECODE_EXTEND_SXTW = 6,
	DECODE_EXTEND_SXTX = 7,
};

/* One load or store. Register number 31 is XZR as rt, rt2 and rm, SP as rn. What does not apply is 0. */
struct decode_access {
	bool is_write;
	bool is_simd;     /* rt and rt2 are V registers; a load clears the rest of them */
	bool sign_extend; /* a load extends the value's sign to register_bits; else it is zero-extended */
	bool writeback;   /* rn takes decode_writeback's value after the access */
	bool post_index;  /* the address is rn alone; only with writeback */
	bool is_literal;  /* the base is the instruction's own address, and rn is 0 */
	bool has_register_offset;
	uint8_t size;          /* bytes per register: 1, 2, 4, 8, or 16 with is_simd */
	uint8_t count;         /* registers: 1 or 2; the second is at address + size */
	uint8_t rt, rt2;       /* what is transferred */
	uint8_t register_bits; /* of the destination: 32, 64, or 128 with is_simd */
	uint8_t rn;
	uint8_t rm;     /* index register, with has_register_offset */
	uint8_t extend; /* enum decode_extend, with has_register_offset */
	uint8_t shift;  /* of the extended index, in bits: 0 to 4 */
	int64_t offset; /* bytes: for the address, for the writeback, or for both */
};

/* Decodes `word` into `*access`. Returns false, and leaves `*access` all zero, for everything else than the loads and
 * stores named above, for unallocated encodings, and for the forms that are CONSTRAINED UNPREDICTABLE because a
 * register is used twice (writeback into a transferred register, a pair loaded into one register) or, in the ordered
 * ones, because an unused register field is not all ones. */
bool decode_load_store(uint32_t word, struct decode_access *access);

/* The virtual address of the first byte. `base` is the value of Xn or SP, or the instruction's address if is_literal;
 * `index_value` is that of Xm (0 for XZR), ignored without has_register_offset. Cannot fail. */
uint64_t decode_address(const struct decode_access *access, uint64_t base, uint64_t index_value);

/* The new value of rn, from its old value `base`; only meaningful with writeback. Cannot fail. */
uint64_t decode_writeback(const struct decode_access *access, uint64_t base);

/* What a load puts into the 64-bit register Xt when memory held `data` (low `size` bytes): extended to register_bits by
 * zeroes or by its sign, and by zeroes above. For size up to 8; cannot fail. */
uint64_t decode_load_value(const struct decode_access *access, uint64_t data);
