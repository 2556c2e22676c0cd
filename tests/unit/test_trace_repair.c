/* Repair finds what is sound, wherever it lies, and only that; and tables that lead back into themselves end. */
#include "storage/trace_format.h"
#include "storage/trace_repair.h"
#include "tests/unit/trace_fixture.h"

#include <sqlite3.h>
#include <sys/stat.h>

enum { PAGE = 4096, EVENTS = 100, STEP = 10 };

static char repaired[160];
static struct trace_repair_report report;

static void setup(void)
{
	fixture_setup();
	snprintf(repaired, sizeof(repaired), "%s/repaired", folder);
}

TestSuite(trace_repair, .init = setup, .fini = fixture_teardown);

static void sql(const char *text)
{
	sqlite3 *db = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static uint32_t number_of(const char *text)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
	uint32_t number = (uint32_t)sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return number;
}

/* Repairs, and expects so many events in the new trace, and the named files of every recording. */
static void repairs(uint64_t event_count, bool complete)
{
	struct error error = {0};
	char *text = NULL;
	cr_assert(trace_repair(path, repaired, &report, &error), "%s", error.text);
	cr_assert_eq(report.event_count, event_count);
	cr_assert_eq(report.complete, complete);
	cr_assert_eq(fixture_read(repaired), event_count);
	struct trace_reader *r = trace_open(repaired, &error);
	cr_assert(r, "%s", error.text);
	cr_assert_eq(trace_is_complete(r), complete);
	uint64_t number = 0;
	cr_assert_eq(trace_get_u64(r, TRACE_META_FINAL_N, &number, &error), complete ? TRACE_FOUND : TRACE_ABSENT);
	cr_assert_eq(trace_get_text(r, TRACE_META_REPAIR_REASON, &text, &error), complete ? TRACE_ABSENT : TRACE_FOUND);
	free(text);
	trace_close(r);
}

static void kernel_is_there(void)
{
	struct error error = {0};
	void *data = NULL;
	size_t bytes = 0;
	struct trace_reader *r = trace_open(repaired, &error);
	cr_assert_eq(trace_get_file(r, "kernel", &data, &bytes, &error), TRACE_FOUND, "%s", error.text);
	cr_assert(bytes == 9 && memcmp(data, "some code", 9) == 0);
	free(data);
	trace_close(r);
}

Test(trace_repair, a_whole_trace_stays_whole)
{
	fixture_record(EVENTS, 0);
	repairs(EVENTS, true);
	kernel_is_there();
}

Test(trace_repair, an_unfinished_trace_says_why)
{
	fixture_record(EVENTS, STEP);
	repairs(EVENTS, false);
	cr_assert_eq(report.lost_event_count, 0);
	cr_assert(strstr(report.reason, "not finished"));
}

Test(trace_repair, events_end_before_a_damaged_chunk)
{
	for (uint64_t first = 0; first < EVENTS; first += STEP) {
		char text[128];
		fixture_record(EVENTS, STEP);
		snprintf(text, sizeof(text), "UPDATE chunk SET checksum = checksum + 1 WHERE first_event = %d",
			 (int)first);
		sql(text);
		repairs(first, false);
		cr_assert_eq(report.lost_event_count, EVENTS - first);
	}
}

Test(trace_repair, chunks_that_do_not_fit_are_left_out)
{
	fixture_record(EVENTS, STEP);
	sql("DELETE FROM chunk WHERE first_event = 50");
	repairs(50, false);
	cr_assert_eq(report.lost_event_count, 50);
}

Test(trace_repair, trees_are_not_needed)
{
	size_t bytes = 0;
	fixture_record(EVENTS, 0);
	uint8_t *data = fixture_load(&bytes);
	memset(data, 0, PAGE); /* the header and the list of tables */
	fixture_store(data, bytes);
	repairs(EVENTS, true);
	kernel_is_there();
	free(data);
}

Test(trace_repair, a_lost_file_is_named)
{
	fixture_record(EVENTS, 0);
	sql("UPDATE blob SET data = x'00' WHERE raw_bytes = 9");
	repairs(EVENTS, false);
	cr_assert_eq(report.lost_file_count, 1);
	cr_assert_str_eq(report.lost_files, "kernel");
}

/* A recorder's files as a kill leaves them, under the names copy and copy-wal. */
static void record_and_copy(void)
{
	struct error error = {0};
	char command[512];
	struct trace_writer *w = trace_create(path, &error);
	for (uint64_t i = 0; i < EVENTS; i += STEP)
		cr_assert(w && fixture_commit(w, i, STEP, &error), "%s", error.text);
	snprintf(command, sizeof(command), "cd %s && cp t.hvrec copy && cp t.hvrec-wal copy-wal", folder);
	cr_assert_eq(system(command), 0);
	trace_writer_free(w);
	snprintf(path, sizeof(path), "%s/copy", folder);
}

Test(trace_repair, commits_in_a_wal_count_up_to_its_damage)
{
	struct error error = {0};
	struct stat status;
	char wal[160];
	record_and_copy();
	repairs(EVENTS, false);
	snprintf(wal, sizeof(wal), "%s/copy-wal", folder);
	cr_assert_eq(stat(wal, &status), 0);
	uint64_t last = EVENTS;
	for (long bytes = (long)status.st_size; bytes > 0; bytes -= PAGE) {
		cr_assert_eq(truncate(wal, bytes), 0);
		cr_assert(trace_repair(path, repaired, &report, &error), "%s", error.text);
		cr_assert(report.event_count <= last && report.event_count % STEP == 0);
		last = report.event_count;
	}
	cr_assert_eq(last, 0);
}

Test(trace_repair, what_is_no_trace_gives_nothing)
{
	struct error error = {0};
	uint8_t noise[20000];
	uint64_t state = 1;
	for (size_t i = 0; i < sizeof(noise); i++) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
		noise[i] = (uint8_t)(state >> 56);
	}
	fixture_store(noise, sizeof(noise));
	cr_assert(trace_repair(path, repaired, &report, &error), "%s", error.text);
	cr_assert(report.event_count == 0 && report.file_count == 0 && !report.complete);
	cr_assert_not(trace_repair(folder, repaired, &report, &error));
}

Test(trace_repair, a_trace_that_is_recorded_is_refused)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w);
	cr_assert_not(trace_repair(path, repaired, &report, &error));
	cr_assert(strstr(error.text, "being recorded"), "%s", error.text);
	cr_assert_neq(access(repaired, F_OK), 0);
	trace_writer_free(w);
	error = (struct error){0};
	cr_assert_not(trace_repair(path, path, &report, &error), "repaired onto itself");
}

static void put_u32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Makes every child of an inner page (https://www.sqlite.org/fileformat2.html, 1.6) the page `child`. */
static void children_set(uint8_t *page, uint32_t child)
{
	unsigned count = (unsigned)page[3] << 8 | page[4];
	for (unsigned i = 0; i < count; i++)
		put_u32(page + ((unsigned)page[12 + 2 * i] << 8 | page[13 + 2 * i]), child);
	put_u32(page + 8, child);
}

/* A list of files whose tree has ten levels of inner pages, each with the next one as all of its children: more rows
 * than can ever be read. */
static void endless_files(void)
{
	enum { LEVELS = 10 };
	size_t bytes = 0;
	uint32_t pages[LEVELS + 1];
	fixture_record(EVENTS, 0);
	sql("WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 500) "
	    "INSERT INTO file SELECT printf('%0100d', n), zeroblob(16) FROM i; PRAGMA journal_mode = DELETE");
	pages[0] = number_of("SELECT rootpage FROM sqlite_schema WHERE name = 'file'");
	uint8_t *data = fixture_load(&bytes);
	uint8_t *root = data + (size_t)(pages[0] - 1) * PAGE;
	cr_assert(root[0] == 2 && root[4] > LEVELS, "the root has too few children");
	for (unsigned i = 0; i < LEVELS; i++)
		pages[i + 1] = get_u32(root + ((unsigned)root[12 + 2 * i] << 8 | root[13 + 2 * i]));
	for (unsigned i = LEVELS; i-- > 0;) {
		uint8_t *page = data + (size_t)(pages[i] - 1) * PAGE;
		if (page != root)
			memcpy(page, root, PAGE);
		children_set(page, pages[i + 1]);
	}
	fixture_store(data, bytes);
	free(data);
}

Test(trace_repair, metadata_that_its_checksum_does_not_fit_is_doubtful)
{
	static const char *const changes[] = {"UPDATE meta SET value = 1 WHERE key = 'events'",
					      "INSERT OR REPLACE INTO meta VALUES('bootargs', 'other')",
					      "UPDATE file SET name = name || 'x'"};
	struct error error = {0};
	fixture_record(EVENTS, 0);
	cr_assert(trace_repair_survey(path, &report, &error), "%s", error.text);
	cr_assert(!report.metadata_doubtful);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		fixture_record(EVENTS, 0);
		sql(changes[i]);
		cr_assert(trace_repair_survey(path, &report, &error), "%s", error.text);
		cr_assert(report.metadata_doubtful, "%s", changes[i]);
	}
}

/* Makes the file's header say so. Version 2 has no seal, which is the first to read what is damaged. */
static void version_set(uint8_t version)
{
	enum { HEADER_USER_VERSION = 60 };
	size_t bytes = 0;
	uint8_t *data = fixture_load(&bytes);
	data[HEADER_USER_VERSION + 3] = version;
	fixture_store(data, bytes);
	free(data);
}

static bool name_ignore(const char *name, void *context, struct error *error)
{
	(void)name;
	(void)context;
	(void)error;
	return true;
}

Test(trace_repair, a_table_without_end_is_an_error, .timeout = 900)
{
	struct error error = {0};
	struct trace_totals totals;
	endless_files();
	cr_assert_null(trace_open(path, &error));
	cr_assert(strstr(error.text, "its metadata"), "%s", error.text);
	error = (struct error){0};
	version_set(2);
	struct trace_reader *r = trace_open(path, &error);
	cr_assert(r, "%s", error.text);
	cr_assert_not(trace_each_file(r, name_ignore, NULL, &error));
	cr_assert(strstr(error.text, "list of files"), "%s", error.text);
	error = (struct error){0};
	cr_assert_not(trace_get_totals(r, &totals, &error));
	cr_assert(strstr(error.text, "no end"), "%s", error.text);
	trace_close(r);
	error = (struct error){0};
	cr_assert(trace_repair_survey(path, &report, &error), "%s", error.text);
	cr_assert_eq(report.event_count, EVENTS);
}

static uint8_t *page_of(uint8_t *data, const char *table)
{
	char text[128];
	snprintf(text, sizeof(text), "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table);
	return data + (size_t)(number_of(text) - 1) * PAGE;
}

static bool file_get(const char *name, void *context, struct error *error)
{
	void *data = NULL;
	size_t bytes = 0;
	cr_assert_eq(trace_get_file(context, name, &data, &bytes, error), TRACE_FAILED);
	return true;
}

/* The list's first row is moved to a free place and says that it goes on for 805 million bytes; and no file can be
 * read, so that sqlite has an error while the list is being read. */
Test(trace_repair, a_row_that_claims_to_be_huge_takes_no_memory)
{
	enum { FREE_PLACE = 1000, CELL_BYTES = 23 };
	static const uint8_t length[] = {0x83, 0x80, 0x80, 0x80, 0x00};
	struct error error = {0};
	size_t bytes = 0;
	fixture_record(EVENTS, 0);
	uint8_t *data = fixture_load(&bytes);
	uint8_t *page = page_of(data, "file");
	const uint8_t *cell = page + ((unsigned)page[8] << 8 | page[9]);
	cr_assert_eq(cell[0], CELL_BYTES - 1, "the row is not as expected");
	memcpy(page + FREE_PLACE, length, sizeof(length));
	memcpy(page + FREE_PLACE + sizeof(length), cell + 1, CELL_BYTES - 1);
	page[8] = FREE_PLACE >> 8;
	page[9] = FREE_PLACE & 0xff;
	*page_of(data, "sqlite_autoindex_blob_1") = 0;
	fixture_store(data, bytes);
	free(data);
	sqlite3_memory_highwater(1);
	cr_assert_null(trace_open(path, &error));
	cr_assert_eq(error.status, STATUS_FAILED);
	error = (struct error){0};
	version_set(2);
	struct trace_reader *r = trace_open(path, &error);
	cr_assert(r, "%s", error.text);
	trace_each_file(r, file_get, r, &error);
	trace_close(r);
	cr_assert_lt(sqlite3_memory_highwater(0), 64 << 20);
}
