/* Early kernels map themselves twice: so two places in a row have to agree. */
#include "replay/travel/kernel_search.h"

enum { FIRST_N = 4000000, STRIDE = 4, FAR_N = 256000000 };

static bool locate_here(struct kernel *kernel, const struct timeline *timeline, uint64_t *va)
{
	const struct guest_state *state = timeline_state(timeline);
	return kernel_locate(kernel, timeline_memory(timeline), &state->vcpu[state->current], va);
}

bool kernel_search(struct kernel *kernel, struct timeline *timeline, const char *path, struct error *error)
{
	uint64_t n = FIRST_N, va;
	bool seen = false, again = false;
	/* Far from the start it is where it stays. */
	if (timeline_n(timeline) > FAR_N && locate_here(kernel, timeline, &va)) {
		kernel->va = va;
		return true;
	}
	while (!again && timeline_goto(timeline, n, error)) {
		if (locate_here(kernel, timeline, &va)) {
			again = seen && va == kernel->va;
			kernel->va = va;
			seen = true;
		}
		if (timeline_n(timeline) >= timeline_end_n(timeline))
			break;
		n *= STRIDE;
	}
	return seen || error_set(error, STATUS_FAILED,
				 "%s: the kernel cannot be seen at its own address: does it get as far as that?", path);
}

bool kernel_search_trace(const char *trace, struct kernel *kernel, struct error *error)
{
	struct timeline *timeline = timeline_open(trace, 0, NULL, error);
	bool found = timeline && kernel_search(kernel, timeline, trace, error);
	timeline_close(timeline);
	return found;
}
