/* PSCI 1.1 (ARM DEN 0022) by HVC. */
#pragma once
#include <stdint.h>

#define PSCI_ID_VERSION           UINT64_C(0x84000000)
#define PSCI_ID_CPU_SUSPEND       UINT64_C(0xc4000001)
#define PSCI_ID_CPU_OFF           UINT64_C(0x84000002)
#define PSCI_ID_CPU_ON            UINT64_C(0xc4000003)
#define PSCI_ID_AFFINITY_INFO     UINT64_C(0xc4000004)
#define PSCI_ID_MIGRATE_INFO_TYPE UINT64_C(0x84000006)
#define PSCI_ID_SYSTEM_OFF        UINT64_C(0x84000008)
#define PSCI_ID_SYSTEM_RESET      UINT64_C(0x84000009)
#define PSCI_ID_FEATURES          UINT64_C(0x8400000a)

#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_ON_PENDING         (-5)

/* What AFFINITY_INFO answers. */
#define PSCI_AFFINITY_ON  0
#define PSCI_AFFINITY_OFF 1

/* One call. Returns x0 as the 32-bit signed status that all functions used here return. */
int32_t psci_call(uint64_t function, uint64_t argument1, uint64_t argument2, uint64_t argument3);

/* Do not return. */
_Noreturn void psci_system_off(void);
_Noreturn void psci_system_reset(void);
