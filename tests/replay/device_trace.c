/* device_trace: writes a trace with disks and payloads, and tells what hvrec's own reader finds in it, for a second
 * reader to compare (test_format.py).
 *
 *   device_trace FILE [FORGET]      FORGET: the trace starts at the keyframe before this event
 *
 * Prints "block EVENT DISK BLOCK COUNT HASH" for what each disk has before some events (HASH: XXH3-64 of the bytes, 0
 * for COUNT blocks of zeroes), and "payload EVENT BYTES HASH". Exit status 1 and one line if it cannot be done. */
#include "storage/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { EVENTS = 12000, DISKS = 2, BLOCKS = 3000, LOOKS = 8, KEYFRAME_STEP = 3000 };

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (random_state >> 33) % below;
}

static void content_fill(uint8_t bytes[TRACE_BLOCK_BYTES], uint64_t content)
{
	for (size_t i = 0; i < TRACE_BLOCK_BYTES; i++)
		bytes[i] = (uint8_t)(content * (1 + i / 256) + i % 32 + (i < 8) * (content >> 8));
}

/* A write of up to 40 blocks, what the image had in one, zeroes, or a payload. */
static bool device_put(struct trace_writer *w, uint64_t event, struct error *error)
{
	uint8_t bytes[TRACE_BLOCK_BYTES];
	uint32_t disk = (uint32_t)(random_below(DISKS) * 5);
	uint64_t block = random_below(BLOCKS), count = random_below(4) ? 1 : 1 + random_below(40),
		 what = random_below(8);
	bool good = true;
	for (uint64_t i = 0; good && what < 5 && i < (what == 0 ? 1 : count); i++) {
		content_fill(bytes, random_below(500));
		good = trace_put_block(w, disk, block + i, what == 0 ? 0 : event, bytes, error);
	}
	if (what == 5)
		return trace_put_zeroes(w, disk, block, count * 100, event, error);
	content_fill(bytes, event);
	return good && (what < 6 || trace_put_payload(w, event, bytes, random_below(sizeof(bytes)), error));
}

static bool event_put(struct trace_writer *w, uint64_t i, struct error *error)
{
	static const uint8_t state[100];
	const struct event event = {.n = 10 + i,
				    .pc = 0x40080000,
				    .address = 0x09000000,
				    .value = i % 7,
				    .kind = EVENT_MMIO_WRITE,
				    .size = 4};
	bool keyframe = i > 0 && i % KEYFRAME_STEP == 0;
	return (!keyframe || trace_put_keyframe(w, event.n - 1, i, state, sizeof(state), error)) &&
	       (i == 0 || i % 4 != 0 || device_put(w, i, error)) && trace_append(w, &event, 1, error) &&
	       (i % 997 != 0 || trace_commit(w, error));
}

static bool record(const char *path, uint64_t forget, struct error *error)
{
	struct trace_writer *w = trace_create(path, error);
	bool good = w != NULL;
	for (uint64_t i = 0; good && i < EVENTS; i++)
		good = event_put(w, i, error);
	if (good && forget > 0)
		good = trace_forget_before(w, 10 + forget - 1, error);
	good = good && trace_finish(w, error);
	trace_writer_free(w);
	return good;
}

struct look {
	uint64_t event;
	uint32_t disk;
};

static bool block_print(uint64_t block, uint64_t count, const uint8_t *bytes, void *context, struct error *error)
{
	const struct look *look = context;
	(void)error;
	printf("block %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", look->event, look->disk, block,
	       count, bytes ? (uint64_t)XXH3_64bits(bytes, TRACE_BLOCK_BYTES) : 0);
	return true;
}

static bool tell(const char *path, struct error *error)
{
	struct trace_reader *r = trace_open(path, error);
	bool good = r != NULL;
	uint64_t first = good ? trace_first_event(r) : 0;
	for (uint64_t i = 0; good && i <= LOOKS * DISKS; i++) {
		struct look look = {first + (EVENTS - first) * (i / DISKS) / LOOKS, (uint32_t)(i % DISKS * 5)};
		good = trace_each_block(r, look.disk, look.event, block_print, &look, error);
	}
	for (uint64_t event = first; good && event < EVENTS; event++) {
		void *data = NULL;
		size_t bytes = 0;
		enum trace_found found = trace_get_payload(r, event, &data, &bytes, error);
		if (found == TRACE_FOUND)
			printf("payload %" PRIu64 " %zu %" PRIu64 "\n", event, bytes,
			       (uint64_t)XXH3_64bits(data, bytes));
		free(data);
		good = found != TRACE_FAILED;
	}
	trace_close(r);
	return good;
}

int main(int argc, char **argv)
{
	struct error error = {.status = STATUS_OK};
	const char *path = argc > 1 ? argv[1] : "";
	if (record(path, argc > 2 ? strtoull(argv[2], NULL, 0) : 0, &error) && tell(path, &error))
		return EXIT_SUCCESS;
	fprintf(stderr, "device_trace: %s\n", error.text);
	return EXIT_FAILURE;
}
