/* The trace file: what was put in comes out, a killed or failed writer leaves what it had committed, and whatever is
 * not a sound trace is refused with a message of its own. */
#include "storage/chunk.h"
#include "storage/trace.h"
#include "storage/trace_format.h"
#include "storage/trace_seal.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static char path[128];

static void setup(void)
{
	strcpy(folder, "/tmp/hvrec-test-trace-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.hvrec", folder);
}

static void teardown(void)
{
	char command[256];
	snprintf(command, sizeof(command), "chmod -R u+w %s; rm -rf %s", folder, folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(trace, .init = setup, .fini = teardown);

/* Event `i` of a recording that every test can check without keeping it. */
static struct event event_at(uint64_t i)
{
	if (i % 97 == 5)
		return (struct event){.n = i * 50, .pc = 0x1000, .address = i * 61, .value = i, .kind = EVENT_IDLE};
	return (struct event){.n = i * 50,
			      .pc = 0xffff800008000000 + i % 7 * 4,
			      .address = 0x09000000,
			      .value = i * i % 251,
			      .kind = i % 3 ? EVENT_MMIO_READ : EVENT_MMIO_WRITE,
			      .size = 4};
}

static void append(struct trace_writer *w, uint64_t first, uint64_t count)
{
	struct error error = {0};
	for (uint64_t i = first; i < first + count; i++) {
		struct event event = event_at(i);
		cr_assert(trace_append(w, &event, 1, &error), "%s", error.text);
	}
}

static struct trace_writer *create(void)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w, "%s", error.text);
	return w;
}

static void finish(struct trace_writer *w)
{
	struct error error = {0};
	cr_assert(trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
}

static void commit(struct trace_writer *w)
{
	struct error error = {0};
	cr_assert(trace_commit(w, &error), "%s", error.text);
}

static void record(uint64_t count)
{
	struct trace_writer *w = create();
	append(w, 0, count);
	finish(w);
}

static struct trace_reader *open_trace(void)
{
	struct error error = {0};
	struct trace_reader *r = trace_open(path, &error);
	cr_assert(r, "%s", error.text);
	return r;
}

/* Reads events [first, count) and compares; the trace must end there. */
static void check_events(uint64_t first, uint64_t count, size_t step)
{
	struct error error = {0};
	struct trace_reader *r = open_trace();
	struct trace_cursor *c = trace_seek(r, first, &error);
	cr_assert(c, "%s", error.text);
	struct event *events = calloc(step, sizeof(*events));
	uint64_t idle_ns = 0;
	for (uint64_t i = 0; i < first; i++)
		idle_ns += event_at(i).kind == EVENT_IDLE ? event_at(i).value : 0;
	uint64_t at = first;
	for (;;) {
		int64_t got = trace_next(c, events, step, &error);
		cr_assert_geq(got, 0, "%s", error.text);
		for (int64_t i = 0; i < got; i++, at++) {
			struct event expected = event_at(at);
			cr_assert_eq(memcmp(&events[i], &expected, sizeof(expected)), 0, "event %zu", (size_t)at);
			idle_ns += expected.kind == EVENT_IDLE ? expected.value : 0;
		}
		cr_assert_eq(trace_cursor_idle_ns(c), idle_ns);
		if (!got)
			break;
	}
	cr_assert_eq(at, count);
	cr_assert_eq(trace_next(c, events, step, &error), 0);
	free(events);
	trace_cursor_free(c);
	trace_close(r);
}

/* Reads all; true if no call failed. */
static bool reads(struct error *error)
{
	struct trace_reader *r = trace_open(path, error);
	struct trace_cursor *c = r ? trace_seek(r, 0, error) : NULL;
	static struct event events[1000];
	int64_t got = c ? 1 : -1;
	while (got > 0)
		got = trace_next(c, events, 1000, error);
	if (c && got < 0)
		cr_assert_eq(trace_next(c, events, 1000, error), -1);
	trace_cursor_free(c);
	trace_close(r);
	cr_assert_eq(got == 0, error->status == STATUS_OK);
	return got == 0;
}

static bool exists(const char *suffix)
{
	char name[160];
	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return access(name, F_OK) == 0;
}

static void write_file(const void *data, size_t bytes)
{
	FILE *f = fopen(path, "wb");
	cr_assert(f);
	cr_assert_eq(fwrite(data, 1, bytes, f), bytes);
	fclose(f);
}

static uint8_t *read_whole_file(size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	cr_assert(f);
	fseek(f, 0, SEEK_END);
	*bytes = (size_t)ftell(f);
	rewind(f);
	uint8_t *data = malloc(*bytes);
	cr_assert_eq(fread(data, 1, *bytes, f), *bytes);
	fclose(f);
	return data;
}

static void unsealed_sql(const char *text)
{
	sqlite3 *db = NULL;
	char *message = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, &message), SQLITE_OK, "%s", message);
	sqlite3_close(db);
}

/* With metadata's checksum made right again, where there still is metadata. */
static void sql(const char *text)
{
	sqlite3 *db = NULL;
	unsealed_sql(text);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	trace_seal_write(db);
	sqlite3_close(db);
}

static void open_fails(const char *expected)
{
	struct error error = {0};
	struct trace_reader *r = trace_open(path, &error);
	cr_assert_null(r);
	cr_assert_eq(error.status, STATUS_FAILED);
	cr_assert(strncmp(error.text, path, strlen(path)) == 0, "no file name: %s", error.text);
	cr_assert(strstr(error.text, expected), "not '%s': %s", expected, error.text);
	cr_assert_null(strchr(error.text, '\n'));
}

static void create_fails(const char *expected)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	cr_assert_null(w);
	cr_assert(strstr(error.text, expected), "not '%s': %s", expected, error.text);
}

static void read_fails(const char *expected)
{
	struct error error = {0};
	cr_assert_not(reads(&error));
	cr_assert(strstr(error.text, expected), "not '%s': %s", expected, error.text);
}

Test(trace, everything_comes_back)
{
	static uint8_t image[300000];
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i * i >> 7);
	struct error error = {0};
	struct trace_writer *w = create();
	cr_assert(trace_put_file(w, "kernel", image, sizeof(image), &error));
	cr_assert(trace_put_file(w, "copy", image, sizeof(image), &error));
	cr_assert(trace_put_file(w, "empty", NULL, 0, &error));
	cr_assert(trace_put_text(w, TRACE_META_BOOTARGS, "console=ttyAMA0 ünï", &error));
	cr_assert(trace_put_u64(w, TRACE_META_FINAL_NS, UINT64_MAX, &error));
	cr_assert(trace_put_meta(w, trace_meta_number_key(TRACE_META_FINAL_N), "many", 0, &error));
	cr_assert(trace_put_meta(w, trace_meta_text_key(TRACE_META_MACHINE), NULL, 7, &error));
	append(w, 0, 1000);
	finish(w);
	cr_assert_not(exists("-wal"));
	cr_assert_not(exists("-shm"));

	struct trace_reader *r = open_trace();
	cr_assert(trace_is_complete(r));
	void *data = NULL;
	size_t bytes = 1;
	char *text = NULL;
	uint64_t value = 0;
	cr_assert_eq(trace_get_file(r, "copy", &data, &bytes, &error), TRACE_FOUND);
	cr_assert_eq(bytes, sizeof(image));
	cr_assert_eq(memcmp(data, image, bytes), 0);
	free(data);
	cr_assert_eq(trace_get_file(r, "empty", &data, &bytes, &error), TRACE_FOUND);
	cr_assert_eq(bytes, 0u);
	free(data);
	cr_assert_eq(trace_get_text(r, TRACE_META_BOOTARGS, &text, &error), TRACE_FOUND);
	cr_assert_str_eq(text, "console=ttyAMA0 ünï");
	free(text);
	cr_assert_eq(trace_get_u64(r, TRACE_META_FINAL_NS, &value, &error), TRACE_FOUND);
	cr_assert_eq(value, UINT64_MAX);
	cr_assert_eq(trace_get_file(r, "none", &data, &bytes, &error), TRACE_ABSENT);
	cr_assert_eq(trace_get_text(r, TRACE_META_KERNEL_NAME, &text, &error), TRACE_ABSENT);
	cr_assert_eq(trace_get_u64(r, TRACE_META_RAM_BYTES, &value, &error), TRACE_ABSENT);
	cr_assert_eq(error.status, STATUS_OK);
	cr_assert_eq(trace_get_u64(r, TRACE_META_FINAL_N, &value, &error), TRACE_FAILED);
	error = (struct error){0};
	cr_assert_eq(trace_get_text(r, TRACE_META_MACHINE, &text, &error), TRACE_FAILED);
	error = (struct error){0};
	struct trace_totals totals;
	cr_assert(trace_get_totals(r, &totals, &error));
	cr_assert_eq(totals.event_count, 1000u);
	cr_assert_eq(totals.last_n, 999u * 50);
	cr_assert_eq(totals.file_count, 3u);
	cr_assert_eq(totals.blob_raw_bytes, sizeof(image), "equal files are stored once");
	trace_close(r);
	check_events(0, 1000, 7);
}

Test(trace, seeks_anywhere)
{
	enum { COUNT = CHUNK_EVENTS_MAX * 2 + 500 };
	record(COUNT);
	static const uint64_t places[] = {0,         1,    CHUNK_EVENTS_MAX - 1, CHUNK_EVENTS_MAX, CHUNK_EVENTS_MAX + 1,
					  COUNT - 1, COUNT};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		check_events(places[i], COUNT, 5000);
	struct error error = {0};
	struct trace_reader *r = open_trace();
	cr_assert_null(trace_seek(r, COUNT + 1, &error));
	cr_assert_null(trace_seek(r, UINT64_MAX, &error));
	trace_close(r);
}

/* Where the first event at or behind `limit` is: by n, or by guest time. */
static uint64_t place_of(uint64_t limit, bool is_time)
{
	uint64_t idle_ns = 0, i = 0;
	while (event_at(i).n + (is_time ? idle_ns : 0) < limit) {
		idle_ns += event_at(i).kind == EVENT_IDLE ? event_at(i).value : 0;
		i++;
	}
	return i;
}

Test(trace, seeks_by_n_and_by_guest_time_in_one_chunk)
{
	enum { COUNT = CHUNK_EVENTS_MAX * 2 + 500 };
	record(COUNT);
	struct trace_reader *r = open_trace();
	for (uint64_t limit = 0; limit < (COUNT - 1) * 50; limit += 49 * 7001) {
		for (int is_time = 0; is_time < 2; is_time++) {
			struct error error = {0};
			uint64_t before = trace_chunks_read(r);
			struct trace_cursor *c =
				is_time ? trace_seek_ns(r, limit, &error) : trace_seek_n(r, limit, &error);
			cr_assert(c, "%s", error.text);
			cr_expect_eq(trace_cursor_event(c), place_of(limit, is_time), "%llu %d",
				     (unsigned long long)limit, is_time);
			cr_expect(trace_chunks_read(r) - before == 1 ||
				  (is_time && trace_cursor_event(c) % CHUNK_EVENTS_MAX == 0));
			trace_cursor_free(c);
		}
	}
	struct error error = {0};
	struct trace_cursor *c = trace_seek_n(r, COUNT * 50, &error);
	cr_assert(c && trace_cursor_event(c) == COUNT);
	trace_cursor_free(c);
	trace_close(r);
}

Test(trace, a_cursor_moves_inside_its_chunk)
{
	enum { COUNT = CHUNK_EVENTS_MAX * 2 + 500 };
	record(COUNT);
	struct trace_reader *r = open_trace();
	struct error error = {0};
	struct event event;
	struct trace_cursor *c = trace_seek(r, CHUNK_EVENTS_MAX + 100, &error);
	static const uint64_t places[] = {CHUNK_EVENTS_MAX + 5000, CHUNK_EVENTS_MAX, CHUNK_EVENTS_MAX * 2 - 1};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct trace_cursor *other = trace_seek(r, places[i], &error);
		cr_assert(trace_cursor_try(c, places[i]));
		cr_expect_eq(trace_cursor_idle_ns(c), trace_cursor_idle_ns(other));
		cr_assert_eq(trace_next(c, &event, 1, &error), 1);
		cr_expect_eq(event.n, event_at(places[i]).n);
		trace_cursor_free(other);
	}
	cr_assert(trace_cursor_try_n(c, event_at(CHUNK_EVENTS_MAX + 77).n - 1));
	cr_expect_eq(trace_cursor_event(c), CHUNK_EVENTS_MAX + 77);
	cr_expect_not(trace_cursor_try(c, CHUNK_EVENTS_MAX - 1));
	cr_expect_not(trace_cursor_try(c, CHUNK_EVENTS_MAX * 2));
	cr_expect_not(trace_cursor_try_n(c, event_at(CHUNK_EVENTS_MAX).n));
	cr_expect_not(trace_cursor_try_n(c, UINT64_MAX));
	cr_expect_eq(trace_cursor_event(c), CHUNK_EVENTS_MAX + 77);
	trace_cursor_free(c);
	trace_close(r);
}

Test(trace, empty_trace_is_complete)
{
	record(0);
	check_events(0, 0, 10);
}

Test(trace, commits_leave_no_mark_in_a_finished_trace)
{
	enum { COUNT = CHUNK_EVENTS_MAX + 4000 };
	struct trace_totals totals[2];
	off_t file_bytes[2];
	struct error error = {0};
	for (int round = 0; round < 2; round++) {
		struct trace_writer *w = create();
		for (uint64_t at = 0; at < COUNT; at += 1000) {
			append(w, at, at + 1000 < COUNT ? 1000 : COUNT - at);
			if (round)
				commit(w);
		}
		finish(w);
		struct trace_reader *r = open_trace();
		cr_assert(trace_get_totals(r, &totals[round], &error));
		trace_close(r);
		struct stat status;
		cr_assert_eq(stat(path, &status), 0);
		file_bytes[round] = status.st_size;
	}
	cr_assert_eq(memcmp(&totals[0], &totals[1], sizeof(totals[0])), 0);
	cr_assert_eq(totals[0].chunk_count, 2u);
	cr_assert_eq(file_bytes[0], file_bytes[1]);
	check_events(0, COUNT, 3000);
}

/* Forks a recorder that commits `committed` events, appends more, and dies. */
static void record_and_die(uint64_t committed, uint64_t more)
{
	pid_t child = fork();
	if (child == 0) {
		struct error error = {0};
		struct trace_writer *w = trace_create(path, &error);
		for (uint64_t i = 0; w && i < committed + more; i++) {
			struct event event = event_at(i);
			trace_append(w, &event, 1, &error);
			if (i + 1 == committed || (i % 5000 == 0 && i < committed))
				trace_commit(w, &error);
		}
		kill(getpid(), SIGKILL);
	}
	int status = 0;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status));
}

Test(trace, killed_writer_leaves_what_it_committed)
{
	record_and_die(CHUNK_EVENTS_MAX + 7777, 3000);
	cr_assert(exists("-wal"));
	check_events(0, CHUNK_EVENTS_MAX + 7777, 999);
	check_events(CHUNK_EVENTS_MAX + 5, CHUNK_EVENTS_MAX + 7777, 999);
	struct trace_reader *r = open_trace();
	cr_assert_not(trace_is_complete(r));
	trace_close(r);
	record(10);
	check_events(0, 10, 100);
}

Test(trace, freed_writer_leaves_one_incomplete_file)
{
	struct trace_writer *w = create();
	append(w, 0, 100);
	commit(w);
	append(w, 100, 100);
	trace_writer_free(w);
	cr_assert_not(exists("-wal"));
	check_events(0, 100, 10);
	struct trace_reader *r = open_trace();
	cr_assert_not(trace_is_complete(r));
	trace_close(r);
	trace_writer_free(NULL);
	trace_close(NULL);
	trace_cursor_free(NULL);
}

Test(trace, can_be_read_while_it_is_recorded)
{
	struct trace_writer *w = create();
	append(w, 0, 5000);
	commit(w);
	pid_t child = fork();
	if (child == 0) {
		struct error error = {0};
		_exit(reads(&error) ? 0 : 1);
	}
	int status = 1;
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
	append(w, 5000, 5000);
	finish(w);
	check_events(0, 10000, 100);
}

Test(trace, replaces_only_traces)
{
	record(10);
	record(20);
	check_events(0, 20, 100);
	write_file("", 0);
	record(5);
	check_events(0, 5, 100);
	write_file("precious", 8);
	create_fails("not a trace");
	size_t bytes = 0;
	uint8_t *data = read_whole_file(&bytes);
	cr_assert_eq(bytes, 8u);
	free(data);
	unlink(path);
	sql("CREATE TABLE precious(x)");
	create_fails("not a trace");
	unlink(path);
	mkdir(path, 0700);
	create_fails("folder");
	rmdir(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	create_fails("not a trace");
	unlink(path);
	snprintf(path, sizeof(path), "%s/none/t", folder);
	create_fails("No such file");
	path[0] = 0;
	create_fails("cannot create");
}

Test(trace, a_truncated_trace_can_be_replaced)
{
	record(50000);
	cr_assert_eq(truncate(path, 5000), 0);
	record(7);
	check_events(0, 7, 100);
}

Test(trace, two_recordings_do_not_share_a_file)
{
	struct trace_writer *w = create();
	create_fails("being recorded");
	append(w, 0, 10);
	finish(w);
	record(3);
	check_events(0, 3, 10);
}

Test(trace, a_link_stays_a_link)
{
	char target[128];
	snprintf(target, sizeof(target), "%s/target", folder);
	cr_assert_eq(symlink(target, path), 0);
	write_file("", 0);
	record(10);
	struct stat status;
	cr_assert_eq(lstat(path, &status), 0);
	cr_assert(S_ISLNK(status.st_mode));
	check_events(0, 10, 10);
}

Test(trace, each_way_of_not_being_a_trace_has_its_message)
{
	open_fails("No such file");
	mkdir(path, 0700);
	open_fails("folder");
	rmdir(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	open_fails("not a regular file");
	unlink(path);
	write_file("", 0);
	open_fails("empty");
	write_file("hello", 5);
	open_fails("not a trace");
	write_file("SQLite format 3", 16);
	open_fails("not a trace");
	unlink(path);
	sql("CREATE TABLE x(y)");
	open_fails("application_id 0x00000000");
	unlink(path);
	record(10);
	sql("PRAGMA user_version = 99");
	open_fails("newer hvrec");
	sql("PRAGMA user_version = 0");
	open_fails("no valid trace format");
	sql("PRAGMA user_version = 3; ALTER TABLE chunk ADD COLUMN extra");
	open_fails("'chunk'");
	record(10);
	sql("ALTER TABLE page_group ADD COLUMN extra");
	open_fails("'page_group'");
	record(10);
	sql("DROP TABLE keyframe");
	open_fails("'keyframe'");
	record(10);
	sql("DROP TABLE meta; CREATE VIEW meta AS SELECT 'complete' AS key, 1 AS value");
	open_fails("'meta'");
	record(10);
	sql("DELETE FROM meta WHERE key = 'events'");
	open_fails("10 of 0 events");
}

Test(trace, changed_metadata_is_refused)
{
	static const char *const changes[] = {"UPDATE meta SET value = 'other' WHERE key = 'bootargs'",
					      "UPDATE meta SET value = '' WHERE key = 'bootargs'",
					      "UPDATE meta SET value = 11 WHERE key = 'events'",
					      "UPDATE meta SET value = '10' WHERE key = 'events'",
					      "UPDATE meta SET key = 'bootarg' WHERE key = 'bootargs'",
					      "DELETE FROM meta WHERE key = 'bootargs'",
					      "DELETE FROM meta WHERE key = 'complete'",
					      "INSERT INTO meta VALUES('more', 1)",
					      "INSERT INTO meta VALUES(x'00', 1)",
					      "DELETE FROM meta WHERE key = 'checksum'",
					      "UPDATE meta SET value = value + 1 WHERE key = 'checksum'",
					      "UPDATE meta SET value = CAST(value AS TEXT) WHERE key = 'checksum'",
					      "UPDATE file SET name = 'initr' WHERE name = 'initrd'",
					      "UPDATE file SET hash = zeroblob(16) WHERE name = 'initrd'",
					      "DELETE FROM file",
					      "INSERT INTO file SELECT 'more', hash FROM file"};
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct error error = {0};
		struct trace_writer *w = trace_create(path, &error);
		cr_assert(w && trace_put_text(w, TRACE_META_BOOTARGS, "quiet", &error));
		cr_assert(trace_put_file(w, "initrd", "contents", 8, &error) && trace_finish(w, &error), "%s",
			  error.text);
		trace_writer_free(w);
		sql("UPDATE meta SET value = value");
		trace_close(trace_open(path, &error));
		cr_assert_eq(error.status, STATUS_OK, "%s", error.text);
		unsealed_sql(changes[i]);
		open_fails("its metadata");
	}
}

Test(trace, truncated_files_are_refused)
{
	record(30000);
	size_t bytes = 0;
	uint8_t *data = read_whole_file(&bytes);
	for (size_t keep = 0; keep < bytes; keep += keep < 300 ? 37 : 1711) {
		write_file(data, keep);
		open_fails(keep == 0 ? "empty" : keep < 100 ? "not a trace" : "truncated");
	}
	free(data);
}

/* Stores the one chunk with other bytes; `checksum`: with a checksum that fits. */
static void chunk_store(const struct trace_chunk *chunk, const uint8_t *data, size_t bytes)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "PRAGMA synchronous = OFF; DELETE FROM chunk", NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, "INSERT INTO chunk VALUES(?, ?, ?, ?, ?, ?, ?, ?)", -1, &s, NULL),
		     SQLITE_OK);
	const uint64_t fields[] = {chunk->first_event,
				   chunk->event_count,
				   chunk->first_n,
				   chunk->last_n,
				   chunk->start_idle_ns,
				   chunk->raw_bytes,
				   trace_chunk_checksum(chunk, data, bytes)};
	for (int i = 0; i < 7; i++)
		sqlite3_bind_int64(s, i + 1, trace_sql_from_u64(fields[i]));
	sqlite3_bind_blob64(s, 8, data, bytes, SQLITE_STATIC);
	cr_assert_eq(sqlite3_step(s), SQLITE_DONE);
	sqlite3_finalize(s);
	sqlite3_close(db);
}

static uint8_t *chunk_load(struct trace_chunk *chunk, size_t *bytes)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, "SELECT * FROM chunk", -1, &s, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
	uint64_t *const fields[] = {&chunk->first_event, &chunk->event_count,   &chunk->first_n,
				    &chunk->last_n,      &chunk->start_idle_ns, &chunk->raw_bytes};
	for (int i = 0; i < 6; i++)
		*fields[i] = (uint64_t)sqlite3_column_int64(s, i);
	*bytes = (size_t)sqlite3_column_bytes(s, 7);
	uint8_t *data = malloc(*bytes + 1);
	memcpy(data, sqlite3_column_blob(s, 7), *bytes);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return data;
}

Test(trace, every_flipped_byte_of_a_chunk_is_found)
{
	record(60);
	size_t bytes = 0;
	size_t chunk_bytes = 0;
	struct trace_chunk chunk;
	uint8_t *stored = chunk_load(&chunk, &chunk_bytes);
	uint8_t *file = read_whole_file(&bytes);
	size_t start = 0;
	while (start + chunk_bytes <= bytes && memcmp(file + start, stored, chunk_bytes) != 0)
		start++;
	cr_assert_leq(start + chunk_bytes, bytes);
	for (size_t at = start; at < start + chunk_bytes; at++) {
		file[at] ^= 0x10;
		write_file(file, bytes);
		read_fails("checksum");
		file[at] ^= 0x10;
	}
	write_file(file, bytes);
	check_events(0, 60, 10);
	free(file);
	free(stored);
}

Test(trace, flipped_bytes_anywhere_never_crash)
{
	record(2000);
	size_t bytes = 0;
	uint8_t *file = read_whole_file(&bytes);
	for (size_t at = 0; at < bytes; at += at < 200 ? 1 : 61) {
		file[at] ^= 0xff;
		write_file(file, bytes);
		struct error error = {0};
		reads(&error);
		file[at] ^= 0xff;
	}
	free(file);
}

Test(trace, damaged_chunks_with_good_checksums_are_found)
{
	record(60);
	size_t bytes = 0;
	struct trace_chunk good;
	uint8_t *data = chunk_load(&good, &bytes);
	struct trace_chunk bad = good;
	bad.event_count = UINT64_MAX;
	chunk_store(&bad, data, bytes);
	open_fails("of 60 events");
	sql("DELETE FROM meta WHERE key = 'complete'");
	struct error error = {0};
	cr_assert_not(reads(&error));
	struct trace_chunk cases[8];
	for (int i = 0; i < 8; i++)
		cases[i] = good;
	cases[0].raw_bytes = UINT64_MAX;
	cases[1].raw_bytes--;
	cases[2].raw_bytes++;
	cases[3].event_count--;
	cases[4].event_count++;
	cases[5].first_n++;
	cases[6].last_n--;
	cases[7].start_idle_ns++;
	for (int i = 0; i < 8; i++) {
		chunk_store(&cases[i], data, bytes);
		read_fails("damaged");
	}
	bad = good;
	bad.first_event = 1;
	chunk_store(&bad, data, bytes);
	read_fails("missing");
	for (size_t at = 0; at < bytes; at++) {
		data[at] ^= 0x04;
		chunk_store(&good, data, bytes);
		error = (struct error){0};
		reads(&error);
		data[at] ^= 0x04;
	}
	chunk_store(&good, data, 0);
	read_fails("damaged");
	chunk_store(&good, data, bytes);
	check_events(0, 60, 10);
	free(data);
}

Test(trace, missing_chunks_and_wrong_sums_are_found)
{
	enum { COUNT = CHUNK_EVENTS_MAX * 2 + 10 };
	record(COUNT);
	sql("DELETE FROM chunk WHERE first_event = 65536");
	read_fails("missing");
	record(COUNT);
	sql("DELETE FROM chunk WHERE first_event > 65536");
	open_fails("131072 of 131082 events");
	record(COUNT);
	sql("UPDATE chunk SET first_event = first_event + 3 WHERE first_event = 65536");
	read_fails("missing");
	record(COUNT);
	sql("UPDATE chunk SET checksum = checksum + 1 WHERE first_event = 65536");
	read_fails("from event 65536 on: a checksum");
	record(COUNT);
	sql("UPDATE chunk SET event_count = 'many'");
	read_fails("damaged");
}

/* Two chunks that are each sound and do not fit together. */
Test(trace, n_must_not_go_back_between_chunks)
{
	struct error error = {0};
	struct trace_writer *w = create();
	append(w, 10, 10);
	commit(w);
	trace_writer_free(w);
	struct trace_chunk chunk;
	size_t bytes = 0;
	uint8_t *data = chunk_load(&chunk, &bytes);
	chunk_store(&chunk, data, bytes);
	cr_assert(reads(&error), "%s", error.text);
	chunk.first_event = 10;
	char text[400];
	snprintf(text, sizeof(text),
		 "INSERT INTO chunk SELECT 10, event_count, first_n, last_n, start_idle_ns, raw_bytes, %lld, data FROM "
		 "chunk",
		 (long long)trace_sql_from_u64(trace_chunk_checksum(&chunk, data, bytes)));
	sql(text);
	read_fails("go back");
	free(data);
}

Test(trace, damaged_files_inside_are_found)
{
	struct error error = {0};
	struct trace_writer *w = create();
	cr_assert(trace_put_file(w, "initrd", "some contents", 13, &error));
	finish(w);
	static const char *const damage[] = {
		"UPDATE blob SET raw_bytes = 12",
		"UPDATE blob SET raw_bytes = -1",
		"UPDATE blob SET raw_bytes = 900000000",
		"UPDATE blob SET data = x'00'",
		"UPDATE blob SET data = 'text', raw_bytes = 13",
		"UPDATE file SET hash = x'00'",
		"DELETE FROM blob",
	};
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		sql(damage[i]);
		struct trace_reader *r = open_trace();
		void *data = NULL;
		size_t bytes = 0;
		error = (struct error){0};
		cr_assert_eq(trace_get_file(r, "initrd", &data, &bytes, &error), TRACE_FAILED, "%s", damage[i]);
		cr_assert(strstr(error.text, "'initrd'"));
		trace_close(r);
	}
}

Test(trace, the_first_failure_stays)
{
	struct trace_writer *w = create();
	append(w, 0, 10);
	commit(w);
	struct event back = event_at(3);
	struct error first = {0};
	cr_assert_not(trace_append(w, &back, 1, &first));
	cr_assert(strstr(first.text, "event 10"));
	struct event next = event_at(11);
	struct error errors[6] = {0};
	cr_assert_not(trace_append(w, &next, 1, &errors[0]));
	cr_assert_not(trace_commit(w, &errors[1]));
	cr_assert_not(trace_put_text(w, TRACE_META_BOOTARGS, "b", &errors[2]));
	cr_assert_not(trace_put_u64(w, TRACE_META_FINAL_N, 1, &errors[3]));
	cr_assert_not(trace_put_file(w, "a", "b", 1, &errors[4]));
	cr_assert_not(trace_finish(w, &errors[5]));
	for (int i = 0; i < 6; i++)
		cr_assert_str_eq(errors[i].text, first.text);
	trace_writer_free(w);
	check_events(0, 10, 10);
}

Test(trace, an_event_with_zero_set_is_refused)
{
	struct error error = {0};
	struct trace_writer *w = create();
	struct event event = {.zero = 1};
	cr_assert_not(trace_append(w, &event, 1, &error));
	trace_writer_free(w);
}

/* Fills the trace until a call fails; what was committed before must be there. */
static void fill_until_failure(struct trace_writer *w, const char *expected)
{
	struct error error = {0};
	static uint8_t noise[4096];
	append(w, 0, 100);
	commit(w);
	uint64_t state = 1;
	char name[32];
	bool good = true;
	for (unsigned i = 0; good && i < 4000; i++) {
		for (size_t j = 0; j < sizeof(noise); j++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
			noise[j] = (uint8_t)(state >> 56);
		}
		snprintf(name, sizeof(name), "f%u", i);
		good = trace_put_file(w, name, noise, sizeof(noise), &error) && trace_commit(w, &error);
	}
	cr_assert_not(good);
	cr_assert(strncmp(error.text, path, strlen(path)) == 0 && strstr(error.text, expected), "%s", error.text);
	struct error again = {0};
	cr_assert_not(trace_finish(w, &again));
	cr_assert_str_eq(again.text, error.text);
	trace_writer_free(w);
	check_events(0, 100, 10);
}

Test(trace, a_write_that_fails_names_the_cause)
{
	signal(SIGXFSZ, SIG_IGN);
	struct trace_writer *w = create();
	struct rlimit limit = {1 << 20, 1 << 20};
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill_until_failure(w, "File too large");
}

static int limit_pages(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
	(void)message;
	(void)api;
	return sqlite3_exec(db, "PRAGMA max_page_count = 40", NULL, NULL, NULL);
}

Test(trace, a_full_disk_is_said)
{
	sqlite3_auto_extension((void (*)(void))limit_pages);
	struct trace_writer *w = create();
	sqlite3_reset_auto_extension();
	fill_until_failure(w, "no space left");
}

/* In a child without root's rights: reads the trace, expects success. */
static void reads_unprivileged(void)
{
	cr_assert_eq(chmod(folder, 0555), 0);
	pid_t child = fork();
	if (child == 0) {
		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(2);
		struct error error = {0};
		if (access(folder, W_OK) == 0)
			_exit(3);
		if (!reads(&error))
			fprintf(stderr, "%s\n", error.text);
		_exit(error.status == STATUS_OK ? 0 : 1);
	}
	int status = 1;
	waitpid(child, &status, 0);
	cr_assert_eq(status, 0);
	cr_assert_eq(chmod(folder, 0755), 0);
}

Test(trace, reads_in_a_read_only_folder)
{
	record(1000);
	cr_assert_eq(chmod(path, 0444), 0);
	reads_unprivileged();
	cr_assert_eq(chmod(path, 0644), 0);
	sql("PRAGMA journal_mode = WAL"); /* as a copy of an incomplete trace would be */
	cr_assert_not(exists("-wal"));
	reads_unprivileged();
	unlink(path);
	record_and_die(1000, 10);
	reads_unprivileged();
}
