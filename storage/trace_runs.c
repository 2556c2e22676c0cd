/* The coding of runs, see trace_runs.h. Reading trusts nothing: what comes out is a run that a writer could have put.
 */
#include "storage/trace_runs.h"

enum { CODE_NEXT, CODE_ZERO, CODE_LOST, CODE_OLDER };

static uint64_t content_code(const struct trace_run_coder *coder, uint64_t content)
{
	if (content == coder->next_content)
		return CODE_NEXT;
	if (content >= TRACE_CONTENT_LOST)
		return content == TRACE_CONTENT_ZERO ? CODE_ZERO : CODE_LOST;
	return CODE_OLDER + (coder->next_content - 1 - content);
}

void trace_run_put(struct bytes *out, const struct trace_run_coder *coder, const struct trace_run *run)
{
	uint32_t disk = trace_where_disk(run->where);
	uint64_t distance = trace_where_block(run->where) - coder->next_block[disk];
	bytes_put_varint(out, zigzag(distance) << 1 | (disk != coder->disk));
	if (disk != coder->disk)
		bytes_put_varint(out, disk);
	bytes_put_varint(out, run->event ? 1 + run->event - coder->event : 0);
	bytes_put_varint(out, content_code(coder, run->content));
	bytes_put_varint(out, run->count - 1);
}

void trace_run_pass(struct trace_run_coder *coder, const struct trace_run *run)
{
	coder->disk = trace_where_disk(run->where);
	coder->next_block[coder->disk] = trace_where_block(run->where) + run->count;
	if (run->event)
		coder->event = run->event;
	if (run->content == coder->next_content)
		coder->next_content += run->count;
}

void trace_runs_begin(struct trace_runs *runs, const uint8_t *raw, size_t bytes, uint64_t version_count)
{
	*runs = (struct trace_runs){.cursor = {.at = raw, .end = raw + bytes}, .left = version_count};
	runs->coder.next_content = cursor_get_varint(&runs->cursor);
	if (runs->coder.next_content > INT64_MAX)
		cursor_fail(&runs->cursor);
}

/* Undoes content_code. False: there is no such content. */
static bool content_get(const struct trace_run_coder *coder, uint64_t code, struct trace_run *run)
{
	uint64_t end = coder->next_content;
	switch (code) {
	case CODE_NEXT:
		run->content = end;
		return run->count <= INT64_MAX - end;
	case CODE_ZERO:
		run->content = TRACE_CONTENT_ZERO;
		return true;
	case CODE_LOST:
		run->content = TRACE_CONTENT_LOST;
		return true;
	default:
		run->content = end - 1 - (code - CODE_OLDER);
		return code - CODE_OLDER < end && run->count <= end - run->content;
	}
}

enum trace_found trace_runs_next(struct trace_runs *runs, struct trace_run *run)
{
	struct trace_run_coder *coder = &runs->coder;
	struct cursor *cursor = &runs->cursor;
	if (runs->left == 0)
		return cursor->failed || cursor->at != cursor->end ? TRACE_FAILED : TRACE_ABSENT;
	uint64_t head = cursor_get_varint(cursor);
	uint64_t disk = head & 1 ? cursor_get_varint(cursor) : coder->disk;
	if (disk >= TRACE_DISKS_MAX)
		return TRACE_FAILED;
	uint64_t block = coder->next_block[disk] + unzigzag(head >> 1);
	uint64_t event = cursor_get_varint(cursor);
	uint64_t code = cursor_get_varint(cursor);
	run->count = cursor_get_varint(cursor) + 1;
	run->event = event ? coder->event + event - 1 : 0;
	run->where = trace_where((uint32_t)disk, block);
	if (cursor->failed || run->count == 0 || run->count > runs->left || block >= TRACE_BLOCKS_MAX ||
	    run->count > TRACE_BLOCKS_MAX - block || event > INT64_MAX || run->event > INT64_MAX ||
	    !content_get(coder, code, run))
		return TRACE_FAILED;
	trace_run_pass(coder, run);
	runs->left -= run->count;
	return TRACE_FOUND;
}
