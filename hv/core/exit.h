/* Synchronous exits: one table of exception classes, one dispatcher. */
#pragma once
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stdint.h>

/* What a handler says of the trapped instruction. Only the dispatcher advances pc and counts. */
enum exit_answer {
	EXIT_RESUME,  /* goes on at pc, which the handler may have moved to an exception vector */
	EXIT_AGAIN,   /* the same instruction comes again: hv has removed what it met. Nothing crossed */
	EXIT_SKIP,    /* the instruction was emulated: retired, pc behind it */
	EXIT_PASS,    /* as EXIT_SKIP, and nothing crossed: no event, nothing that could have changed */
	EXIT_WAIT,    /* as EXIT_SKIP, and the guest waits for an interrupt */
	EXIT_STOP,    /* the guest ended the recording */
	EXIT_REFUSED, /* hv does not support this; the mailbox text says what */
};

/* A decoded synchronous exit; handlers never see raw syndrome bits (Arm ARM D17.2.37). */
struct exit {
	uint64_t esr; /* for exceptions that are passed on to EL1, and for messages */
	va_t far;
	ipa_t ipa;       /* aborts: the address of the access itself, not only its page */
	uint32_t sysreg; /* SYSREG_KEY of a trapped MSR or MRS */
	uint8_t rt;      /* the register read or written: system register or MMIO; 31 is XZR */
	bool is_write;   /* of memory, or MSR */
	bool has_isv;    /* the fields below describe the access; otherwise the instruction must be decoded */
	uint8_t size;    /* bytes */
	bool sign_extend;
	bool is_64bit; /* destination register */
	bool is_walk;  /* stage 2 fault on a stage 1 table walk */
	bool is_cache; /* cache maintenance */
	uint8_t fault; /* DFSC or IFSC */
};

/* Handles the synchronous exit that just happened and brings hv.guest.n and pc to where the guest goes on. Returns what
 * the handler said. */
enum exit_answer exit_dispatch(void);
