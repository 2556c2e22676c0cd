/* decode_rate TRACE SCRATCH: how many events trace_next reads in a second of CPU time, from a warm file. It is one
 * thread that never waits, so this is its rate on an idle machine, and holds on a busy one too.
 *
 * The events of TRACE (a real recording) are appended to SCRATCH again and again, each time later and a little
 * different, until it has EVENTS_MIN of them; SCRATCH is replaced. Then it is read ROUNDS times, from opening to the
 * last event, with every checksum checked. Prints one line with the median and the spread; exit status 1, with one
 * line, if something fails.
 */
#include "storage/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EVENTS_MIN = 20000000, ROUNDS = 5, BATCH_EVENTS = 4096, PC_STEP = 0x10000 };
#define HASH_STEP UINT64_C(0x9e3779b1)

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* All events of the trace, malloc'd; NULL: error set. */
static struct event *read_all(const char *path, size_t *count, struct error *error)
{
	struct trace_totals totals = {0};
	struct event *events = NULL;
	struct trace_reader *trace = trace_open(path, error);
	if (!trace)
		return NULL;
	struct trace_cursor *cursor = NULL;
	if (trace_get_totals(trace, &totals, error))
		cursor = trace_seek(trace, 0, error);
	events = cursor ? malloc((totals.event_count + 1) * sizeof(*events)) : NULL;
	*count = 0;
	int64_t got = events ? 1 : 0;
	while (got > 0) {
		got = trace_next(cursor, events + *count, totals.event_count - *count, error);
		*count += got > 0 ? (size_t)got : 0;
	}
	trace_cursor_free(cursor);
	trace_close(trace);
	return events;
}

/* The same guest once more behind itself: positions and deadlines move on, its code lies elsewhere and its registers
 * hash to something else, so that a copy teaches the model nothing about the next. */
static void shift(struct event *events, size_t count, uint64_t n, uint64_t ns)
{
	for (size_t i = 0; i < count; i++) {
		events[i].n += n;
		events[i].pc += PC_STEP;
		if (events[i].kind == EVENT_EXIT)
			events[i].value = (uint32_t)(events[i].value * HASH_STEP + i);
		if (events[i].kind == EVENT_IDLE && events[i].address != UINT64_MAX)
			events[i].address += ns;
	}
}

static bool scratch_write(const char *path, struct event *events, size_t count, struct error *error)
{
	struct trace_writer *writer = trace_create(path, error);
	uint64_t span_n = events[count - 1].n + 1, idle_ns = 0;
	for (size_t i = 0; i < count; i++)
		idle_ns += events[i].kind == EVENT_IDLE ? events[i].value : 0;
	bool good = writer != NULL;
	for (size_t written = 0; good && written < EVENTS_MIN; written += count) {
		good = trace_append(writer, events, count, error);
		shift(events, count, span_n, span_n + idle_ns);
	}
	good = good && trace_finish(writer, error);
	trace_writer_free(writer);
	return good;
}

/* Events a second of one reading; 0: error set. */
static double rate(const char *path, uint64_t *count, struct error *error)
{
	static struct event batch[BATCH_EVENTS];
	double start_s = now_s();
	struct trace_reader *trace = trace_open(path, error);
	struct trace_cursor *cursor = trace ? trace_seek(trace, 0, error) : NULL;
	int64_t got = cursor ? 1 : 0;
	*count = 0;
	while (got > 0) {
		got = trace_next(cursor, batch, BATCH_EVENTS, error);
		*count += got > 0 ? (uint64_t)got : 0;
	}
	trace_cursor_free(cursor);
	trace_close(trace);
	return (double)*count / (now_s() - start_s);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	struct error error = {.status = STATUS_OK};
	double rates[ROUNDS] = {0};
	uint64_t count = 0;
	size_t source_count = 0;
	if (argc != 3) {
		fputs("usage: decode_rate TRACE SCRATCH\n", stderr);
		return EXIT_FAILURE;
	}
	struct event *events = read_all(argv[1], &source_count, &error);
	if (events && source_count > 0 && error.status == STATUS_OK)
		scratch_write(argv[2], events, source_count, &error);
	else
		error_set(&error, STATUS_FAILED, "%s: there are no events in it", argv[1]);
	free(events);
	for (int i = 0; i < ROUNDS && error.status == STATUS_OK; i++)
		rates[i] = rate(argv[2], &count, &error);
	if (error.status != STATUS_OK) {
		fprintf(stderr, "decode_rate: %s\n", error.text);
		return EXIT_FAILURE;
	}
	qsort(rates, ROUNDS, sizeof(rates[0]), ascending);
	printf("event decode rate      %.1f M events/s of CPU time (%.1f-%.1f), %" PRIu64 " events, target 20\n",
	       rates[ROUNDS / 2] / 1e6, rates[0] / 1e6, rates[ROUNDS - 1] / 1e6, count);
	return EXIT_SUCCESS;
}
