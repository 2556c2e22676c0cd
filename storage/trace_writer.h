/* What the parts of the writer share: the writer and its steps. A step that fails sets `failed` and returns
 * false; trace_writer_report ends every public call. */
#pragma once
#include "storage/bytes.h"
#include "storage/trace.h"
#include "storage/trace_contents.h"
#include "storage/trace_forget_blocks.h"
#include "storage/trace_format.h"

enum trace_statement {
	PUT_CHUNK,
	DROP_CHUNKS,
	PUT_META,
	PUT_FILE,
	HAS_BLOB,
	PUT_BLOB,
	PUT_KEYFRAME,
	PUT_GROUP,
	FIND_KEYFRAME,
	NEXT_GROUP,
	DROP_GROUP,
	DROP_KEYFRAMES,
	DROP_CHUNKS_BEFORE,
	DEVICE_STATEMENTS, /* from here on: of tables that only a trace with devices has */
	PUT_BLOCK_GROUP = DEVICE_STATEMENTS,
	DROP_BLOCK_GROUP,
	PUT_VERSIONS,
	FIND_VERSIONS,
	DROP_VERSIONS,
	PUT_PAYLOADS,
	COUNT_PAYLOADS,
	DROP_PAYLOADS,
	STATEMENT_COUNT
};

/* The last row of table block_version, which is being filled. */
struct trace_versions {
	uint64_t first_version; /* how many came in the rows before */
	uint64_t count;         /* of versions in this row */
	uint64_t written_count; /* of these, in the file, as a row with fewer, which the next one replaces */
	uint64_t written_bytes; /* which that takes */
	size_t run_count;       /* encoded in `raw` */
	struct trace_run run;   /* the one that may still grow; count 0: there is none */
	struct trace_run_coder coder;
	struct bytes raw;
};

/* The last row of table payload_group, which is being filled. */
struct trace_payloads {
	bool begun; /* there was a payload; the next one's event is above last_event */
	uint64_t first_event, last_event;
	uint64_t count, written_count, written_bytes; /* as above */
	struct bytes heads, contents;
};

/* Where RAM's newest pages are, up to the keyframe that the trace starts at (trace_forget.c). */
struct trace_live {
	uint64_t *group; /* of each page: its newest group + 1, 0: none */
	uint64_t page_count;
	uint8_t *pages; /* of each group: how many of its pages are the newest */
	uint64_t group_count;
};

struct trace_writer {
	struct error failed;
	char *path;
	int lock_fd;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	bool in_transaction;
	bool unsealed;      /* metadata or files are other than at the last seal */
	bool has_devices;   /* the tables for devices are made */
	uint64_t put_bytes; /* of events, pages, blocks and payloads, compressed */
	bool finished;
	bool forgot;            /* the file has free pages to give back after the commit */
	struct event *events;   /* the group: room for CHUNK_EVENTS_MAX */
	size_t event_count;     /* in the group */
	size_t written_count;   /* of these, in small chunks already */
	uint64_t group_first;   /* index of the group's first event in the trace */
	uint64_t group_idle_ns; /* guest idle time before it */
	uint64_t last_n;
	uint64_t group_next;           /* id of the next page group */
	uint64_t keyframe_first_group; /* of the keyframe that comes next */
	struct bytes keyframe_same;    /* its pages that hold the same again, encoded */
	uint64_t keyframe_same_next;   /* no page below can follow in there */
	uint64_t keyframe_n;           /* of the last keyframe; 0: there is none */
	struct trace_live live;
	uint64_t live_end; /* groups below are in `live` */
	struct trace_contents contents;
	struct trace_versions versions;
	uint64_t version_event; /* of the last version that an event made */
	struct trace_payloads payloads;
	struct trace_live_blocks live_blocks;
};

/* Sets `failed` from sqlite's result code. Returns false. */
bool trace_writer_fail(struct trace_writer *w, int code);

/* Hands out the sticky failure; true if there is none. */
bool trace_writer_report(const struct trace_writer *w, struct error *error);

/* Runs SQL text. */
bool trace_writer_run(struct trace_writer *w, const char *sql);

/* Opens the transaction that the next commit ends, unless it is open. False after any failure. */
bool trace_writer_begin(struct trace_writer *w);

/* Bind parameters, counted from 1. `data` must live until the step. */
void trace_writer_bind_u64(struct trace_writer *w, enum trace_statement which, int parameter, uint64_t value);
void trace_writer_bind_blob(struct trace_writer *w, enum trace_statement which, int parameter, const void *data,
			    size_t bytes);

/* Runs a statement whose parameters are bound, and unbinds them; *found (may be NULL): it gave a row. A bind that
 * failed leaves NULL, which the tables refuse. */
bool trace_writer_step(struct trace_writer *w, enum trace_statement which, bool *found);

/* As trace_writer_begin, and makes the tables for devices if they are not there. */
bool trace_writer_begin_devices(struct trace_writer *w);

/* Prepares the statements from `first` to below `end`. */
bool trace_writer_prepare(struct trace_writer *w, unsigned first, unsigned end);

/* For copies of traces: trace_put_block with bytes of a run's blocks that are no number of a content: zeroes, or lost.
 */
bool trace_put_run(struct trace_writer *w, const struct trace_run *run, struct error *error);

/* Write what was put and not written yet, for a commit. */
bool trace_versions_flush(struct trace_writer *w);
bool trace_payloads_flush(struct trace_writer *w);

/* How many payloads the file has, all being written. */
bool trace_payloads_count(struct trace_writer *w, uint64_t *count);
