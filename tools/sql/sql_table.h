/* What the virtual tables have in common: the trace behind one, errors, and the count of chunks. docs/SQL.md is their
 * manual; https://www.sqlite.org/vtab.html says what the methods must do.
 * 1. All work on a connection that somebody else has open: nothing here changes a database, or the connection's
 *    settings.
 * 2. Nothing in the file is trusted: damage is an SQL error with the storage reader's line.
 * 3. These sources are compiled twice: into hvrec, and with tools/sql/sql_extension.h in front into the extension. */
#pragma once
#include "replay/trace/event_stream.h"
#include "replay/trace/metadata.h"
#include <sqlite3.h>

/* Of one connection. */
struct sql_connection {
	uint64_t chunks_read; /* what hvrec_chunks_read() says */
};

struct sql_scan;

struct sql_table {
	sqlite3_vtab base; /* first: sqlite's view of it */
	struct sql_connection *connection;
	struct trace_reader *trace;
	struct virtio_list devices;
	const struct sql_scan *scan; /* NULL: the console, which scans by itself */
	uint64_t chunks_counted;     /* of trace_chunks_read, in the connection's count already */
};

extern const sqlite3_module sql_events_module, sql_console_module, sql_disk_module, sql_packets_module;

/* xCreate and xConnect of every table, after sqlite3_declare_vtab. Without an argument the trace is the connection's
 * main database; with one it is that file, and the table must be in temp. */
int sql_table_connect(sqlite3 *db, void *connection, int argc, const char *const *argv, sqlite3_vtab **table,
		      char **message);
int sql_table_disconnect(sqlite3_vtab *table);

/* Hands the error to sqlite. Returns SQLITE_ERROR. */
int sql_table_fail(sqlite3_vtab *table, const struct error *error);

/* event_stream_open and event_stream_next, with the chunks that were read counted. */
struct event_stream *sql_table_start(struct sql_table *table, struct trace_cursor *cursor, struct error *error);
bool sql_table_next(struct sql_table *table, struct event_stream *stream, struct event_at *at, struct error *error);

/* An unsigned value as sqlite keeps it: the signed integer with the same bits. */
void sql_table_result(sqlite3_context *context, uint64_t value);
