/* How much a trace holds, from its tables alone: nothing is decoded. A count(*) would be one operation of sqlite's,
 * which trace_limit.h cannot bound. */
#include "storage/trace_block_read.h"
#include "storage/trace_format.h"
#include "storage/trace_reader.h"

/* Runs a query for one row of `count` numbers. */
static bool numbers_get(struct trace_reader *r, const char *sql, uint64_t *const *fields, int count,
			struct error *error)
{
	sqlite3_stmt *statement = trace_reader_prepare(r, sql, error);
	bool good = statement && trace_reader_step(r, statement, error) == TRACE_FOUND;
	for (int i = 0; good && i < count; i++) {
		*fields[i] = trace_u64_from_sql(sqlite3_column_int64(statement, i));
		if (sqlite3_column_type(statement, i) != SQLITE_INTEGER)
			good = error_set(
				error, STATUS_FAILED,
				"%s: is damaged: its tables hold no numbers; copy it again, or try hvrec repair",
				r->path);
	}
	sqlite3_finalize(statement);
	return good;
}

bool trace_get_end(struct trace_reader *r, uint64_t *event_count, uint64_t *last_n, struct error *error)
{
	static const char sql[] = "SELECT ifnull((SELECT first_event + event_count FROM main.chunk ORDER BY "
				  "first_event DESC LIMIT 1), 0), "
				  "ifnull((SELECT last_n FROM main.chunk ORDER BY first_event DESC LIMIT 1), 0)";
	if (!numbers_get(r, sql, (uint64_t *const[]){event_count, last_n}, 2, error))
		return false;
	if (*event_count < r->first_event)
		*event_count = r->first_event;
	if (*last_n < r->start_n)
		*last_n = r->start_n;
	return true;
}

static bool keyframes_get(struct trace_reader *r, struct trace_totals *totals, struct error *error)
{
	static const char sql[] = "SELECT (SELECT count(n) FROM main.keyframe), (SELECT ifnull(sum(page_count), 0) "
				  "FROM main.page_group), "
				  "(SELECT ifnull(sum(length(state) + length(same)), 0) FROM main.keyframe) + "
				  "(SELECT ifnull(sum(length(indexes) + length(data)), 0) FROM main.page_group)";
	uint64_t *const fields[] = {&totals->keyframe_count, &totals->page_count, &totals->keyframe_stored_bytes};
	return numbers_get(r, sql, fields, 3, error);
}

static bool devices_get(struct trace_reader *r, struct trace_totals *totals, struct error *error)
{
	static const char sql[] = "SELECT (SELECT ifnull(sum(version_count), 0) FROM main.block_version), "
				  "(SELECT ifnull(sum(content_count), 0) FROM main.block_group), "
				  "(SELECT ifnull(sum(length(data)), 0) FROM main.block_version) + "
				  "(SELECT ifnull(sum(length(data)), 0) FROM main.block_group), "
				  "(SELECT ifnull(sum(payload_count), 0) FROM main.payload_group), "
				  "(SELECT ifnull(sum(length(data)), 0) FROM main.payload_group)";
	uint64_t *const fields[] = {&totals->block_count, &totals->block_content_count, &totals->block_stored_bytes,
				    &totals->payload_count, &totals->payload_stored_bytes};
	bool has = false;
	return trace_reader_has_devices(r, &has, error) && (!has || numbers_get(r, sql, fields, 5, error));
}

bool trace_get_totals(struct trace_reader *r, struct trace_totals *totals, struct error *error)
{
	static const char sql[] =
		"SELECT (SELECT count(first_event) FROM main.chunk), (SELECT ifnull(sum(raw_bytes), 0) FROM "
		"main.chunk), "
		"(SELECT ifnull(sum(length(data)), 0) FROM main.chunk), (SELECT count(name) FROM main.file), "
		"(SELECT ifnull(sum(raw_bytes), 0) FROM main.blob), "
		"(SELECT ifnull(sum(length(data)), 0) FROM main.blob)";
	uint64_t *const fields[] = {&totals->chunk_count, &totals->raw_bytes,      &totals->stored_bytes,
				    &totals->file_count,  &totals->blob_raw_bytes, &totals->blob_stored_bytes};
	*totals = (struct trace_totals){0};
	return trace_get_end(r, &totals->event_count, &totals->last_n, error) &&
	       numbers_get(r, sql, fields, (int)(sizeof(fields) / sizeof(fields[0])), error) &&
	       (r->version < 2 || keyframes_get(r, totals, error)) && devices_get(r, totals, error);
}

bool trace_get_bytes(struct trace_reader *r, uint64_t *bytes, struct error *error)
{
	static const char sql[] = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
	return numbers_get(r, sql, (uint64_t *const[]){bytes}, 1, error);
}
