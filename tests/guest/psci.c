/* PSCI: version, features, what this CPU is, and the answer to functions that do not exist. */
#include "tests/guest/lib/psci.h"
#include "tests/guest/lib/guest.h"

const char guest_name[] = "psci";

void guest_main(void)
{
	CHECK(psci_call(PSCI_ID_VERSION, 0, 0, 0) >= 0x10000, "PSCI_VERSION below 1.0");
	CHECK(psci_call(PSCI_ID_FEATURES, PSCI_ID_SYSTEM_OFF, 0, 0) == 0, "no SYSTEM_OFF in PSCI_FEATURES");
	CHECK(psci_call(PSCI_ID_FEATURES, PSCI_ID_CPU_ON, 0, 0) == 0, "no CPU_ON in PSCI_FEATURES");
	CHECK(psci_call(PSCI_ID_FEATURES, 0x8400001e, 0, 0) == PSCI_NOT_SUPPORTED, "unknown function is a feature");
	CHECK(psci_call(PSCI_ID_AFFINITY_INFO, 0, 0, 0) == 0, "AFFINITY_INFO: this CPU is not on");
	CHECK(psci_call(PSCI_ID_MIGRATE_INFO_TYPE, 0, 0, 0) == 2, "MIGRATE_INFO_TYPE is not 2");
	CHECK(psci_call(0x8400001e, 0, 0, 0) == PSCI_NOT_SUPPORTED, "unknown PSCI function did something");
	CHECK(psci_call(0xc600ff01, 0, 0, 0) == PSCI_NOT_SUPPORTED, "unknown vendor function did something");
}
