/* Damaged traces against everything that reads one: `fuzz_trace COUNT SEED [CASE]`, run in the source tree. Meant for
 * ASan and UBSan. Each of COUNT cases is a whole file of one of four kinds, in turns:
 *
 *   bytes      the file, or its -wal, with bytes changed, blocks moved, ends cut off
 *   rows       its rows were changed, and its checksums are right
 *   keyframes  the same, of rows of keyframes and page groups
 *   devices    the same, of rows of what disks and packets held
 *
 * and then a chunk's raw bytes, changed too, at the decoder and the event printer alone.
 *
 * 1. A case depends on SEED and its number only: CASE runs that one alone.
 * 2. A case takes at most SECONDS_MAX, one allocation at most 64 MiB, the process at most 1 GiB; more ends the program,
 *    which then names the case and leaves its file.
 * 3. Which readers see each file, and which every K-th: trace_readers.c, trace_commands.c. */
#include "replay/trace/event_text.h"
#include "storage/chunk.h"
#include "tests/fuzz/random.h"
#include "tests/fuzz/trace_mutate.h"
#include "tests/fuzz/trace_readers.h"
#include "tests/fuzz/trace_shared.h"

#include <errno.h>
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
enum kind { KIND_BYTES, KIND_ROWS, KIND_KEYFRAMES, KIND_DEVICES, KIND_COUNT };

uint64_t random_state;
static uint64_t case_number, fuzz_seed;
static char folder[PATH_BYTES], path[PATH_BYTES + 16], wal_path[PATH_BYTES + 24], shm_path[PATH_BYTES + 24];
static char sound_path[PATH_BYTES + 16], output_path[PATH_BYTES + 16], extract_path[PATH_BYTES + 16];
static int trace_fd; /* of `path`, so that writing a case is two calls */

/* What a case begins with; the golden ones come last. */
struct choice {
	struct seed *at[SEEDS_MAX];
	size_t count, golden_count;
};
static struct choice all, with_keyframes, with_devices;
static uint8_t data[MUTATE_BYTES_MAX];

/* Read by the sanitizers when they start. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=64:allocator_may_return_null=0:hard_rss_limit_mb=1024:quarantine_size_mb=1:"
	       "detect_leaks=1:handle_abort=1:max_malloc_fill_size=0:malloc_context_size=3";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1:abort_on_error=1";
}

static void case_print(void)
{
	dprintf(STDERR_FILENO, "fuzz_trace: failed in case %" PRIu64 " of seed %" PRIu64 "; its file may be in %s\n",
		case_number, fuzz_seed, folder);
}

static void alarm_handle(int number)
{
	(void)number;
	static const char text[] = "fuzz_trace: a case takes too long\n";
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

static void need(bool good, const char *what)
{
	if (good)
		return;
	dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void trace_write(const void *bytes, size_t count)
{
	need(pwrite(trace_fd, bytes, count, 0) == (ssize_t)count && ftruncate(trace_fd, (off_t)count) == 0,
	     "fuzz_trace: cannot write a case");
}

static void file_write(const char *name, const void *bytes, size_t count)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	need(fd >= 0 && write(fd, bytes, count) == (ssize_t)count, "fuzz_trace: cannot write a case");
	close(fd);
}

static void files_read_and_remove(void)
{
	static const struct trace_readers_paths paths = {path, sound_path, output_path, extract_path};
	trace_readers_run(&paths);
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
	trace_write(in_wal ? seed->file : data, in_wal ? seed->file_bytes : bytes);
	if (in_wal)
		file_write(wal_path, data, bytes);
	else if (seed->wal && random_below(4))
		file_write(wal_path, seed->wal, seed->wal_bytes);
	files_read_and_remove();
}

static void case_db(struct seed *seed, trace_mutate_fn *change)
{
	trace_write(data, trace_mutate_db(seed, change, data));
	files_read_and_remove();
}

static void decode_chunk(const struct seed *seed)
{
	static struct event events[CHUNK_EVENTS_MAX];
	if (seed->chunk_count == 0)
		return;
	const struct seed_chunk *chunk = &seed->chunks[random_below(seed->chunk_count)];
	struct error error = {.status = STATUS_OK};
	size_t bytes = (size_t)chunk->row.raw_bytes;
	uint64_t count = chunk->row.event_count;
	memcpy(data, chunk->raw, bytes);
	trace_mutate_bytes(data, &bytes, 32);
	if (random_below(16) == 0)
		count = random_below(CHUNK_EVENTS_MAX + 2);
	uint8_t *raw = malloc(bytes); /* so that ASan knows where it ends */
	if (!raw)
		abort();
	memcpy(raw, data, bytes);
	if (chunk_decode(raw, bytes, &(struct chunk_events){.at = events, .count = (size_t)count}, &error)) {
		char text[EVENT_TEXT_BYTES];
		for (unsigned i = 0; i < EVENT_TEXTS; i++)
			event_text_line(&events[random_below(count)], NULL, text, sizeof(text));
	}
	free(raw);
}

/* The golden ones have many events: one takes as long as a hundred others. */
static struct seed *choose(const struct choice *from)
{
	return from->golden_count == 0 || random_below(32)
		       ? from->at[random_below(from->count - from->golden_count)]
		       : from->at[from->count - 1 - random_below(from->golden_count)];
}

static enum kind case_run(void)
{
	enum kind kind = (enum kind)(case_number % KIND_COUNT);
	random_state = fuzz_seed * UINT64_C(0x2545f4914f6cdd1d) + case_number;
	static const struct choice *const choices[KIND_COUNT] = {&all, &all, &with_keyframes, &with_devices};
	static trace_mutate_fn *const changes[KIND_COUNT] = {NULL, trace_mutate_rows, trace_mutate_keyframes,
							     trace_mutate_devices};
	struct seed *seed = choose(choices[kind]);
	alarm(SECONDS_MAX);
	if (kind == KIND_BYTES)
		case_bytes(seed);
	else
		case_db(seed, changes[kind]);
	decode_chunk(choose(&all));
	return kind;
}

/* Every case is a few file system calls, so the files are best in memory. */
static void folder_make(void)
{
	const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(folder, sizeof(folder), "%s/fuzz_trace.XXXXXX", parent);
	need(mkdtemp(folder) != NULL, "fuzz_trace: cannot make a folder");
	snprintf(path, sizeof(path), "%s/trace", folder);
	snprintf(wal_path, sizeof(wal_path), "%s-wal", path);
	snprintf(shm_path, sizeof(shm_path), "%s-shm", path);
	snprintf(sound_path, sizeof(sound_path), "%s/sound", folder);
	snprintf(output_path, sizeof(output_path), "%s/output", folder);
	snprintf(extract_path, sizeof(extract_path), "%s/extract", folder);
	trace_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	need(trace_fd >= 0, "fuzz_trace: cannot make a file");
}

static void folder_remove(void)
{
	static const char *const names[] = {"kernel", "initrd", "dtb", "console", "cmdline", "ram-40000000"};
	char name[PATH_BYTES + 64];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", extract_path, names[i]);
		unlink(name);
	}
	unlink(path);
	unlink(sound_path);
	unlink(output_path);
	rmdir(extract_path);
	rmdir(folder);
}

static void choice_add(struct choice *choice, struct seed *seed, bool golden)
{
	choice->at[choice->count++] = seed;
	choice->golden_count += golden;
}

static void seeds_make(void)
{
	static struct seed seeds[SEEDS_MAX];
	size_t seed_count, golden_count;
	static const struct seed_recipe sound = {
		.event_count = 90, .commit_step = 30, .keyframe_step = 20, .pages = 7, .finished = true};
	struct error error = {.status = STATUS_OK};
	struct trace_writer *w = trace_seeds_write(sound_path, &sound, &error);
	need(w && trace_finish(w, &error), "fuzz_trace: cannot write a seed");
	trace_writer_free(w);
	trace_shared_keep(sound_path);
	seed_count = trace_seeds_make("tests/golden", folder, seeds, &golden_count);
	for (size_t i = 0; i < seed_count; i++) {
		choice_add(&all, &seeds[i], i >= seed_count - golden_count);
		if (seeds[i].keyframe_count > 0)
			choice_add(&with_keyframes, &seeds[i], i >= seed_count - golden_count);
		if (seeds[i].has_devices)
			choice_add(&with_devices, &seeds[i], i >= seed_count - golden_count);
	}
}

/* What the commands print goes nowhere. The sanitizers write to descriptor 2 itself. */
static FILE *output_silence(void)
{
	FILE *report = fdopen(dup(STDOUT_FILENO), "w");
	need(report && freopen("/dev/null", "w", stdout), "fuzz_trace: cannot open /dev/null");
	stderr = stdout; /* https://www.gnu.org/software/libc/manual/html_node/Standard-Streams.html */
	return report;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 10000;
	uint64_t done[KIND_COUNT] = {0};
	fuzz_seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	trace_shared_configure();
	folder_make();
	seeds_make();
	FILE *report = output_silence();
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
	folder_remove();
	fprintf(report,
		"fuzz_trace: seed %" PRIu64 ": %" PRIu64 " files with changed bytes, %" PRIu64
		" with changed rows, %" PRIu64 " with changed keyframes, %" PRIu64
		" with changed devices, with each a chunk; %.1f s of CPU\n",
		fuzz_seed, done[KIND_BYTES], done[KIND_ROWS], done[KIND_KEYFRAMES], done[KIND_DEVICES], seconds);
	trace_readers_report(report);
	return fclose(report) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
