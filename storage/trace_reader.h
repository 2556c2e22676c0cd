/* What the readers trace_*.c share, and a reader for who has opened the database already. */
#pragma once
#include "storage/trace.h"
#include <sqlite3.h>

struct trace_blocks;
struct trace_payload_row;

struct trace_reader {
	sqlite3 *db;
	bool borrowed; /* db is not ours to close */
	char *path;
	bool complete;
	int version;
	uint64_t start_n, first_event;         /* where the trace starts */
	uint64_t chunks_read;                  /* decoded, by all cursors */
	struct trace_blocks *blocks;           /* NULL: not needed yet */
	struct trace_payload_row *payload_row; /* the same */
};

/* A reader of the trace that `db` has open as its main database; trace_close leaves `db` open. NULL: it is none, error
 * set. */
struct trace_reader *trace_reader_borrow(sqlite3 *db, struct error *error);

/* NULL fills `error`. The caller finalizes. */
sqlite3_stmt *trace_reader_prepare(struct trace_reader *r, const char *sql, struct error *error);

/* TRACE_FOUND: a row. */
enum trace_found trace_reader_step(struct trace_reader *r, sqlite3_stmt *statement, struct error *error);
