/* Damaged traces against everything that reads one: `fuzz_trace COUNT SEED [CASE]`, run in the source tree. Meant for
 * ASan and UBSan. COUNT cases come in turns from three stages:
 *
 *   bytes   a whole file, or its -wal, with bytes changed, blocks moved, ends cut off     2 of 10
 *   rows    a whole file whose rows were changed and whose checksums are right            2 of 10
 *   chunk   a chunk's raw bytes, at the decoder and the event printer alone               6 of 10
 *
 * 1. A case depends on SEED and its number only: CASE runs that one alone.
 * 2. A case takes at most SECONDS_MAX, one allocation at most 64 MiB, the process at most 1 GiB; more ends the program,
 *    which then names the case and leaves its file. */
#include "replay/event_text.h"
#include "storage/chunk.h"
#include "tests/fuzz/random.h"
#include "tests/fuzz/trace_mutate.h"
#include "tests/fuzz/trace_readers.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_MAX = 20, PATH_BYTES = 128, EVENT_TEXTS = 8 };
enum stage { STAGE_BYTES, STAGE_ROWS, STAGE_CHUNK, STAGE_COUNT };

uint64_t random_state;
static uint64_t case_number, fuzz_seed;
static char folder[PATH_BYTES], path[PATH_BYTES + 8], wal_path[PATH_BYTES + 16], shm_path[PATH_BYTES + 16];
static struct seed seeds[SEEDS_MAX];
static size_t seed_count;
static uint8_t data[MUTATE_BYTES_MAX];

/* Read by the sanitizers when they start. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=64:allocator_may_return_null=0:hard_rss_limit_mb=1024:quarantine_size_mb=4:"
	       "detect_leaks=1:handle_abort=1:max_malloc_fill_size=0:malloc_context_size=4";
}

static void case_print(void)
{
	fprintf(stderr, "fuzz_trace: failed in case %" PRIu64 " of seed %" PRIu64 "; its file may be in %s\n",
		case_number, fuzz_seed, folder);
}

static void alarm_handle(int number)
{
	(void)number;
	static const char text[] = "fuzz_trace: a case takes too long\n";
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

static void file_write(const char *name, const void *bytes, size_t count)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, count) != (ssize_t)count) {
		perror("fuzz_trace: cannot write a case");
		exit(EXIT_FAILURE);
	}
	close(fd);
}

static void files_read_and_remove(void)
{
	trace_readers_run(path);
	unlink(wal_path);
	unlink(shm_path);
}

static void case_bytes(const struct seed *seed)
{
	enum { PAGE_BYTES = 4096, WAL_FRAME_BYTES = PAGE_BYTES + 24 };
	bool in_wal = seed->wal && random_below(2);
	size_t bytes = in_wal ? seed->wal_bytes : seed->file_bytes;
	memcpy(data, in_wal ? seed->wal : seed->file, bytes);
	trace_mutate_bytes(data, &bytes, in_wal ? WAL_FRAME_BYTES : PAGE_BYTES);
	if (in_wal && random_below(4))
		trace_mutate_wal_seal(data, bytes, PAGE_BYTES);
	file_write(in_wal ? wal_path : path, data, bytes);
	if (in_wal)
		file_write(path, seed->file, seed->file_bytes);
	else if (seed->wal && random_below(4))
		file_write(wal_path, seed->wal, seed->wal_bytes);
	files_read_and_remove();
}

static void case_rows(struct seed *seed)
{
	size_t bytes = trace_mutate_rows(seed, data);
	file_write(path, data, bytes);
	files_read_and_remove();
}

static void case_chunk(const struct seed *seed)
{
	static struct event events[CHUNK_EVENTS_MAX];
	if (seed->chunk_count == 0)
		return;
	const struct seed_chunk *chunk = &seed->chunks[random_below(seed->chunk_count)];
	struct error error = {.status = STATUS_OK};
	size_t bytes = (size_t)chunk->row.raw_bytes;
	uint64_t count = chunk->row.event_count, start_idle_ns = 0;
	memcpy(data, chunk->raw, bytes);
	trace_mutate_bytes(data, &bytes, 32);
	if (random_below(16) == 0)
		count = random_below(CHUNK_EVENTS_MAX + 2);
	uint8_t *raw = malloc(bytes); /* so that ASan knows where it ends */
	if (!raw)
		abort();
	memcpy(raw, data, bytes);
	if (chunk_decode(raw, bytes, events, (size_t)count, &start_idle_ns, &error)) {
		char text[EVENT_TEXT_BYTES];
		for (unsigned i = 0; i < EVENT_TEXTS; i++)
			event_text_line(&events[random_below(count)], text, sizeof(text));
	}
	free(raw);
}

static enum stage case_run(void)
{
	static const enum stage turns[] = {STAGE_CHUNK, STAGE_BYTES, STAGE_CHUNK, STAGE_ROWS, STAGE_CHUNK,
					   STAGE_CHUNK, STAGE_BYTES, STAGE_CHUNK, STAGE_ROWS, STAGE_CHUNK};
	enum stage stage = turns[case_number % (sizeof(turns) / sizeof(turns[0]))];
	random_state = fuzz_seed * UINT64_C(0x2545f4914f6cdd1d) + case_number;
	struct seed *seed = &seeds[random_below(seed_count)];
	alarm(SECONDS_MAX);
	if (stage == STAGE_BYTES)
		case_bytes(seed);
	else if (stage == STAGE_ROWS)
		case_rows(seed);
	else
		case_chunk(seed);
	return stage;
}

/* Every case is a few file system calls, so the files are best in memory. */
static void folder_make(void)
{
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(folder, sizeof(folder), "%s/fuzz_trace.XXXXXX", parent);
	if (!mkdtemp(folder)) {
		perror("fuzz_trace: cannot make a folder");
		exit(EXIT_FAILURE);
	}
	snprintf(path, sizeof(path), "%s/trace", folder);
	snprintf(wal_path, sizeof(wal_path), "%s-wal", path);
	snprintf(shm_path, sizeof(shm_path), "%s-shm", path);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 10000;
	uint64_t done[STAGE_COUNT] = {0};
	fuzz_seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	FILE *report = fdopen(dup(STDOUT_FILENO), "w");
	if (!report || !freopen("/dev/null", "w", stdout)) /* what hvrec info prints */
		return EXIT_FAILURE;
	/* neither threads nor statistics are tested, and both take time */
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	folder_make();
	seed_count = trace_seeds_make("tests/golden", folder, seeds);
	__sanitizer_set_death_callback(case_print);
	signal(SIGALRM, alarm_handle);
	const clock_t start = clock();
	if (argc > 3) {
		case_number = strtoull(argv[3], NULL, 0);
		done[case_run()]++;
	} else {
		for (case_number = 0; case_number < count; case_number++)
			done[case_run()]++;
	}
	const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
	unlink(path);
	rmdir(folder);
	fprintf(report,
		"fuzz_trace: seed %" PRIu64 ": %" PRIu64 " files with changed bytes, %" PRIu64
		" with changed rows, %" PRIu64 " chunks; %.1f s of CPU\n",
		fuzz_seed, done[STAGE_BYTES], done[STAGE_ROWS], done[STAGE_CHUNK], seconds);
	return fclose(report) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
