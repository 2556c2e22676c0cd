/* The writer. Events gather in `events`, the current group of CHUNK_EVENTS_MAX; each commit writes the new ones as a
 * small chunk, and when the group is full, or the trace is finished, one full chunk takes the place of the small ones.
 * 1. No chunk crosses a multiple of CHUNK_EVENTS_MAX, so a finished trace does not depend on when commits came.
 * 2. `failed` is sticky: once it is set no call touches the file. */
#include "hv/error/check.h"
#include "storage/chunk.h"
#include "storage/trace_create.h"
#include "storage/trace_seal.h"
#include "storage/trace_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool put_chunk_row(struct trace_writer *w, const struct trace_chunk *chunk, const void *data, size_t bytes)
{
	const uint64_t columns[] = {chunk->first_event,
				    chunk->event_count,
				    chunk->first_n,
				    chunk->last_n,
				    chunk->start_idle_ns,
				    chunk->raw_bytes,
				    trace_chunk_checksum(chunk, data, bytes)};
	for (int i = 0; i < 7; i++)
		trace_writer_bind_u64(w, PUT_CHUNK, i + 1, columns[i]);
	trace_writer_bind_blob(w, PUT_CHUNK, 8, data, bytes);
	return trace_writer_step(w, PUT_CHUNK, NULL);
}

static uint64_t idle_before(const struct trace_writer *w, size_t index)
{
	uint64_t idle_ns = w->group_idle_ns;
	for (size_t i = 0; i < index; i++)
		idle_ns += event_idle_ns(&w->events[i]);
	return idle_ns;
}

/* Writes the group's events from `first` on as one chunk. */
static bool put_chunk(struct trace_writer *w, size_t first)
{
	struct trace_chunk chunk = {.first_event = w->group_first + first,
				    .event_count = w->event_count - first,
				    .first_n = w->events[first].n,
				    .last_n = w->events[w->event_count - 1].n,
				    .start_idle_ns = idle_before(w, first)};
	uint8_t *raw = NULL;
	size_t raw_bytes = 0;
	size_t stored_bytes = 0;
	CHECK(w->group_first % CHUNK_EVENTS_MAX + w->event_count <= CHUNK_EVENTS_MAX);
	if (!chunk_encode(w->events + first, w->event_count - first, chunk.start_idle_ns, &raw, &raw_bytes, &w->failed))
		return false;
	chunk.raw_bytes = raw_bytes;
	uint8_t *stored = trace_compress(raw, raw_bytes, true, &stored_bytes);
	free(raw);
	w->put_bytes += stored ? stored_bytes : 0;
	bool good = stored ? put_chunk_row(w, &chunk, stored, stored_bytes)
			   : error_set(&w->failed, STATUS_FAILED, "%s: no memory to compress events", w->path);
	free(stored);
	return good;
}

static bool put_small_chunk(struct trace_writer *w)
{
	if (w->written_count == w->event_count)
		return true;
	if (!trace_writer_begin(w) || !put_chunk(w, w->written_count))
		return false;
	w->written_count = w->event_count;
	return true;
}

static bool put_devices(struct trace_writer *w)
{
	return trace_versions_flush(w) && trace_payloads_flush(w);
}

/* One chunk for the whole group, in place of its small ones, and an empty group after it. */
static bool put_group(struct trace_writer *w)
{
	if (w->event_count == 0)
		return true;
	if (!trace_writer_begin(w))
		return false;
	if (w->written_count) {
		trace_writer_bind_u64(w, DROP_CHUNKS, 1, w->group_first);
		if (!trace_writer_step(w, DROP_CHUNKS, NULL))
			return false;
	}
	if (!put_chunk(w, 0))
		return false;
	w->group_idle_ns = idle_before(w, w->event_count);
	w->group_first += w->event_count;
	w->event_count = 0;
	w->written_count = 0;
	return true;
}

static bool seal(struct trace_writer *w)
{
	errno = 0;
	int code = trace_seal_write(w->db);
	w->unsealed = code != SQLITE_OK;
	return code == SQLITE_OK || trace_writer_fail(w, code);
}

static bool commit(struct trace_writer *w)
{
	if (w->failed.status != STATUS_OK || !w->in_transaction)
		return w->failed.status == STATUS_OK;
	if (w->unsealed && !seal(w))
		return false;
	w->in_transaction = false;
	if (!trace_writer_run(w, "COMMIT"))
		return false;
	bool forgot = w->forgot;
	w->forgot = false;
	return !forgot || trace_writer_run(w, "PRAGMA incremental_vacuum");
}

static bool event_valid(struct trace_writer *w, const struct event *event)
{
	uint64_t index = w->group_first + w->event_count;
	if (event->n < w->last_n)
		return error_set(&w->failed, STATUS_FAILED,
				 "%s: event %llu is at n %llu, after one at n %llu: a bug of hv", w->path,
				 (unsigned long long)index, (unsigned long long)event->n,
				 (unsigned long long)w->last_n);
	if (event->zero)
		return error_set(&w->failed, STATUS_FAILED, "%s: event %llu has a `zero` that is not 0: a bug of hv",
				 w->path, (unsigned long long)index);
	return true;
}

bool trace_start_at(struct trace_writer *w, uint64_t n, uint64_t first_event, uint64_t idle_ns, struct error *error)
{
	w->group_first = first_event;
	w->group_idle_ns = idle_ns;
	w->last_n = n;
	return trace_put_u64(w, TRACE_META_START_N, n, error);
}

bool trace_append(struct trace_writer *w, const struct event *events, size_t count, struct error *error)
{
	for (size_t i = 0; i < count && w->failed.status == STATUS_OK; i++) {
		if (!event_valid(w, &events[i]))
			break;
		w->events[w->event_count++] = events[i];
		w->last_n = events[i].n;
		if ((w->group_first + w->event_count) % CHUNK_EVENTS_MAX == 0)
			put_group(w);
	}
	return trace_writer_report(w, error);
}

uint64_t trace_put_bytes(const struct trace_writer *w)
{
	return w->put_bytes;
}

bool trace_commit(struct trace_writer *w, struct error *error)
{
	if (w->failed.status == STATUS_OK && put_devices(w) && put_small_chunk(w))
		commit(w);
	return trace_writer_report(w, error);
}

/* Folds the -wal into the file. What a reader elsewhere delays is no failure: all is committed. */
static bool fold(struct trace_writer *w)
{
	errno = 0;
	int code =
		sqlite3_exec(w->db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	return code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED ||
	       trace_writer_fail(w, code);
}

/* How much there is, so that a reader, or a repair, sees what is lost at the end. */
static bool put_counts(struct trace_writer *w, struct error *error)
{
	if (!trace_put_u64(w, TRACE_META_EVENTS, w->group_first, error) || !w->has_devices)
		return w->failed.status == STATUS_OK;
	uint64_t versions = w->versions.first_version + w->versions.count, payloads = 0;
	return trace_payloads_count(w, &payloads) && trace_put_u64(w, TRACE_META_BLOCK_VERSIONS, versions, error) &&
	       trace_put_u64(w, TRACE_META_PAYLOADS, payloads, error);
}

bool trace_finish(struct trace_writer *w, struct error *error)
{
	if (w->failed.status == STATUS_OK && put_devices(w) && put_group(w) && put_counts(w, error) &&
	    trace_put_u64(w, TRACE_META_COMPLETE, 1, error) && commit(w) &&
	    trace_writer_run(w, "PRAGMA incremental_vacuum"))
		w->finished = fold(w);
	return trace_writer_report(w, error);
}

struct trace_writer *trace_create(const char *path, struct error *error)
{
	if (path[0] == 0 || path[0] == ':') { /* sqlite's names for databases that are no files */
		error_set(error, STATUS_FAILED, "'%s': cannot create; name another trace", path);
		return NULL;
	}
	struct trace_writer *w = calloc(1, sizeof(*w));
	if (!w)
		return error_set(error, STATUS_FAILED, "%s: no memory", path), NULL;
	/* through a link, sqlite puts the -wal beside the file itself */
	char *resolved = realpath(path, NULL);
	w->path = resolved ? resolved : errno == ENOMEM ? NULL : strdup(path);
	w->events = calloc(CHUNK_EVENTS_MAX, sizeof(*w->events));
	w->lock_fd = -1;
	if (!w->path || !w->events)
		error_set(error, STATUS_FAILED, "%s: no memory", path);
	else
		w->lock_fd = trace_create_file(w->path, error);
	if (w->lock_fd >= 0)
		w->db = trace_create_db(w->path, w->lock_fd, error);
	if (w->db)
		trace_writer_prepare(w, 0, DEVICE_STATEMENTS);
	if (w->db && trace_writer_report(w, error))
		return w;
	if (w->lock_fd >= 0)
		trace_remove(w->path);
	trace_writer_free(w);
	return NULL;
}

void trace_writer_free(struct trace_writer *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(w->statements[i]);
	if (w->in_transaction)
		sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
	if (w->db && !w->finished && w->failed.status == STATUS_OK)
		fold(w);
	sqlite3_close(w->db);
	if (w->lock_fd >= 0)
		close(w->lock_fd);
	free(w->keyframe_same.data);
	trace_contents_free(&w->contents);
	trace_live_blocks_free(&w->live_blocks);
	free(w->versions.raw.data);
	free(w->payloads.heads.data);
	free(w->payloads.contents.data);
	free(w->live.group);
	free(w->live.pages);
	free(w->events);
	free(w->path);
	free(w);
}
