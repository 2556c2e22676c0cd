/* One queue, one mutex, one thread. A keyframe is written a slice at a time, so that events and commits do not wait for
 * it.
 * 1. The queue holds at most QUEUE_EVENTS, and there is at most one keyframe on its way. What devices' events need is a
 *    list beside it, of at most DATA_BYTES_MAX and what one request adds.
 * 2. Only the writer thread touches the trace. If a CHECK fails elsewhere, that thread still writes what it was given.
 */
#include "recorder/writer.h"
#include "hv/abi/types.h"
#include "hv/error/check.h"
#include "hv/host/session.h"
#include "recorder/keyframe_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUEUE_EVENTS = 1 << 17, BATCH_EVENTS = 1 << 14, RESCUE_S_MAX = 20 };
#define COMMIT_INTERVAL_NS INT64_C(400000000)

#define DATA_BYTES_MAX (UINT64_C(64) << 20)

/* Contents of a disk's blocks, or bytes of an event. */
struct data {
	struct data *next;
	uint64_t blocks; /* 0: bytes of an event */
	uint32_t disk;
	uint64_t block, event;
	size_t count;
	uint8_t bytes[];
};

struct writer {
	struct trace_writer *trace;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool stopping, ended; /* the thread is to end, has ended */
	struct check_rescue rescue;
	struct error error;
	struct keyframe_writer keyframes; /* the thread's own, but for `given` */
	struct capture *given;            /* a keyframe that the thread has not begun; NULL: none */
	bool keyframe_busy;               /* it has one, given or begun */
	uint64_t appended, committed;     /* events */
	struct data *data, **data_end;    /* the list, and where the next one goes */
	uint64_t data_bytes;              /* in it, and being written */
	size_t first, count;              /* of queue, a ring */
	struct event queue[QUEUE_EVENTS];
	struct event batch[BATCH_EVENTS];
};

static size_t batch_take(struct writer *writer)
{
	size_t count = writer->count < BATCH_EVENTS ? writer->count : BATCH_EVENTS;
	for (size_t i = 0; i < count; i++)
		writer->batch[i] = writer->queue[(writer->first + i) % QUEUE_EVENTS];
	writer->first = (writer->first + count) % QUEUE_EVENTS;
	writer->count -= count;
	return count;
}

/* Waits, with the mutex held, for events, the end, or the time of the next commit. */
static void wait_for_work(struct writer *writer, int64_t until_ns)
{
	struct timespec until = {.tv_sec = until_ns / (int64_t)NS_PER_S, .tv_nsec = until_ns % (int64_t)NS_PER_S};
	while (writer->count < BATCH_EVENTS / 2 && writer->data_bytes < DATA_BYTES_MAX / 2 && !writer->stopping &&
	       !writer->given)
		if (pthread_cond_timedwait(&writer->changed, &writer->mutex, &until) != 0)
			return;
}

static void data_put(struct trace_writer *trace, const struct data *data, struct error *error)
{
	if (data->blocks == 0)
		trace_put_payload(trace, data->event, data->bytes, data->count, error);
	else if (data->count == 0)
		trace_put_zeroes(trace, data->disk, data->block, data->blocks, data->event, error);
	for (size_t i = 0; data->blocks != 0 && i < data->count / TRACE_BLOCK_BYTES; i++)
		trace_put_block(trace, data->disk, data->block + i, data->event, data->bytes + i * TRACE_BLOCK_BYTES,
				error);
}

/* Writes and frees the list. Returns its bytes. */
static uint64_t data_write(struct writer *writer, struct data *data, struct error *error)
{
	uint64_t bytes = 0;
	while (data) {
		struct data *next = data->next;
		data_put(writer->trace, data, error);
		bytes += data->count;
		free(data);
		data = next;
	}
	return bytes;
}

static struct data *data_take(struct writer *writer)
{
	struct data *data = writer->data;
	writer->data = NULL;
	writer->data_end = &writer->data;
	return data;
}

/* Writes events, a slice of a keyframe, and commits when it is time. */
static void work(struct writer *writer, size_t count, bool last, int64_t *next_commit, struct error *error)
{
	trace_append(writer->trace, writer->batch, count, error);
	writer->appended += count;
	do
		keyframe_writer_step(&writer->keyframes, writer->trace, writer->appended, error);
	while (last && keyframe_writer_busy(&writer->keyframes, writer->appended) && error->status == STATUS_OK);
	if (last || session_now_ns() >= *next_commit) {
		if (trace_commit(writer->trace, error))
			__atomic_store_n(&writer->committed, writer->appended, __ATOMIC_RELAXED);
		*next_commit = session_now_ns() + COMMIT_INTERVAL_NS;
	}
}

static void *writer_main(void *argument)
{
	struct writer *writer = argument;
	int64_t next_commit = session_now_ns() + COMMIT_INTERVAL_NS;
	bool done = false;
	pthread_mutex_lock(&writer->mutex);
	while (!done) {
		struct error error = {.status = STATUS_OK};
		if (!keyframe_writer_busy(&writer->keyframes, writer->appended))
			wait_for_work(writer, next_commit);
		size_t count = batch_take(writer);
		struct data *data = data_take(writer); /* no later than its events */
		if (writer->given)
			keyframe_writer_begin(&writer->keyframes, writer->given);
		writer->given = NULL;
		done = writer->stopping && writer->count == 0 && !writer->data;
		pthread_mutex_unlock(&writer->mutex);
		uint64_t data_bytes = data_write(writer, data, &error);
		work(writer, count, done, &next_commit, &error);
		pthread_mutex_lock(&writer->mutex);
		writer->data_bytes -= data_bytes;
		writer->keyframe_busy = writer->keyframes.capture != NULL || writer->given;
		if (writer->error.status == STATUS_OK)
			writer->error = error;
	}
	writer->ended = true;
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->mutex);
	return NULL;
}

/* A CHECK failed, in any thread. Where it was this one's own, the trace may be in the middle of a change: what was
 * committed before is what is kept. */
static void writer_rescue(void *context, char *kept, size_t bytes)
{
	struct writer *writer = context;
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RESCUE_S_MAX;
	int busy = pthread_equal(pthread_self(), writer->thread)
			   ? EBUSY
			   : pthread_mutex_clocklock(&writer->mutex, CLOCK_MONOTONIC, &until);
	if (busy == 0 || busy == EDEADLK) { /* EDEADLK: the thread that failed has the mutex already */
		writer->stopping = true;
		pthread_cond_broadcast(&writer->changed);
		while (!writer->ended && pthread_cond_timedwait(&writer->changed, &writer->mutex, &until) == 0)
			;
	}
	snprintf(kept, bytes, "the trace is kept up to event %llu",
		 (unsigned long long)__atomic_load_n(&writer->committed, __ATOMIC_RELAXED));
}

/* A mutex that says so when its own thread wants it once more, and a condition that waits by session_now_ns's clock. */
static void locks_init(struct writer *writer)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t changed;
	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&writer->mutex, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_condattr_init(&changed);
	pthread_condattr_setclock(&changed, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->changed, &changed);
	pthread_condattr_destroy(&changed);
}

struct writer *writer_start(struct trace_writer *trace, struct writer_keep keep, struct error *error)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	if (!writer)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	writer->trace = trace;
	writer->keyframes.keep = keep;
	writer->data_end = &writer->data;
	locks_init(writer);
	int failed = pthread_create(&writer->thread, NULL, writer_main, writer);
	if (failed != 0) {
		free(writer);
		return error_set(error, STATUS_FAILED, "cannot start the writer thread: %s", strerror(failed)), NULL;
	}
	writer->rescue = (struct check_rescue){.run = writer_rescue, .context = writer};
	check_rescue_add(&writer->rescue);
	return writer;
}

size_t writer_room(struct writer *writer)
{
	pthread_mutex_lock(&writer->mutex);
	size_t room = QUEUE_EVENTS - writer->count;
	pthread_mutex_unlock(&writer->mutex);
	return room;
}

void writer_give(struct writer *writer, const struct event *events, size_t count)
{
	pthread_mutex_lock(&writer->mutex);
	CHECK(count <= QUEUE_EVENTS - writer->count);
	for (size_t i = 0; i < count; i++)
		writer->queue[(writer->first + writer->count + i) % QUEUE_EVENTS] = events[i];
	writer->count += count;
	if (writer->count >= BATCH_EVENTS / 2)
		pthread_cond_signal(&writer->changed);
	pthread_mutex_unlock(&writer->mutex);
}

static bool data_give(struct writer *writer, struct data head, const void *bytes, size_t count)
{
	struct data *data = malloc(sizeof(*data) + count);
	if (!data)
		return false;
	*data = head;
	data->count = count;
	if (count > 0)
		memcpy(data->bytes, bytes, count);
	pthread_mutex_lock(&writer->mutex);
	*writer->data_end = data;
	writer->data_end = &data->next;
	writer->data_bytes += count;
	if (writer->data_bytes >= DATA_BYTES_MAX / 2)
		pthread_cond_signal(&writer->changed);
	pthread_mutex_unlock(&writer->mutex);
	return true;
}

bool writer_give_blocks(struct writer *writer, uint32_t disk, uint64_t first, uint64_t count, uint64_t event,
			const uint8_t *bytes)
{
	struct data head = {.blocks = count, .disk = disk, .block = first, .event = event};
	return data_give(writer, head, bytes, bytes ? count * TRACE_BLOCK_BYTES : 0);
}

bool writer_give_payload(struct writer *writer, uint64_t event, const void *data, size_t bytes)
{
	return data_give(writer, (struct data){.event = event}, data, bytes);
}

bool writer_has_room_for_data(struct writer *writer)
{
	pthread_mutex_lock(&writer->mutex);
	bool room = writer->data_bytes < DATA_BYTES_MAX;
	pthread_mutex_unlock(&writer->mutex);
	return room;
}

bool writer_wants_keyframe(struct writer *writer)
{
	pthread_mutex_lock(&writer->mutex);
	bool wants = !writer->keyframe_busy;
	pthread_mutex_unlock(&writer->mutex);
	return wants;
}

void writer_give_keyframe(struct writer *writer, struct capture *capture)
{
	pthread_mutex_lock(&writer->mutex);
	CHECK(!writer->keyframe_busy);
	writer->given = capture;
	writer->keyframe_busy = true;
	pthread_cond_signal(&writer->changed);
	pthread_mutex_unlock(&writer->mutex);
}

bool writer_healthy(struct writer *writer, struct error *error)
{
	pthread_mutex_lock(&writer->mutex);
	struct error seen = writer->error;
	pthread_mutex_unlock(&writer->mutex);
	return seen.status == STATUS_OK || error_set(error, seen.status, "%s", seen.text);
}

bool writer_stop(struct writer *writer, struct error *error)
{
	pthread_mutex_lock(&writer->mutex);
	writer->stopping = true;
	pthread_cond_signal(&writer->changed);
	pthread_mutex_unlock(&writer->mutex);
	pthread_join(writer->thread, NULL);
	check_rescue_remove(&writer->rescue);
	bool healthy = writer_healthy(writer, error);
	pthread_cond_destroy(&writer->changed);
	pthread_mutex_destroy(&writer->mutex);
	keyframe_writer_free(&writer->keyframes);
	free(writer);
	return healthy;
}
