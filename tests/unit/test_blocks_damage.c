/* What disks and packets held, when the file is damaged: each wrong column is an error that says so; a repair keeps
 * what is whole, says what is not, and a killed recorder leaves the blocks of all its events. */
#include "storage/trace_format.h"
#include "storage/trace_payload.h"
#include "storage/trace_repair.h"
#include "storage/trace_runs.h"
#include "storage/trace_seal.h"
#include "tests/unit/trace_fixture.h"

#include <signal.h>
#include <sys/wait.h>

enum { EVENTS = 9000, BLOCKS = 7000, CONTENTS = 300, PAYLOAD_BYTES = 300, PAYLOAD_EVERY = 3 };

static char repaired[160], good[160];
static struct trace_repair_report report;

static void setup(void)
{
	fixture_setup();
	snprintf(repaired, sizeof(repaired), "%s/repaired", folder);
	snprintf(good, sizeof(good), "%s/good", folder);
}

TestSuite(blocks_damage, .timeout = 300, .init = setup, .fini = fixture_teardown);

/* Event `event` writes this block, with the content (event - 1) % CONTENTS. Neighbours never follow each other. */
static uint64_t block_of(uint64_t event)
{
	return event * 4001 % BLOCKS;
}

static void content_fill(uint64_t content, uint8_t bytes[TRACE_BLOCK_BYTES])
{
	for (size_t i = 0; i < TRACE_BLOCK_BYTES; i++)
		bytes[i] = (uint8_t)(i / 16 + content * 3);
	memcpy(bytes, &content, sizeof(content));
	bytes[TRACE_BLOCK_BYTES - 1] = 1;
}

static bool event_put(struct trace_writer *w, uint64_t i, struct error *error)
{
	uint8_t bytes[TRACE_BLOCK_BYTES];
	struct event event = fixture_event(i);
	content_fill((i + CONTENTS - 1) % CONTENTS, bytes);
	return (i == 0 || trace_put_block(w, 3, block_of(i), i, bytes, error)) &&
	       (i % PAYLOAD_EVERY != 0 || trace_put_payload(w, i, bytes, PAYLOAD_BYTES, error)) &&
	       trace_append(w, &event, 1, error);
}

static void record(void)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	cr_assert(w, "%s", error.text);
	for (uint64_t i = 0; i < EVENTS; i++)
		cr_assert(event_put(w, i, &error), "%s", error.text);
	cr_assert(trace_finish(w, &error), "%s", error.text);
	trace_writer_free(w);
}

static bool block_seen(uint64_t block, uint64_t count, const uint8_t *bytes, void *context, struct error *error)
{
	(void)block, (void)bytes, (void)error;
	*(uint64_t *)context += count;
	return true;
}

/* Reads every block, and some payloads of each row. */
static struct error read_all(const char *trace)
{
	struct error error = {0};
	struct trace_totals totals;
	uint64_t count = 0;
	struct trace_reader *r = trace_open(trace, &error);
	bool whole = r && trace_get_totals(r, &totals, &error) &&
		     trace_each_block(r, 3, UINT64_MAX, block_seen, &count, &error);
	for (uint64_t i = 0; whole && i < EVENTS; i += 20) {
		void *data = NULL;
		size_t bytes;
		whole = trace_get_payload(r, i, &data, &bytes, &error) != TRACE_FAILED;
		free(data);
	}
	trace_close(r);
	cr_assert_eq(whole, error.status == STATUS_OK);
	return error;
}

/* SQL functions: the checksum that a row should have, of its numbers and data; data with other raw bytes. */
static void row_sum(sqlite3_context *context, int count, sqlite3_value **values)
{
	uint64_t fields[8];
	for (int i = 0; i < count - 1; i++)
		fields[i] = (uint64_t)sqlite3_value_int64(values[i]);
	sqlite3_value *last = values[count - 1];
	struct trace_bytes data = {sqlite3_value_blob(last), (size_t)sqlite3_value_bytes(last)};
	sqlite3_result_int64(context, trace_sql_from_u64(trace_row_checksum(fields, (size_t)count - 1, data)));
}

static void packed(sqlite3_context *context, int count, sqlite3_value **values)
{
	size_t bytes = 0;
	(void)count;
	uint8_t *stored = trace_zstd_compress(sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0]),
					      TRACE_LEVEL_DEVICES, &bytes);
	sqlite3_result_blob(context, stored, (int)bytes, SQLITE_TRANSIENT);
	free(stored);
}

static void damage(const char *sql, bool checksums)
{
	sqlite3 *db = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_create_function(db, "row_sum", -1, SQLITE_UTF8, NULL, row_sum, NULL, NULL);
	sqlite3_create_function(db, "packed", 1, SQLITE_UTF8, NULL, packed, NULL, NULL);
	/* a deleted row would be found again */
	cr_assert_eq(sqlite3_exec(db, "PRAGMA secure_delete = ON", NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
	cr_assert(strstr(sql, "DROP") || sqlite3_changes(db) > 0, "%s: changed nothing", sql);
	if (checksums)
		cr_assert_eq(sqlite3_exec(db,
					  "UPDATE block_group SET checksum = row_sum(id, content_count, data); "
					  "UPDATE block_version SET checksum = row_sum(first_version, version_count, "
					  "raw_bytes, data); "
					  "UPDATE payload_group SET checksum = row_sum(first_event, last_event, "
					  "payload_count, raw_bytes, data)",
					  NULL, NULL, NULL),
			     SQLITE_OK);
	cr_assert_eq(trace_seal_write(db), SQLITE_OK);
	sqlite3_close(db);
}

struct wrong {
	const char *sql, *expected;
};

static void expect_damage(const struct wrong *wrongs, size_t count, bool checksums)
{
	char command[400];
	record();
	snprintf(command, sizeof(command), "cp %s %s", path, good);
	cr_assert_eq(system(command), 0);
	snprintf(command, sizeof(command), "cp %s %s", good, path);
	damage("UPDATE block_group SET id = id", true);
	cr_assert_eq(read_all(path).status, STATUS_OK, "%s", read_all(path).text);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(system(command), 0);
		damage(wrongs[i].sql, checksums);
		struct error error = read_all(path);
		cr_expect_eq(error.status, STATUS_FAILED, "not found: %s", wrongs[i].sql);
		cr_expect(strstr(error.text, wrongs[i].expected), "%s: %s", wrongs[i].sql, error.text);
		cr_expect(strstr(error.text, path) && !strchr(error.text, '\n'), "%s", error.text);
	}
}

#define VERSIONS " WHERE first_version = (SELECT first_version FROM block_version ORDER BY 1 LIMIT 1 OFFSET 1)"
#define PAYLOADS " WHERE first_event = (SELECT first_event FROM payload_group ORDER BY 1 LIMIT 1 OFFSET 1)"

Test(blocks_damage, each_changed_field_is_found)
{
	static const struct wrong wrongs[] = {
		{"UPDATE block_group SET id = 9 WHERE id = 2", "is missing"},
		{"DELETE FROM block_group WHERE id = 2", "is missing"},
		{"UPDATE block_group SET content_count = content_count - 1 WHERE id = 2", "checksum"},
		{"UPDATE block_group SET checksum = checksum + 1 WHERE id = 2", "checksum"},
		{"UPDATE block_group SET checksum = 'x' WHERE id = 2", "row is none"},
		{"UPDATE block_group SET data = zeroblob(length(data)) WHERE id = 2", "checksum"},
		{"UPDATE block_group SET data = 'text' WHERE id = 2", "row is none"},
		{"UPDATE block_version SET first_version = first_version + 1" VERSIONS, "checksum"},
		{"UPDATE block_version SET version_count = version_count + 1" VERSIONS, "checksum"},
		{"UPDATE block_version SET raw_bytes = raw_bytes + 1" VERSIONS, "checksum"},
		{"UPDATE block_version SET checksum = checksum + 1" VERSIONS, "checksum"},
		{"UPDATE block_version SET data = zeroblob(length(data))" VERSIONS, "checksum"},
		{"UPDATE block_version SET data = 5" VERSIONS, "no data"},
		{"UPDATE block_version SET raw_bytes = 'x'" VERSIONS, "no numbers"},
		{"DELETE FROM block_version" VERSIONS, "versions are missing"},
		{"DELETE FROM block_version WHERE first_version = 0", "versions are missing"},
		{"DELETE FROM block_version WHERE first_version = (SELECT max(first_version) FROM block_version)",
		 "versions are missing"},
		{"DELETE FROM block_version", "versions are missing"},
		{"UPDATE meta SET value = value - 1 WHERE key = 'block_versions'", "versions are missing"},
		{"UPDATE meta SET value = 'x' WHERE key = 'block_versions'", "not a number"},
		{"UPDATE payload_group SET last_event = last_event + 1" PAYLOADS, "checksum"},
		{"UPDATE payload_group SET first_event = first_event - 1" PAYLOADS, "checksum"},
		{"UPDATE payload_group SET payload_count = payload_count + 1" PAYLOADS, "checksum"},
		{"UPDATE payload_group SET raw_bytes = raw_bytes + 1" PAYLOADS, "checksum"},
		{"UPDATE payload_group SET checksum = checksum + 1" PAYLOADS, "checksum"},
		{"UPDATE payload_group SET data = zeroblob(length(data))" PAYLOADS, "checksum"},
		{"UPDATE payload_group SET data = 'x'" PAYLOADS, "row is none"},
		{"DROP TABLE payload_group", "some of the tables"},
		{"DROP TABLE block_version", "some of the tables"},
		{"DROP TABLE block_group; CREATE TABLE block_group(id, content_count, checksum, data)",
		 "is not as trace"},
	};
	expect_damage(wrongs, sizeof(wrongs) / sizeof(wrongs[0]), false);
}

/* A row of versions with these raw bytes, in place of the second one. */
#define RUNS(count, hex)                                                                                               \
	"UPDATE block_version SET version_count = " #count ", raw_bytes = length(x'" hex "'), data = packed(x'" hex    \
	"')" VERSIONS

Test(blocks_damage, impossible_contents_with_right_checksums_are_found)
{
	static const struct wrong wrongs[] = {
		{"UPDATE block_group SET content_count = 0 WHERE id = 2", "row is none"},
		{"UPDATE block_group SET content_count = 65 WHERE id = 2", "row is none"},
		{"UPDATE block_group SET content_count = 63 WHERE id = 2", "cannot be decompressed"},
		{"UPDATE block_group SET data = x'' WHERE id = 2", "checksum"},
		{"UPDATE block_group SET data = x'00' WHERE id = 2", "cannot be decompressed"},
		{"UPDATE block_group SET content_count = 1, data = packed(zeroblob(4096)) WHERE id = 2",
		 "contents are"},
		{"UPDATE block_version SET first_version = first_version + 1" VERSIONS, "versions are missing"},
		{"UPDATE block_version SET first_version = -5" VERSIONS, "is none"},
		{"UPDATE block_version SET version_count = 0" VERSIONS, "is none"},
		{"UPDATE block_version SET version_count = 9223372036854775807" VERSIONS, "overflow"},
		{"UPDATE block_version SET version_count = version_count - 1" VERSIONS, "is none"},
		{"UPDATE block_version SET raw_bytes = raw_bytes + 1" VERSIONS, "cannot be decompressed"},
		{"UPDATE block_version SET raw_bytes = -1" VERSIONS, "cannot be decompressed"},
		{"UPDATE block_version SET data = x'00'" VERSIONS, "cannot be decompressed"},
		{RUNS(1, "00"), "is none"},                           /* no run */
		{RUNS(1, "0000000100ff"), "is none"},                 /* bytes left */
		{RUNS(1, "0001800200010100"), "is none"},             /* disk 256 */
		{RUNS(1, "0000000101"), "is none"},                   /* one too many */
		{RUNS(1, "0006010100"), "is none"},                   /* before block 0 */
		{RUNS(1, "00808080808080808040000100"), "is none"},   /* beyond the last block */
		{RUNS(1, "0000000300"), "is none"},                   /* older content than the first */
		{RUNS(2, "0500000301"), "is none"},                   /* runs into what is new */
		{RUNS(1, "00000001ffffffffffffffffff01"), "is none"}, /* 2^64 blocks */
		{RUNS(1, "ffffffffffffffffff01000000"), "is none"},   /* next_content */
		{RUNS(1, "0000808080808080808080010100"), "is none"}, /* an event of 2^63 */
		{RUNS(1, "0000000200"), "versions are missing"},      /* right, but fewer than there were */
		{"UPDATE payload_group SET first_event = -1 WHERE first_event = 0", "row is none"},
		{"UPDATE payload_group SET last_event = first_event - 1" PAYLOADS, "row is none"},
		{"UPDATE payload_group SET last_event = last_event + 1" PAYLOADS, "row is none"},
		{"UPDATE payload_group SET payload_count = 0" PAYLOADS, "row is none"},
		{"UPDATE payload_group SET payload_count = 4097" PAYLOADS, "row is none"},
		{"UPDATE payload_group SET payload_count = payload_count - 1" PAYLOADS, "row is none"},
		{"UPDATE payload_group SET raw_bytes = raw_bytes - 1" PAYLOADS, "cannot be decompressed"},
		{"UPDATE payload_group SET raw_bytes = 1 << 40" PAYLOADS, "cannot be decompressed"},
		{"UPDATE payload_group SET last_event = first_event, payload_count = 1, raw_bytes = 3, data = "
		 "packed(x'000500')" PAYLOADS,
		 "row is none"}, /* 5 bytes, and one is there */
		{"UPDATE payload_group SET last_event = first_event, payload_count = 1, raw_bytes = 3, data = "
		 "packed(x'010100')" PAYLOADS,
		 "row is none"}, /* the first is another one */
		{"UPDATE payload_group SET last_event = first_event, payload_count = 2, raw_bytes = 4, data = "
		 "packed(x'00000000')" PAYLOADS,
		 "row is none"}, /* the same event twice */
	};
	expect_damage(wrongs, sizeof(wrongs) / sizeof(wrongs[0]), true);
}

/* ---- repair ---- */

/* The trace has this many events; blocks and payloads before each are those of the recording, but for the contents of
 * a block group and a stretch of payloads. */
struct lost {
	uint64_t group, first_payload, last_payload;
};

static void expect_blocks(struct trace_reader *r, uint64_t before_event, const struct lost *lost)
{
	struct error error = {0};
	uint8_t bytes[TRACE_BLOCK_BYTES], expected[TRACE_BLOCK_BYTES];
	for (uint64_t i = 1; i < before_event + 3; i++) {
		uint64_t written = i < before_event && i + BLOCKS >= before_event ? i : 0;
		if (i < before_event && !written)
			continue; /* again later */
		uint64_t content = (i + CONTENTS - 1) % CONTENTS;
		enum trace_found found = trace_get_block(r, 3, block_of(i), before_event, bytes, &error);
		if (!written && i >= BLOCKS)
			continue;
		if (written && lost && content / TRACE_CONTENTS_MAX == lost->group) {
			cr_assert_eq(found, TRACE_FAILED);
			cr_assert(strstr(error.text, "was lost before the trace was repaired"), "%s", error.text);
			error = (struct error){0};
			continue;
		}
		cr_assert_eq(found, written ? TRACE_FOUND : TRACE_ABSENT, "event %zu before %zu: %s", (size_t)i,
			     (size_t)before_event, error.text);
		content_fill(content, expected);
		cr_assert(!written || memcmp(bytes, expected, sizeof(bytes)) == 0, "event %zu", (size_t)i);
	}
}

static void expect_trace(const char *trace, uint64_t event_count, const struct lost *lost)
{
	struct error error = {0};
	uint8_t expected[TRACE_BLOCK_BYTES];
	cr_assert_eq(fixture_read(trace), event_count);
	struct trace_reader *r = trace_open(trace, &error);
	cr_assert(r, "%s", error.text);
	expect_blocks(r, event_count, lost);
	expect_blocks(r, event_count / 2, lost);
	for (uint64_t i = 0; i < event_count; i++) {
		void *data = NULL;
		size_t bytes = 0;
		bool there = i % PAYLOAD_EVERY == 0 && !(lost && i >= lost->first_payload && i <= lost->last_payload);
		cr_assert_eq(trace_get_payload(r, i, &data, &bytes, &error), there ? TRACE_FOUND : TRACE_ABSENT,
			     "event %zu: %s", (size_t)i, error.text);
		content_fill((i + CONTENTS - 1) % CONTENTS, expected);
		cr_assert(!there || (bytes == PAYLOAD_BYTES && memcmp(data, expected, bytes) == 0));
		free(data);
	}
	trace_close(r);
}

static void repair(void)
{
	struct error error = {0};
	struct trace_repair_report survey;
	cr_assert(trace_repair(path, repaired, &report, &error), "%s", error.text);
	cr_assert(trace_repair_survey(path, &survey, &error), "%s", error.text);
	cr_assert_eq(survey.event_count, report.event_count);
	cr_assert_eq(survey.lost_block_count, report.lost_block_count);
	cr_assert_eq(survey.lost_payload_count, report.lost_payload_count);
	cr_assert_eq(survey.complete, report.complete);
}

static uint64_t number_of(const char *query)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *row = NULL;
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, query, -1, &row, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(row), SQLITE_ROW);
	uint64_t number = (uint64_t)sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	sqlite3_close(db);
	return number;
}

Test(blocks_damage, a_whole_trace_is_repaired_whole)
{
	record();
	repair();
	cr_assert(report.complete && report.lost_block_count == 0 && report.lost_payload_count == 0);
	expect_trace(repaired, EVENTS, NULL);
}

Test(blocks_damage, a_lost_block_group_loses_its_blocks_alone)
{
	record();
	damage("DELETE FROM block_group WHERE id = 2", false);
	repair();
	cr_assert_not(report.complete);
	cr_assert(strstr(report.reason, "contents of disks"), "%s", report.reason);
	cr_assert_eq(report.lost_block_count, 30 * 64);
	expect_trace(repaired, EVENTS, &(struct lost){2, 1, 0});
	cr_assert_eq(rename(repaired, path), 0);
	repair();
	cr_assert_eq(report.lost_block_count, 30 * 64);
	expect_trace(repaired, EVENTS, &(struct lost){2, 1, 0});
}

Test(blocks_damage, lost_versions_end_the_trace_before_the_first_that_may_need_them)
{
	static const char *const wrongs[] = {
		"DELETE FROM block_version" VERSIONS,
		"UPDATE block_version SET checksum = 1" VERSIONS,
		"DELETE FROM block_version WHERE first_version > 0",
		"UPDATE block_version SET checksum = 1 WHERE first_version > 0",
	};
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		record();
		uint64_t kept = number_of("SELECT version_count FROM block_version WHERE first_version = 0");
		damage(wrongs[i], false);
		repair();
		cr_assert_not(report.complete);
		cr_assert_eq(report.event_count, kept + 1);
		cr_assert_eq(report.lost_event_count, EVENTS - kept - 1);
		expect_trace(repaired, kept + 1, NULL);
	}
}

Test(blocks_damage, lost_payloads_are_counted)
{
	record();
	struct lost lost = {UINT64_MAX, number_of("SELECT first_event FROM payload_group" PAYLOADS),
			    number_of("SELECT last_event FROM payload_group" PAYLOADS)};
	uint64_t count = number_of("SELECT payload_count FROM payload_group" PAYLOADS);
	damage("DELETE FROM payload_group" PAYLOADS, false);
	repair();
	cr_assert_not(report.complete);
	cr_assert_eq(report.lost_payload_count, count);
	expect_trace(repaired, EVENTS, &lost);
}

/* ---- killed ---- */

static void child(int commits)
{
	struct error error = {0};
	struct trace_writer *w = trace_create(path, &error);
	for (uint64_t i = 0; w && i < EVENTS && error.status == STATUS_OK; i++) {
		event_put(w, i, &error);
		if (i % 97 == 0)
			trace_commit(w, &error);
		if (i / 97 == (uint64_t)commits && i % 97 == 50)
			kill(getpid(), SIGKILL);
	}
	_exit(1);
}

Test(blocks_damage, a_killed_recorder_leaves_the_blocks_of_all_its_events)
{
	for (int commits = 1; commits < 92; commits += 30) {
		int status = 0;
		pid_t pid = fork();
		if (pid == 0)
			child(commits);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert(WIFSIGNALED(status));
		repair();
		cr_assert_eq(report.event_count, (uint64_t)commits * 97 + 1);
		cr_assert(report.lost_event_count == 0 && report.lost_block_count == 0 &&
			  report.lost_payload_count == 0);
		expect_trace(repaired, report.event_count, NULL);
		expect_trace(path, report.event_count, NULL);
	}
}
