/* CPUs that do not exist cannot be started or asked for, and the one that runs is on already. For a machine of one CPU.
 */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/psci.h"

const char guest_name[] = "smp_off";

void guest_main(void)
{
	static const uint64_t absent[] = {1, 7, 0x100, 0x10000, UINT64_C(0x100000000)};
	uint64_t self = SYSREG_READ(mpidr_el1) & 0xff00ffffff;
	for (uint32_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		CHECK(psci_call(PSCI_ID_CPU_ON, absent[i], RAM, 0) == PSCI_INVALID_PARAMETERS, "CPU_ON of no CPU");
		CHECK(psci_call(PSCI_ID_AFFINITY_INFO, absent[i], 0, 0) == PSCI_INVALID_PARAMETERS,
		      "AFFINITY_INFO of no CPU");
	}
	CHECK(psci_call(PSCI_ID_CPU_ON, self, RAM, 0) == PSCI_ALREADY_ON, "CPU_ON of this CPU is not ALREADY_ON");
}
