/* The end after a CHECK that failed.
 *
 * 1. Only the first thread that fails ends the process. Another one that fails meanwhile stands still: it may have
 * failed for what the first one changed, and the first may be waiting for it, but not for ever.
 * 2. The thread that ends the process never gives the mutex back, so no rescue goes away while it runs. */
#include "hv/error/check.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEPT_BYTES = 256, LINE_BYTES = 1024, FIRST_ONE_S_MAX = 30 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of the list */
static struct check_rescue *first;
static bool ending;
static _Thread_local bool ends_here;

void check_rescue_add(struct check_rescue *rescue)
{
	pthread_mutex_lock(&mutex);
	const struct check_rescue *at = first;
	while (at && at != rescue)
		at = at->next;
	if (!at) {
		rescue->next = first;
		first = rescue;
	}
	pthread_mutex_unlock(&mutex);
}

void check_rescue_remove(struct check_rescue *rescue)
{
	pthread_mutex_lock(&mutex);
	struct check_rescue **at = &first;
	while (*at && *at != rescue)
		at = &(*at)->next;
	if (*at)
		*at = rescue->next;
	pthread_mutex_unlock(&mutex);
}

/* Not by stdio: the thread that has its lock may be standing still. */
static void line_print(const char *condition, const char *file, int line, const char *kept)
{
	char text[LINE_BYTES];
	int length = snprintf(text, sizeof(text) - 1, "hvrec: a bug of hvrec, please report it: %s, line %d: %s%s%s",
			      file, line, condition, kept[0] ? "; " : "", kept);
	size_t bytes = length < (int)sizeof(text) - 1 ? (size_t)length : sizeof(text) - 2;
	text[bytes++] = '\n';
	(void)!write(STDERR_FILENO, text, bytes);
}

void check_failed(const char *condition, const char *file, int line)
{
	char kept[KEPT_BYTES] = "";
	if (ends_here) { /* a rescue failed itself */
		line_print(condition, file, line, "");
		abort();
	}
	if (__atomic_exchange_n(&ending, true, __ATOMIC_SEQ_CST)) {
		sleep(FIRST_ONE_S_MAX);
		abort();
	}
	ends_here = true;
	pthread_mutex_lock(&mutex);
	for (struct check_rescue *rescue = first; rescue; rescue = rescue->next) {
		size_t used = 0;
		while (kept[used])
			used++;
		rescue->run(rescue->context, kept + used, sizeof(kept) - used);
	}
	line_print(condition, file, line, kept);
	abort();
}
