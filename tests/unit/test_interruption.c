/* What ends a run before it is done: a wish is kept until it is taken, and files wake. */
#include "replay/run/interruption.h"

#include <criterion/criterion.h>
#include <unistd.h>

static int wishes; /* so many ticks still want the end */

static bool tick(void *context)
{
	(*(int *)context)++;
	return wishes-- > 0;
}

Test(interruption, a_wish_is_kept_until_it_is_taken_and_told_once)
{
	int ticks = 0;
	struct interruption interruption = {.tick = tick, .context = &ticks};
	wishes = 1;
	cr_expect_not(interruption_is_due(&interruption));
	for (int i = 0; i < 3; i++)
		interruption_tick(&interruption);
	cr_expect_eq(ticks, 3);
	cr_expect(interruption_is_due(&interruption));
	cr_expect(interruption_take(&interruption));
	cr_expect_not(interruption_is_due(&interruption));
	cr_expect_not(interruption_take(&interruption));
}

Test(interruption, a_file_that_can_be_read_wakes)
{
	struct pollfd fds[INTERRUPTION_WAKE_MAX];
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	struct interruption interruption = {.wake = {{.fd = ends[0], .events = POLLOUT}}, .wake_count = 1};
	cr_assert_eq(interruption_wake(&interruption, fds), 1);
	cr_expect(fds[0].fd == ends[0] && fds[0].events == POLLIN);
	cr_expect_not(interruption_woken(&interruption));
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_expect(interruption_woken(&interruption));
	interruption.wake_count = 0;
	cr_expect_not(interruption_woken(&interruption));
	close(ends[0]);
	close(ends[1]);
}

Test(interruption, none_never_ends_anything)
{
	struct interruption empty = {.tick = NULL};
	struct pollfd fds[INTERRUPTION_WAKE_MAX];
	struct interruption *const both[] = {NULL, &empty};
	for (int i = 0; i < 2; i++) {
		interruption_tick(both[i]);
		cr_expect_not(interruption_is_due(both[i]));
		cr_expect_not(interruption_take(both[i]));
		cr_expect_eq(interruption_wake(both[i], fds), 0);
		cr_expect_not(interruption_woken(both[i]));
	}
}
