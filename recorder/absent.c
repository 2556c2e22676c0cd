/* The table of devices that are not there. */
#include "recorder/absent.h"

#include <stddef.h>

static const struct {
	uint64_t start, bytes;
	const char *what;
} devices[] = {
	{0x00000000, 0x08000000, "CFI flash (here it has only what --firmware puts into it)"},
	{0x08010000, 0x00010000, "the CPU interface of a GICv2 (hvrec has a GICv3, as QEMU with gic-version=3)"},
	{0x08020000, 0x00001000, "a GICv2m frame (hvrec has a GICv3 without message interrupts)"},
	{0x08030000, 0x00020000, "the virtual interface of a GICv2 (hvrec has a GICv3, and the guest is at EL1)"},
	{0x08080000, 0x00020000, "the ITS of a GICv3"},
	{0x080c0000, 0x00f40000, "redistributors of more CPUs"},
	{0x09020000, 0x00000018, "fw_cfg"},
	{0x09030000, 0x00001000, "PL061 GPIO"},
	{0x09040000, 0x00001000, "the secure UART"},
	{0x09050000, 0x00020000, "an SMMU"},
	{0x09070000, 0x00000018, "memory hotplug"},
	{0x09080000, 0x00000004, "ACPI events"},
	{0x090b0000, 0x00001000, "the secure GPIO"},
	{0x0c000000, 0x02000000, "the platform bus"},
	{0x0e000000, 0x01000000, "secure RAM"},
	{0x10000000, 0x2eff0000, "the memory of PCI devices"},
	{0x3eff0000, 0x00010000, "the I/O ports of PCI devices"},
	{0x3f000000, 0x01000000, "PCI configuration space"},
	{UINT64_C(0x4010000000), UINT64_C(0x10000000), "PCI configuration space"},
	{UINT64_C(0x8000000000), UINT64_C(0x8000000000), "the memory of PCI devices"},
};

const char *absent_device(uint64_t ipa)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (ipa - devices[i].start < devices[i].bytes)
			return devices[i].what;
	}
	return NULL;
}
