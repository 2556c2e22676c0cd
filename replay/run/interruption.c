/* Asking who may end a run. */
#include "replay/run/interruption.h"

#include <stddef.h>

void interruption_tick(struct interruption *interruption)
{
	if (interruption && interruption->tick && interruption->tick(interruption->context))
		interruption->ending = true;
}

bool interruption_take(struct interruption *interruption)
{
	bool ending = interruption_is_due(interruption);
	if (ending)
		interruption->ending = false;
	return ending;
}

bool interruption_is_due(const struct interruption *interruption)
{
	return interruption && interruption->ending;
}

nfds_t interruption_wake(const struct interruption *interruption, struct pollfd *fds)
{
	nfds_t count = interruption ? interruption->wake_count : 0;
	for (nfds_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = interruption->wake[i].fd, .events = POLLIN};
	return count;
}

bool interruption_woken(const struct interruption *interruption)
{
	struct pollfd fds[INTERRUPTION_WAKE_MAX];
	return poll(fds, interruption_wake(interruption, fds), 0) > 0;
}
