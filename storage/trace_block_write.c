/* Blocks of disks into the trace: the contents of each once (trace_contents.h), and a list of versions that says which
 * block had which after which event (trace_runs.h). Both are gathered into rows; a commit writes the last one of each
 * as it is, and the next one puts a longer one in its place. trace_block_read.c is the reader's half. */
#include "storage/trace_writer.h"

#include <stdlib.h>

/* Closes the run that may grow: it is encoded. */
static void run_close(struct trace_versions *v)
{
	if (v->run.count == 0)
		return;
	trace_run_put(&v->raw, &v->coder, &v->run);
	trace_run_pass(&v->coder, &v->run);
	v->run_count++;
	v->run.count = 0;
}

static bool no_memory(struct trace_writer *w)
{
	return error_set(&w->failed, STATUS_FAILED, "%s: no memory for versions of blocks", w->path);
}

/* The row's raw bytes, with the run that may still grow, which is encoded again when it has. */
static bool row_put(struct trace_writer *w)
{
	struct trace_versions *v = &w->versions;
	size_t encoded_bytes = v->raw.count, stored_bytes = 0;
	if (v->run.count > 0)
		trace_run_put(&v->raw, &v->coder, &v->run);
	uint8_t *stored = v->raw.failed
				  ? NULL
				  : trace_zstd_compress(v->raw.data, v->raw.count, TRACE_LEVEL_DEVICES, &stored_bytes);
	if (!stored)
		return no_memory(w);
	struct trace_bytes data = {stored, stored_bytes};
	const uint64_t fields[] = {v->first_version, v->count, v->raw.count};
	for (int i = 0; i < 3; i++)
		trace_writer_bind_u64(w, PUT_VERSIONS, i + 1, fields[i]);
	trace_writer_bind_u64(w, PUT_VERSIONS, 4, trace_row_checksum(fields, 3, data));
	trace_writer_bind_blob(w, PUT_VERSIONS, 5, data.data, data.count);
	bool good = trace_writer_step(w, PUT_VERSIONS, NULL);
	free(stored);
	v->raw.count = encoded_bytes;
	w->put_bytes += stored_bytes - v->written_bytes;
	v->written_bytes = stored_bytes;
	v->written_count = v->count;
	return good;
}

/* Begins an empty row behind the one that is full. */
static void row_begin(struct trace_versions *v)
{
	uint64_t next_content = v->coder.next_content;
	v->first_version += v->count;
	v->count = v->written_count = v->written_bytes = 0;
	v->run_count = 0;
	v->raw.count = 0;
	v->coder = (struct trace_run_coder){.next_content = next_content};
	bytes_put_varint(&v->raw, next_content);
}

bool trace_versions_flush(struct trace_writer *w)
{
	return w->versions.count == w->versions.written_count || (trace_contents_flush(w) && row_put(w));
}

/* Whether `next`, of one block or without a number of a content, goes on with the run. */
static bool run_goes_on(const struct trace_versions *v, const struct trace_run *next)
{
	const struct trace_run *run = &v->run;
	bool alike = run->content >= TRACE_CONTENT_LOST || run->content == v->coder.next_content ||
		     next->content < v->coder.next_content;
	return run->count > 0 && next->event == run->event && next->where == run->where + run->count && alike &&
	       next->content == trace_run_content(run, run->count);
}

static bool run_add(struct trace_writer *w, const struct trace_run *next)
{
	struct trace_versions *v = &w->versions;
	if (v->raw.count == 0)
		row_begin(v);
	if (run_goes_on(v, next)) {
		v->run.count += next->count;
		v->count += next->count;
		return true;
	}
	run_close(v);
	if (v->run_count == TRACE_RUNS_MAX) {
		if (!trace_versions_flush(w))
			return false;
		row_begin(v);
	}
	v->run = *next;
	v->count += next->count;
	return !v->raw.failed || no_memory(w);
}

static bool run_valid(struct trace_writer *w, const struct trace_run *run)
{
	uint64_t block = trace_where_block(run->where), versions = w->versions.first_version + w->versions.count;
	if (block < TRACE_BLOCKS_MAX && run->count >= 1 && run->count <= TRACE_BLOCKS_MAX - block &&
	    run->count <= INT64_MAX - versions && run->event <= INT64_MAX &&
	    (run->event == 0 || run->event >= w->version_event))
		return true;
	return error_set(&w->failed, STATUS_FAILED,
			 "%s: %llu blocks from %llu on, of event %llu after one of event %llu: a bug of hvrec", w->path,
			 (unsigned long long)run->count, (unsigned long long)block, (unsigned long long)run->event,
			 (unsigned long long)w->version_event);
}

/* Puts the run, whose content is the one of `bytes` if there are such. */
static bool run_put(struct trace_writer *w, struct trace_run *run, const uint8_t *bytes, struct error *error)
{
	if (trace_writer_begin_devices(w) && run_valid(w, run) &&
	    (!bytes || trace_contents_put(w, bytes, &run->content)) && run_add(w, run) && run->event > 0)
		w->version_event = run->event;
	return trace_writer_report(w, error);
}

/* No disk has the number; trace_where would take it for another one. */
static bool disk_wrong(struct trace_writer *w, uint32_t disk, struct error *error)
{
	if (w->failed.status == STATUS_OK)
		error_set(&w->failed, STATUS_FAILED, "%s: a block of disk %u: a bug of hvrec", w->path, (unsigned)disk);
	return trace_writer_report(w, error);
}

bool trace_put_block(struct trace_writer *w, uint32_t disk, uint64_t block, uint64_t event, const uint8_t *bytes,
		     struct error *error)
{
	struct trace_run run = {trace_where(disk, block < TRACE_BLOCKS_MAX ? block : TRACE_BLOCKS_MAX), 1, event, 0};
	return disk < TRACE_DISKS_MAX ? run_put(w, &run, bytes, error) : disk_wrong(w, disk, error);
}

bool trace_put_zeroes(struct trace_writer *w, uint32_t disk, uint64_t block, uint64_t count, uint64_t event,
		      struct error *error)
{
	struct trace_run run = {trace_where(disk, block < TRACE_BLOCKS_MAX ? block : TRACE_BLOCKS_MAX), count, event,
				TRACE_CONTENT_ZERO};
	return disk < TRACE_DISKS_MAX ? run_put(w, &run, NULL, error) : disk_wrong(w, disk, error);
}

bool trace_put_run(struct trace_writer *w, const struct trace_run *run, struct error *error)
{
	struct trace_run copy = *run;
	return run_put(w, &copy, NULL, error);
}
