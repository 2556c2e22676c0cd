/* The place in a trace where its Linux kernel runs where it then stays. */
#pragma once
#include "replay/guest/kernel.h"
#include "replay/travel/timeline.h"

/* Goes on in the timeline until the kernel runs there, and fills `va` and `relative_base`. False: it never does; error
 * set. Leaves the timeline anywhere. `path` is for messages. */
bool kernel_search(struct kernel *kernel, struct timeline *timeline, const char *path, struct error *error);
/* The same, in a replay of its own. */
bool kernel_search_trace(const char *trace, struct kernel *kernel, struct error *error);
