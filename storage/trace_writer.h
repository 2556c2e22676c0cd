/* What trace_write.c and trace_put.c share: the writer and its steps. A step that fails sets `failed` and returns
 * false; trace_writer_report ends every public call. */
#pragma once
#include "storage/bytes.h"
#include "storage/trace.h"
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
	STATEMENT_COUNT
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
	uint64_t put_bytes; /* of events and pages, compressed */
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
