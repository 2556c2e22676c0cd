/* Ends with PSCI SYSTEM_RESET, not SYSTEM_OFF; under QEMU -no-reboot makes that the end. */
#include "tests/guest/lib/guest.h"
#include "tests/guest/lib/psci.h"

const char guest_name[] = "reset";

void guest_main(void)
{
	print("PASS reset\n");
	psci_system_reset();
}
