/* Which events print: used while a machine runs, and by whoever reads a trace without one. */
#include "hv/host/event_console.h"
#include "hv/abi/machine.h"

size_t event_console_bytes(const struct event *events, size_t count, uint8_t *bytes)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++) {
		if (events[i].kind == EVENT_MMIO_WRITE && events[i].address == GUEST_UART_IPA && events[i].size != 0)
			bytes[found++] = (uint8_t)events[i].value;
	}
	return found;
}
