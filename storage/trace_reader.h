/* What trace_read.c and trace_cursor.c share. */
#pragma once
#include "storage/trace.h"
#include <sqlite3.h>

struct trace_reader {
	sqlite3 *db;
	char *path;
	bool complete;
	int version;
	uint64_t start_n, first_event; /* where the trace starts */
};

/* NULL fills `error`. The caller finalizes. */
sqlite3_stmt *trace_reader_prepare(struct trace_reader *r, const char *sql, struct error *error);

/* The number of the last event + 1, from the last chunk's row alone. */
bool trace_reader_event_count(struct trace_reader *r, uint64_t *count, struct error *error);

/* TRACE_FOUND: a row. */
enum trace_found trace_reader_step(struct trace_reader *r, sqlite3_stmt *statement, struct error *error);
