/* Why an asynchronous exit was taken, why another vCPU had its turn, and why a recording or a diversion ended: the
 * lists exit_reason.def, switch_reason.def and end_reason.def as numbers, and the words for an end, which recorder and
 * replay both say. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum exit_reason {
#define EXIT_REASON(id, NAME, name) EXIT_REASON_##NAME = (id),
#include "hv/abi/exit_reason.def"
#undef EXIT_REASON
};

enum {
	EXIT_REASON_COUNT = 1 /* with 0, which is none */
#define EXIT_REASON(id, NAME, name) +1
#include "hv/abi/exit_reason.def"
#undef EXIT_REASON
};

enum switch_reason {
#define SWITCH_REASON(id, NAME, name) SWITCH_REASON_##NAME = (id),
#include "hv/abi/switch_reason.def"
#undef SWITCH_REASON
};

enum {
	SWITCH_REASON_COUNT = 1 /* with 0, which is none */
#define SWITCH_REASON(id, NAME, name) +1
#include "hv/abi/switch_reason.def"
#undef SWITCH_REASON
};

enum end_reason {
#define END_REASON(id, NAME, name, sentence) END_REASON_##NAME = (id),
#include "hv/abi/end_reason.def"
#undef END_REASON
};

/* "power off"; NULL for a number that is no reason. Static. */
static inline const char *reason_end_name(uint64_t reason)
{
	switch (reason) {
#define END_REASON(id, NAME, name, sentence)                                                                           \
	case id:                                                                                                       \
		return name;
#include "hv/abi/end_reason.def"
#undef END_REASON
	default:
		return NULL;
	}
}

/* What follows "the guest ": "powered off", and "ended" for a number that is no reason. Static. */
static inline const char *reason_end_sentence(uint64_t reason)
{
	switch (reason) {
#define END_REASON(id, NAME, name, sentence)                                                                           \
	case id:                                                                                                       \
		return sentence;
#include "hv/abi/end_reason.def"
#undef END_REASON
	default:
		return "ended";
	}
}
