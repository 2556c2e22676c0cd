/* The scripted guest that stands in for a CPU at EL1: a program is a table of one-instruction steps, pc counts through
 * it, and everything it does is a function of its registers, so that a replay of the real hv/core does the same again.
 *
 * 1. Each step retires one instruction, FAKE_LOOP(k) k of them; a step that traps retires when hv says so.
 * 2. What no step sets stays in x: x28 counts loops, x21 to x24 are written by the default synchronous handler.
 * 3. RAM holds what hv fetches: a FAKE_TRAP's word, and FAKE_WORDs and MRS Xt, CNTPCT_EL0, which are executed as RAM
 *    has them.
 * 4. A guest that leaves its program ends the run as FAKE_LOST: no script can run away. */
#pragma once
#include "hv/arch/arch.h"
#include <stddef.h>

struct fake_config;

#define FAKE_CODE        UINT64_C(0x40080000)
#define FAKE_VBAR        UINT64_C(0x40010000)
#define FAKE_SYNC_VECTOR (FAKE_VBAR + 0x200)
#define FAKE_IRQ_VECTOR  (FAKE_VBAR + 0x280)

enum {
	FAKE_OP_LOOP,
	FAKE_OP_MOV,
	FAKE_OP_MSR,
	FAKE_OP_MRS,
	FAKE_OP_STORE,
	FAKE_OP_LOAD,
	FAKE_OP_CALL,
	FAKE_OP_WFI,
	FAKE_OP_TRAP,
	FAKE_OP_DAIF,
	FAKE_OP_LEVEL,
	FAKE_OP_VMCR,
	FAKE_OP_VTIMER,
	FAKE_OP_CNTVCT,
	FAKE_OP_ACK,
	FAKE_OP_EOI,
	FAKE_OP_ERET,
	FAKE_OP_UNLESS,
	FAKE_OP_GOTO,
	FAKE_OP_FOLD,
	FAKE_OP_SINCE,
	FAKE_OP_SYNC,
	FAKE_OP_BREAK,
	FAKE_OP_SP,
	FAKE_OP_PEEK,
	FAKE_OP_CODE,
	FAKE_OP_FAULT,
	FAKE_OP_POKE,
	FAKE_OP_ADD,
	FAKE_OP_WHO,
};

struct fake_op {
	uint8_t kind; /* FAKE_OP_ */
	uint8_t reg;
	uint64_t a, b, c;
};

struct fake_segment {
	uint64_t pc;
	const struct fake_op *ops;
	size_t count;
};

/* Plain instructions. */
#define FAKE_LOOP(count)                                                                                               \
	{                                                                                                              \
		FAKE_OP_LOOP, 28, count, 0, 0                                                                          \
	}
#define FAKE_MOV(reg, value)                                                                                           \
	{                                                                                                              \
		FAKE_OP_MOV, reg, value, 0, 0                                                                          \
	}
#define FAKE_FOLD(reg)                                                                                                 \
	{                                                                                                              \
		FAKE_OP_FOLD, reg, 0, 0, 0                                                                             \
	} /* x19 = x19 * 31 + Xreg */
#define FAKE_SINCE(reg)                                                                                                \
	{                                                                                                              \
		FAKE_OP_SINCE, reg, 0, 0, 0                                                                            \
	} /* Xreg, a counter's value, less what the counters began with */
#define FAKE_UNMASK                                                                                                    \
	{                                                                                                              \
		FAKE_OP_DAIF, 0, 0, 0, 0                                                                               \
	}
#define FAKE_MASK                                                                                                      \
	{                                                                                                              \
		FAKE_OP_DAIF, 0, 0x3c0, 0, 0                                                                           \
	}
#define FAKE_DAIF(bits)                                                                                                \
	{                                                                                                              \
		FAKE_OP_DAIF, 0, bits, 0, 0                                                                            \
	}
#define FAKE_LEVEL(mode)                                                                                               \
	{                                                                                                              \
		FAKE_OP_LEVEL, 0, mode, 0, 0                                                                           \
	} /* PSTATE.M, as an exception return sets it */
#define FAKE_GIC_ON                                                                                                    \
	{                                                                                                              \
		FAKE_OP_VMCR, 0, 0, 0, 0                                                                               \
	} /* ICC_PMR = 0xf8, ICC_IGRPEN1 = 1 */
#define FAKE_VTIMER(ctl, cval)                                                                                         \
	{                                                                                                              \
		FAKE_OP_VTIMER, 0, ctl, cval, 0                                                                        \
	}
#define FAKE_CNTVCT(reg)                                                                                               \
	{                                                                                                              \
		FAKE_OP_CNTVCT, reg, 0, 0, 0                                                                           \
	}
#define FAKE_SP(value)                                                                                                 \
	{                                                                                                              \
		FAKE_OP_SP, 0, value, 0, 0                                                                             \
	} /* the level's own stack pointer */
#define FAKE_ACK(reg)                                                                                                  \
	{                                                                                                              \
		FAKE_OP_ACK, reg, 0, 0, 0                                                                              \
	}
#define FAKE_EOI(reg)                                                                                                  \
	{                                                                                                              \
		FAKE_OP_EOI, reg, 0, 0, 0                                                                              \
	}
#define FAKE_ERET                                                                                                      \
	{                                                                                                              \
		FAKE_OP_ERET, 0, 0, 0, 0                                                                               \
	}
#define FAKE_UNLESS(reg, v, skip)                                                                                      \
	{                                                                                                              \
		FAKE_OP_UNLESS, reg, v, skip, 0                                                                        \
	} /* if Xreg != v: goes `skip` steps further */
#define FAKE_GOTO(steps)                                                                                               \
	{                                                                                                              \
		FAKE_OP_GOTO, 0, (uint64_t)(steps), 0, 0                                                               \
	}
/* Traps. */
#define FAKE_KEY(op0, op1, crn, crm, op2)                                                                              \
	((uint64_t)((op0)&3) << 14 | (uint64_t)(op1) << 11 | (uint64_t)(crn) << 7 | (uint64_t)(crm) << 3 | (op2))
#define FAKE_MSR(key, reg)                                                                                             \
	{                                                                                                              \
		FAKE_OP_MSR, reg, key, 0, 0                                                                            \
	}
#define FAKE_MRS(reg, key)                                                                                             \
	{                                                                                                              \
		FAKE_OP_MRS, reg, key, 0, 0                                                                            \
	}
#define FAKE_STORE(reg, ipa, size)                                                                                     \
	{                                                                                                              \
		FAKE_OP_STORE, reg, ipa, size, 0                                                                       \
	}
#define FAKE_LOAD(reg, ipa, size)                                                                                      \
	{                                                                                                              \
		FAKE_OP_LOAD, reg, ipa, size, 0                                                                        \
	}
#define FAKE_LOAD_SIGNED(reg, ipa, size)                                                                               \
	{                                                                                                              \
		FAKE_OP_LOAD, reg, ipa, size, UINT64_C(1) << 21 | UINT64_C(1) << 15                                    \
	}
#define FAKE_HVC                                                                                                       \
	{                                                                                                              \
		FAKE_OP_CALL, 0, 0x16, 0, 0                                                                            \
	}
#define FAKE_SMC                                                                                                       \
	{                                                                                                              \
		FAKE_OP_CALL, 0, 0x17, 0, 0                                                                            \
	}
#define FAKE_WFI                                                                                                       \
	{                                                                                                              \
		FAKE_OP_WFI, 0, 0, 0, 0                                                                                \
	}
/* Any syndrome; `word` is what is at pc in memory (0: the guest cannot read it). Counted as the exception class is. */
#define FAKE_TRAP(esr, address, word)                                                                                  \
	{                                                                                                              \
		FAKE_OP_TRAP, 0, esr, address, word                                                                    \
	}
#define FAKE_ESR(ec, iss) ((uint64_t)(ec) << 26 | UINT64_C(1) << 25 | (iss))
/* An instruction with a hardware breakpoint on it, which fires unless hv steps over it. */
#define FAKE_BREAK                                                                                                     \
	{                                                                                                              \
		FAKE_OP_BREAK, 0, 0, 0, 0                                                                              \
	}
/* Reads a word of RAM. */
#define FAKE_PEEK(reg, address)                                                                                        \
	{                                                                                                              \
		FAKE_OP_PEEK, reg, address, 0, 0                                                                       \
	}
/* Writes one. */
#define FAKE_POKE(reg, address)                                                                                        \
	{                                                                                                              \
		FAKE_OP_POKE, reg, address, 0, 0                                                                       \
	}
#define FAKE_ADDS(reg, value)                                                                                          \
	{                                                                                                              \
		FAKE_OP_ADD, reg, value, 0, 0                                                                          \
	} /* Xreg += value */
#define FAKE_WHO(reg)                                                                                                  \
	{                                                                                                              \
		FAKE_OP_WHO, reg, 0, 0, 0                                                                              \
	} /* Xreg = the number of the CPU that it runs on, as MPIDR_EL1 says it */
/* An instruction as it stands in memory, where hv reads and changes it: one of FAKE_LDXR and its like, of a word that
 * all CPUs share, whatever its address. With `breaks` there is a hardware breakpoint on it, and one step of it can be
 * made. */
#define FAKE_WORD(word, breaks)                                                                                        \
	{                                                                                                              \
		FAKE_OP_CODE, 0, word, breaks, 0                                                                       \
	}
#define FAKE_LDXR        UINT64_C(0xc85f7c41) /* ldxr x1, [x2] */
#define FAKE_ADD         UINT64_C(0x91000421) /* add x1, x1, #1 */
#define FAKE_STXR        UINT64_C(0xc8037c41) /* stxr w3, x1, [x2] */
#define FAKE_STR         UINT64_C(0xf9000041) /* str x1, [x2] */
#define FAKE_CLREX       UINT64_C(0xd5033f5f)
#define FAKE_WFE_WORD    UINT64_C(0xd503205f)
#define FAKE_YIELD_WORD  UINT64_C(0xd503203f)
#define FAKE_HVC_WORD(n) (UINT64_C(0xd4000002) | (uint64_t)(n) << 5) /* hvc #n */
#define FAKE_WFE         FAKE_WORD(FAKE_WFE_WORD, 0)
#define FAKE_YIELD       FAKE_WORD(FAKE_YIELD_WORD, 0)
#define FAKE_OFF         FAKE_MOV(0, 0x84000008), FAKE_HVC
/* The default handler of synchronous exceptions: x21 = ESR, x22 = FAR, x23 = vector offset, x24 = SPSR; then skips. */
#define FAKE_SYNC                                                                                                      \
	{                                                                                                              \
		FAKE_OP_SYNC, 0, 0, 0, 0                                                                               \
	}

/* An exception at EL1, to the vector for EL1's own, that counts `insns` instructions: 1 undefined, 0 a page fault. */
#define FAKE_FAULT(insns)                                                                                              \
	{                                                                                                              \
		FAKE_OP_FAULT, 0, insns, 0, 0                                                                          \
	}

/* A CPU of the fake machine: EL1's registers, list registers and the syndrome of the last exit, and what hv set up. */
struct fake_cpu {
	struct vcpu_state el1;
	struct arch_syndrome syndrome;
	uint32_t word;                          /* at pc, for an abort without a syndrome */
	bool monitor;                           /* the exclusive monitor; an entry clears it */
	bool vtimer_active, maintenance_active; /* taken, and silent until hv says otherwise */
	uint64_t counter;                       /* PMCCNTR_EL0 */
	bool overflowed;
	bool started;
	uint32_t set_up; /* which steps of it */
};
extern struct fake_cpu fake_cpus[GUEST_VCPU_MAX];
extern struct fake_cpu *fake_cpu; /* that hv is on */

#define FAKE_CNTPCT           FAKE_KEY(3, 3, 14, 0, 1)
#define FAKE_CNTPCT_WORD(reg) (UINT32_C(0xd53be020) | (reg))
#define FAKE_CNTVCT_WORD(reg) (UINT32_C(0xd53be040) | (reg))

/* Whether stage 2 permits EL1's execution of the address and nothing else, as far as the TLB knows. */
bool fake_is_execute_only(uint64_t address);

/* Executes the step at vcpu->pc, at most `max` instructions of it; `counter_ns` is what its counters have counted
 * before it and `*retired` counts what it retired. Returns whether it trapped, with the syndrome set and retired
 * instructions as the hardware counts them. */
bool fake_guest_step(struct vcpu_state *vcpu, uint64_t counter_ns, uint64_t max, uint64_t *retired);
/* Puts the program's FAKE_WORDs into RAM. */
void fake_guest_load(const struct fake_config *config);
/* Whether there is an instruction at `va` that hv may fetch as RAM has it. */
bool fake_guest_is_plain(uint64_t va);
/* Takes the virtual interrupt if one is signalled and not masked. */
void fake_guest_irq(struct vcpu_state *vcpu);
