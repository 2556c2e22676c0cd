/* hvrec's own bugs on the host: CHECK is always on. It states what must hold whatever the user, a file, a guest or the
 * system does; what these may get wrong is an error that is handled (error.h). hv has a CHECK of its own
 * (hv/arch/panic.h).
 *
 * Where one fails, in any thread, what is worth keeping is brought to safety (the rescues: the recorder's trace is
 * committed), one line is printed, and the process ends by abort(): with SIGABRT, which a shell shows as status 134,
 * and with a core dump where the system keeps them. It ends within seconds, whatever the other threads do. */
#pragma once
#include <stddef.h>

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

_Noreturn void check_failed(const char *condition, const char *file, int line);

/* What is to be done before the process ends. `run` is called in the thread that failed, with all else in whatever
 * state it is in: it must not wait without a bound, and a lock that it wants may be held by its own thread. It may
 * write into `kept`, which is empty, what the user still has. */
struct check_rescue {
	void (*run)(void *context, char *kept, size_t bytes);
	void *context;
	struct check_rescue *next; /* check.c's own */
};

/* The rescue is the caller's, and must stay where it is until it was removed. The last added runs first. */
void check_rescue_add(struct check_rescue *rescue);
/* Waits for the end of the process if a CHECK has failed. */
void check_rescue_remove(struct check_rescue *rescue);
