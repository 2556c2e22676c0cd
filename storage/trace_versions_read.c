/* The rows of table block_version as runs, each checked before anything of it is used. Rows meet without a gap; of a
 * trace whose beginning was forgotten those may be missing that are superseded where it starts, but none behind the
 * first that holds a version of a later event. */
#include "storage/trace_block_read.h"
#include "storage/trace_format.h"
#include "storage/trace_reader.h"

#include <errno.h>
#include <stdlib.h>

bool trace_blocks_damaged(const struct trace_reader *r, const char *what, struct error *error)
{
	return error_set(error, STATUS_FAILED,
			 "%s: is damaged: its blocks of disks: %s; copy it again, or try hvrec repair", r->path, what);
}

bool trace_reader_has_devices(struct trace_reader *r, bool *has, struct error *error)
{
	*has = false;
	if (r->version < 5)
		return true;
	sqlite3_stmt *row =
		trace_reader_prepare(r, "SELECT 1 FROM main.sqlite_schema WHERE name = 'block_version'", error);
	enum trace_found found = row ? trace_reader_step(r, row, error) : TRACE_FAILED;
	sqlite3_finalize(row);
	*has = found == TRACE_FOUND;
	return found != TRACE_FAILED;
}

struct reading {
	struct trace_reader *r;
	uint64_t next_version; /* where the next row begins */
	bool gaps;             /* it may begin later */
	struct error *error;
};

/* The row's columns. False: it cannot be one, or does not follow. */
static bool row_get(struct reading *reading, sqlite3_stmt *row, uint64_t fields[3], struct trace_bytes *data)
{
	for (int i = 0; i < 4; i++) {
		if (sqlite3_column_type(row, i) != SQLITE_INTEGER)
			return trace_blocks_damaged(reading->r, "a row holds no numbers", reading->error);
		if (i < 3)
			fields[i] = trace_u64_from_sql(sqlite3_column_int64(row, i));
	}
	if (sqlite3_column_type(row, 4) != SQLITE_BLOB)
		return trace_blocks_damaged(reading->r, "a row holds no data", reading->error);
	data->data = sqlite3_column_blob(row, 4);
	data->count = (size_t)sqlite3_column_bytes(row, 4);
	uint64_t checksum = trace_u64_from_sql(sqlite3_column_int64(row, 3));
	if (!data->data || trace_row_checksum(fields, 3, *data) != checksum)
		return trace_blocks_damaged(reading->r, "a checksum of versions does not match", reading->error);
	if (fields[0] > INT64_MAX || fields[1] < 1 || fields[1] > INT64_MAX - fields[0])
		return trace_blocks_damaged(reading->r, "a row of versions is none", reading->error);
	return fields[0] == reading->next_version || (reading->gaps && fields[0] > reading->next_version) ||
	       trace_blocks_damaged(reading->r, "versions are missing", reading->error);
}

static bool row_runs(struct reading *reading, const uint8_t *raw, const uint64_t fields[3], trace_run_fn *each,
		     void *context)
{
	struct trace_runs runs;
	struct trace_run run;
	enum trace_found found;
	trace_runs_begin(&runs, raw, (size_t)fields[2], fields[1]);
	while ((found = trace_runs_next(&runs, &run)) == TRACE_FOUND) {
		reading->gaps = reading->gaps && run.event < reading->r->first_event;
		if (!each(&run, context, reading->error))
			return false;
	}
	return found == TRACE_ABSENT || trace_blocks_damaged(reading->r, "a row of versions is none", reading->error);
}

static bool row_read(struct reading *reading, sqlite3_stmt *row, trace_run_fn *each, void *context)
{
	uint64_t fields[3] = {0};
	struct trace_bytes data = {NULL, 0};
	if (!row_get(reading, row, fields, &data))
		return false;
	uint8_t *raw = trace_zstd_decompress(data.data, data.count, fields[2], TRACE_RUNS_BYTES_MAX);
	if (!raw)
		return errno == ENOMEM
			       ? error_set(reading->error, STATUS_FAILED, "%s: no memory", reading->r->path)
			       : trace_blocks_damaged(reading->r, "versions cannot be decompressed", reading->error);
	bool good = row_runs(reading, raw, fields, each, context);
	free(raw);
	reading->next_version = fields[0] + fields[1];
	return good;
}

/* A finished trace says how many versions it has: fewer means that its last ones are lost. */
static bool end_is_there(struct reading *reading)
{
	uint64_t count = 0;
	enum trace_found found = reading->r->complete
					 ? trace_get_u64(reading->r, TRACE_META_BLOCK_VERSIONS, &count, reading->error)
					 : TRACE_ABSENT;
	if (found != TRACE_FOUND)
		return found == TRACE_ABSENT;
	return count == reading->next_version ||
	       trace_blocks_damaged(reading->r, "versions are missing", reading->error);
}

bool trace_each_run(struct trace_reader *r, trace_run_fn *each, void *context, struct error *error)
{
	struct reading reading = {.r = r, .gaps = r->start_n > 0, .error = error};
	bool has = false;
	if (!trace_reader_has_devices(r, &has, error))
		return false;
	if (!has)
		return end_is_there(&reading);
	sqlite3_stmt *row = trace_reader_prepare(r,
						 "SELECT first_version, version_count, raw_bytes, checksum, data FROM "
						 "main.block_version ORDER BY first_version",
						 error);
	enum trace_found found = row ? trace_reader_step(r, row, error) : TRACE_FAILED;
	while (found == TRACE_FOUND)
		found = row_read(&reading, row, each, context) ? trace_reader_step(r, row, error) : TRACE_FAILED;
	sqlite3_finalize(row);
	return found == TRACE_ABSENT && end_is_there(&reading);
}
