/* A CHECK that fails on the host: one line, SIGABRT, and a trace with all that the writer was given. Each failure is
 * in a process of its own. */
#include "hv/error/check.h"
#include "recorder/writer.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(check, .timeout = 900);

enum { EVENTS = 1000 };

static char folder[64], path[128], said[2048];

static int64_t now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Runs `fail` in a child, expects it to end by SIGABRT within `seconds`, and keeps what it said on standard error. */
static void expect_abort(void (*fail)(void), int64_t seconds)
{
	int fds[2];
	size_t used = 0;
	int64_t before = now_s();
	cr_assert_eq(pipe(fds), 0);
	pid_t child = fork();
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		fail();
		_exit(0);
	}
	close(fds[1]);
	for (ssize_t got; (got = read(fds[0], said + used, sizeof(said) - 1 - used)) > 0;)
		used += (size_t)got;
	said[used] = 0;
	close(fds[0]);
	int status = 0;
	waitpid(child, &status, 0);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %#x, it said: %s", (unsigned)status,
		  said);
	cr_assert_leq(now_s() - before, seconds);
}

/* ---- the line ---- */

static void fail_at_once(void)
{
	int answer = 41;
	CHECK(answer == 41);
	CHECK(answer == 42);
}

Test(check, a_failure_is_one_line_and_an_abort)
{
	expect_abort(fail_at_once, 60);
	cr_assert(strstr(said, "hvrec: a bug of hvrec, please report it: "), "%s", said);
	cr_assert(strstr(said, "test_check.c"), "%s", said);
	cr_assert(strstr(said, ": answer == 42\n"), "%s", said);
	cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1, "%s", said);
}

static void rescue_says(void *context, char *kept, size_t bytes)
{
	snprintf(kept, bytes, "%s", (const char *)context);
}

static void fail_with_rescues(void)
{
	static struct check_rescue rescues[] = {
		{.run = rescue_says, .context = "C."},
		{.run = rescue_says, .context = "B"},
		{.run = rescue_says, .context = "A"},
	};
	for (int i = 0; i < 3; i++)
		check_rescue_add(&rescues[i]);
	check_rescue_remove(&rescues[1]);
	check_failed("x", "file", 1);
}

Test(check, rescues_run_before_it_the_last_added_first)
{
	expect_abort(fail_with_rescues, 60);
	cr_assert(strstr(said, "file, line 1: x; AC.\n"), "%s", said);
}

static void rescue_fails(void *context, char *kept, size_t bytes)
{
	(void)context, (void)kept, (void)bytes;
	check_failed("the rescue", "file", 2);
}

static void fail_twice(void)
{
	static struct check_rescue rescue = {.run = rescue_fails};
	check_rescue_add(&rescue);
	check_failed("x", "file", 1);
}

Test(check, a_rescue_that_fails_does_not_hang)
{
	expect_abort(fail_twice, 60);
	cr_assert(strstr(said, "the rescue"), "%s", said);
}

/* ---- the recorder's trace ---- */

static void folder_make(void)
{
	strcpy(folder, "/tmp/hvrec-test-check-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.hvrec", folder);
}

/* Expects `count` events, in a trace that is not complete, and removes it. */
static void expect_kept(uint64_t count)
{
	struct error error = {0};
	uint64_t events = 0, last_n = 0;
	char command[128], kept[64];
	snprintf(kept, sizeof(kept), "; the trace is kept up to event %llu\n", (unsigned long long)count);
	cr_assert(strstr(said, kept), "%s", said);
	struct trace_reader *reader = trace_open(path, &error);
	cr_assert(reader, "%s", error.text);
	cr_assert(trace_get_end(reader, &events, &last_n, &error), "%s", error.text);
	cr_assert_eq(events, count);
	cr_assert_not(trace_is_complete(reader));
	trace_close(reader);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

static struct writer *writer_with_events(void)
{
	static struct event events[EVENTS];
	struct error error = {0};
	struct trace_writer *trace = trace_create(path, &error);
	struct writer *writer = trace ? writer_start(trace, (struct writer_keep){0}, &error) : NULL;
	for (uint64_t i = 0; i < EVENTS; i++)
		events[i] = (struct event){.n = i, .kind = EVENT_MMIO_WRITE, .size = 1};
	if (!writer)
		_exit(1);
	writer_give(writer, events, EVENTS);
	return writer;
}

static void fail_beside_the_writer(void)
{
	writer_with_events();
	check_failed("x", "file", 1);
}

Test(check, what_the_writer_was_given_is_kept)
{
	folder_make();
	expect_abort(fail_beside_the_writer, 60);
	expect_kept(EVENTS);
}

/* More than there is room for: the thread that gives it holds the writer's mutex. */
static void fail_with_the_mutex(void)
{
	struct writer *writer = writer_with_events();
	writer_give(writer, NULL, SIZE_MAX);
}

Test(check, a_failure_with_the_writers_mutex_does_not_hang)
{
	folder_make();
	expect_abort(fail_with_the_mutex, 60);
	expect_kept(EVENTS);
}

/* Returns when the trace has all that the writer was given. */
static void commit_await(void)
{
	for (bool all = false; !all;) {
		struct error error = {0};
		uint64_t events = 0, last_n = 0;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		struct trace_reader *reader = trace_open(path, &error);
		all = reader && trace_get_end(reader, &events, &last_n, &error) && events == EVENTS;
		trace_close(reader);
	}
}

/* Pages that are not in the order of RAM, found by the writer thread. */
static void fail_in_the_writer(void)
{
	struct writer *writer = writer_with_events();
	struct capture *capture = calloc(1, sizeof(*capture));
	capture->pages = calloc(2, sizeof(*capture->pages));
	capture->bytes = calloc(2, TRACE_PAGE_BYTES);
	capture->pages[0] = (struct trace_page){7, capture->bytes};
	capture->pages[1] = (struct trace_page){6, capture->bytes + TRACE_PAGE_BYTES};
	capture->page_count = 2;
	commit_await();
	writer_give_keyframe(writer, capture);
	pause();
}

Test(check, a_failure_of_the_writer_keeps_the_last_commit)
{
	folder_make();
	expect_abort(fail_in_the_writer, 60);
	expect_kept(EVENTS);
}

static void *fail_thread(void *context)
{
	(void)context;
	check_failed("x", "file", 1);
}

/* Whoever comes first: the other one must not end the process before the trace is kept. */
static void fail_in_two_threads(void)
{
	pthread_t thread;
	writer_with_events();
	pthread_create(&thread, NULL, fail_thread, NULL);
	check_failed("x", "file", 1);
}

Test(check, two_threads_may_fail_at_once)
{
	folder_make();
	expect_abort(fail_in_two_threads, 60);
	expect_kept(EVENTS);
}
