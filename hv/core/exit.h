/* Synchronous exits: one table of exception classes, one dispatcher. */
#pragma once
#include "hv/abi/esr.h"
#include "hv/abi/field.h"
#include "hv/abi/types.h"
#include <stdbool.h>
#include <stdint.h>

/* What a handler says of the trapped instruction. Only the dispatcher advances pc and counts. */
enum exit_answer {
	EXIT_RESUME,  /* goes on at pc, which the handler may have moved to an exception vector */
	EXIT_AGAIN,   /* the same instruction comes again: hv has removed what it met. Nothing crossed */
	EXIT_SKIP,    /* the instruction was emulated: retired, pc after it */
	EXIT_PASS,    /* as EXIT_SKIP, and nothing crossed: no event, nothing that could have changed */
	EXIT_WAIT,    /* as EXIT_SKIP, and the guest waits for an interrupt */
	EXIT_SPIN,    /* as EXIT_WAIT, in a loop that waits for another vCPU: no event by itself */
	EXIT_STOP,    /* the guest ended the recording */
	EXIT_REFUSED, /* hv does not support this; the mailbox text says what */
};

/* A synchronous exit. Handlers never see raw syndrome bits: the functions below decode them (Arm ARM D17.2.37). */
struct exit {
	uint64_t esr; /* for exceptions that are passed on to EL1, and for messages */
	va_t far;
	ipa_t ipa; /* aborts: the address of the access itself, not only its page */
};

#define ISS_ISV      BIT(24)
#define ISS_SAS_HI   23
#define ISS_SAS_LO   22
#define ISS_SSE      BIT(21)
#define ISS_SRT_HI   20
#define ISS_SRT_LO   16
#define ISS_SF       BIT(15)
#define ISS_CM       BIT(8)
#define ISS_FSC_HI   5
#define ISS_FSC_LO   0
#define ISS_IMM16_HI 15
#define ISS_IMM16_LO 0

/* Aborts. The access is described by the syndrome; otherwise the instruction must be decoded. */
static inline bool exit_has_isv(const struct exit *exit)
{
	return exit->esr & ISS_ISV;
}

static inline bool exit_is_write(const struct exit *exit)
{
	return exit->esr & ISS_WNR;
}

/* A stage 2 fault on a stage 1 table walk. */
static inline bool exit_is_walk(const struct exit *exit)
{
	return exit->esr & ISS_S1PTW;
}

static inline bool exit_is_cache(const struct exit *exit)
{
	return exit->esr & ISS_CM;
}

/* DFSC or IFSC. */
static inline uint8_t exit_fault(const struct exit *exit)
{
	return (uint8_t)FIELD_GET(exit->esr, ISS_FSC);
}

/* Of an access that the syndrome describes: its register (31 is XZR), its bytes, how the register takes it. */
static inline uint8_t exit_rt(const struct exit *exit)
{
	return (uint8_t)FIELD_GET(exit->esr, ISS_SRT);
}

static inline uint8_t exit_size(const struct exit *exit)
{
	return (uint8_t)(1 << FIELD_GET(exit->esr, ISS_SAS));
}

static inline bool exit_sign_extends(const struct exit *exit)
{
	return exit->esr & ISS_SSE;
}

static inline bool exit_is_64bit(const struct exit *exit)
{
	return exit->esr & ISS_SF;
}

/* Of an HVC. */
static inline uint16_t exit_imm16(const struct exit *exit)
{
	return (uint16_t)FIELD_GET(exit->esr, ISS_IMM16);
}

/* Handles the synchronous exit that just happened and brings hv.guest.n and pc to where the guest goes on. Returns what
 * the handler said. */
enum exit_answer exit_dispatch(void);
