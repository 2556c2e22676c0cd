/* PSCI 1.1 as QEMU's virt board offers it (SMCCC 1.0: no SMCCC_VERSION); everything else is NOT_SUPPORTED.
 * Function and return codes: Arm DEN 0022, chapter 5. */
#include "hv/core/psci.h"
#include "hv/core/gate.h"
#include "hv/core/hv.h"
#include "hv/core/timers.h"
#include "hv/core/vcpu.h"

#define PSCI_VERSION           UINT32_C(0x84000000)
#define PSCI_CPU_SUSPEND       UINT32_C(0x84000001)
#define PSCI_CPU_OFF           UINT32_C(0x84000002)
#define PSCI_CPU_ON            UINT32_C(0x84000003)
#define PSCI_AFFINITY_INFO     UINT32_C(0x84000004)
#define PSCI_MIGRATE_INFO_TYPE UINT32_C(0x84000006)
#define PSCI_SYSTEM_OFF        UINT32_C(0x84000008)
#define PSCI_SYSTEM_RESET      UINT32_C(0x84000009)
#define PSCI_FEATURES          UINT32_C(0x8400000a)
#define PSCI_64BIT             UINT32_C(0x40000000) /* the same function with 64-bit arguments */

enum { VERSION_1_1 = 0x10001, MIGRATE_NOT_NEEDED = 2, AFFINITY_ON = 0, AFFINITY_OFF = 1 };
enum { SUCCESS = 0, NOT_SUPPORTED = -1, INVALID_PARAMETERS = -2, DENIED = -3, ALREADY_ON = -4 };

#define MPIDR_AFFINITY_MASK UINT64_C(0xff00ffffff)

/* vCPU i has affinity i. Returns NULL if there is none. */
static struct vcpu_state *vcpu_by_affinity(uint64_t affinity)
{
	affinity &= MPIDR_AFFINITY_MASK;
	return affinity < hv.guest.vcpu_count ? &hv.guest.vcpu[affinity] : (struct vcpu_state *)0;
}

static int64_t features(uint64_t function)
{
	switch (function) {
	case PSCI_VERSION:
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | PSCI_64BIT:
	case PSCI_CPU_OFF:
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | PSCI_64BIT:
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | PSCI_64BIT:
	case PSCI_MIGRATE_INFO_TYPE:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case PSCI_FEATURES:
		return SUCCESS;
	default:
		return NOT_SUPPORTED;
	}
}

static int64_t affinity_info(uint64_t affinity, uint64_t level)
{
	const struct vcpu_state *vcpu = vcpu_by_affinity(affinity);
	if (!vcpu || level != 0)
		return INVALID_PARAMETERS;
	return vcpu->power == VCPU_ON ? AFFINITY_ON : AFFINITY_OFF;
}

/* Calls come one after the other, so there is no ON_PENDING, and of callers that race exactly one succeeds. */
static int64_t cpu_on(uint64_t affinity, uint64_t entry, uint64_t context)
{
	struct vcpu_state *vcpu = vcpu_by_affinity(affinity);
	if (!vcpu)
		return INVALID_PARAMETERS;
	if (vcpu->power == VCPU_ON)
		return ALREADY_ON;
	uint32_t index = (uint32_t)(affinity & MPIDR_AFFINITY_MASK);
	vcpu_reset(index, entry, context);
	vcpu->power = VCPU_ON;
	hv.guest.turn.waits[index] = 0;
	timers_changed(); /* there is one more to have its turn */
	return SUCCESS;
}

/* The last one that is on stays so: nobody could ever switch one on again. */
static int64_t cpu_off(void)
{
	uint32_t on = 0;
	for (uint32_t i = 0; i < hv.guest.vcpu_count; i++)
		on += hv.guest.vcpu[i].power == VCPU_ON;
	if (on == 1)
		return DENIED;
	hv_vcpu()->power = VCPU_OFF;
	return SUCCESS; /* does not return */
}

static int64_t call(uint64_t function, const uint64_t argument[])
{
	switch (function) {
	case PSCI_VERSION:
		return VERSION_1_1;
	case PSCI_FEATURES:
		return features(argument[1]);
	case PSCI_AFFINITY_INFO:
	case PSCI_AFFINITY_INFO | PSCI_64BIT:
		return affinity_info(argument[1], argument[2]);
	case PSCI_CPU_ON:
	case PSCI_CPU_ON | PSCI_64BIT:
		return cpu_on(argument[1], argument[2], argument[3]);
	case PSCI_CPU_OFF:
		return cpu_off();
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_SUSPEND | PSCI_64BIT:
		return SUCCESS; /* a standby state, as WFI */
	case PSCI_MIGRATE_INFO_TYPE:
		return MIGRATE_NOT_NEEDED;
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
		return SUCCESS; /* does not return */
	default:
		return NOT_SUPPORTED;
	}
}

enum exit_answer psci_call(const struct exit *exit)
{
	uint64_t *x = hv_vcpu()->x;
	uint64_t function = x[0] & UINT32_MAX;
	uint64_t result = (uint64_t)call(function, x);
	(void)exit;
	gate_trap(EVENT_SMCCC_CALL, function, result, 0, false);
	x[0] = result;
	if (function == PSCI_SYSTEM_OFF || function == PSCI_SYSTEM_RESET) {
		gate_end(function == PSCI_SYSTEM_OFF ? END_REASON_POWER_OFF : END_REASON_RESET);
		return EXIT_STOP;
	}
	if (hv_vcpu()->power == VCPU_OFF)
		return EXIT_WAIT;
	return function == PSCI_CPU_SUSPEND || function == (PSCI_CPU_SUSPEND | PSCI_64BIT) ? EXIT_WAIT : EXIT_SKIP;
}
