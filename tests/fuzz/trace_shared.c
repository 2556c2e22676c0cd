/* Shared readers and statements, and sqlite's memory; see trace_shared.h. */
#include "tests/fuzz/trace_shared.h"
#include "hv/host/sandbox.h"
#include "storage/trace_reader.h"
#include "tests/fuzz/trace_seeds.h"

#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLOT_CASE,
	SLOT_KEPT,
	SLOT_COUNT,
	CONNECTIONS_MAX = SEEDS_MAX + 8,
	STATEMENTS_MAX = 128,
	COPIES_MAX = 4,
	SIZE_BYTES = 16
};

struct slot {
	const char *path; /* NULL: unused */
	bool opened;
	struct trace_reader *reader; /* NULL: it could not be opened */
	struct error error;
};

struct statement {
	sqlite3_stmt *statement;
	const char *sql; /* as its user has it */
	bool busy;
	void *copies[COPIES_MAX]; /* of the row's texts and blobs; malloc */
	size_t copy_count;
};

struct connection {
	sqlite3 *db; /* NULL: the place is free */
	struct statement statements[STATEMENTS_MAX];
	size_t statement_count;
};

static struct slot slots[SLOT_COUNT];
static struct connection connections[CONNECTIONS_MAX];

struct trace_reader *__real_trace_open(const char *path, struct error *error);
struct trace_reader *__wrap_trace_open(const char *path, struct error *error);
void __real_trace_close(struct trace_reader *reader);
void __wrap_trace_close(struct trace_reader *reader);
int __real_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int bytes, sqlite3_stmt **statement, const char **tail);
int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int bytes, sqlite3_stmt **statement, const char **tail);
int __real_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_step(sqlite3_stmt *statement);
const void *__real_sqlite3_column_blob(sqlite3_stmt *statement, int column);
const void *__wrap_sqlite3_column_blob(sqlite3_stmt *statement, int column);
const unsigned char *__real_sqlite3_column_text(sqlite3_stmt *statement, int column);
const unsigned char *__wrap_sqlite3_column_text(sqlite3_stmt *statement, int column);
int __real_sqlite3_finalize(sqlite3_stmt *statement);
int __wrap_sqlite3_finalize(sqlite3_stmt *statement);
int __real_sqlite3_close(sqlite3 *db);
int __wrap_sqlite3_close(sqlite3 *db);
void __wrap_sandbox_enter(const struct sandbox_files *files, unsigned calls);
void *__libc_malloc(size_t bytes); /* glibc's own, which the sanitizer does not replace */
void *__libc_realloc(void *memory, size_t bytes);
void __libc_free(void *memory);

/* The commands run one after the other in this one process, which must still write its files. */
void __wrap_sandbox_enter(const struct sandbox_files *files, unsigned calls)
{
	(void)files;
	(void)calls;
}

/* ---- readers ---- */

struct trace_reader *__wrap_trace_open(const char *path, struct error *error)
{
	struct slot *slot = slots;
	while (slot < slots + SLOT_COUNT && (!slot->path || strcmp(slot->path, path) != 0))
		slot++;
	if (slot == slots + SLOT_COUNT)
		return __real_trace_open(path, error);
	if (!slot->opened) {
		slot->reader = __real_trace_open(path, &slot->error);
		if (slot->reader) /* so that not each query locks and unlocks */
			sqlite3_exec(slot->reader->db, "BEGIN", NULL, NULL, NULL);
	}
	slot->opened = true;
	if (!slot->reader)
		error_set(error, slot->error.status, "%s", slot->error.text);
	return slot->reader;
}

void __wrap_trace_close(struct trace_reader *reader)
{
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		if (reader && slots[i].reader == reader)
			return;
	}
	__real_trace_close(reader);
}

/* ---- statements ---- */

/* NULL: there is no place for another one, whose statements are not shared then. */
static struct connection *connection_find(sqlite3 *db)
{
	struct connection *free_place = NULL;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (connections[i].db == db)
			return &connections[i];
		if (!connections[i].db && !free_place)
			free_place = &connections[i];
	}
	if (free_place) {
		free_place->db = db;
		free_place->statement_count = 0;
	}
	return free_place;
}

/* NULL: one that is not shared. */
static struct statement *statement_find(sqlite3_stmt *statement)
{
	struct connection *connection = statement ? connection_find(sqlite3_db_handle(statement)) : NULL;
	for (size_t i = 0; connection && i < connection->statement_count; i++) {
		if (connection->statements[i].statement == statement)
			return &connection->statements[i];
	}
	return NULL;
}

static void copies_free(struct statement *kept)
{
	while (kept && kept->copy_count > 0)
		free(kept->copies[--kept->copy_count]);
}

int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int bytes, sqlite3_stmt **statement, const char **tail)
{
	struct connection *connection = connection_find(db);
	for (size_t i = 0; connection && i < connection->statement_count; i++) {
		struct statement *kept = &connection->statements[i];
		if (kept->sql == sql && !kept->busy && strcmp(sqlite3_sql(kept->statement), sql) == 0) {
			kept->busy = true;
			*statement = kept->statement;
			if (tail)
				*tail = sql + strlen(sql);
			return SQLITE_OK;
		}
	}
	int code = __real_sqlite3_prepare_v2(db, sql, bytes, statement, tail);
	if (code == SQLITE_OK && *statement && connection && connection->statement_count < STATEMENTS_MAX)
		connection->statements[connection->statement_count++] =
			(struct statement){.statement = *statement, .sql = sql, .busy = true};
	return code;
}

int __wrap_sqlite3_step(sqlite3_stmt *statement)
{
	copies_free(statement_find(statement));
	return __real_sqlite3_step(statement);
}

/* A copy of exactly so many bytes, of which the sanitizer knows the end. */
static const void *copy_make(sqlite3_stmt *statement, const void *value, size_t bytes)
{
	struct statement *kept = statement_find(statement);
	if (!value || !kept || kept->copy_count == COPIES_MAX)
		return value;
	void *copy = malloc(bytes);
	if (!copy)
		abort();
	kept->copies[kept->copy_count++] = copy;
	return memcpy(copy, value, bytes);
}

const void *__wrap_sqlite3_column_blob(sqlite3_stmt *statement, int column)
{
	const void *value = __real_sqlite3_column_blob(statement, column);
	return value ? copy_make(statement, value, (size_t)sqlite3_column_bytes(statement, column)) : NULL;
}

const unsigned char *__wrap_sqlite3_column_text(sqlite3_stmt *statement, int column)
{
	const unsigned char *value = __real_sqlite3_column_text(statement, column);
	return value ? copy_make(statement, value, (size_t)sqlite3_column_bytes(statement, column) + 1) : NULL;
}

int __wrap_sqlite3_finalize(sqlite3_stmt *statement)
{
	struct statement *kept = statement_find(statement);
	if (!kept)
		return __real_sqlite3_finalize(statement);
	int code = sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	copies_free(kept);
	kept->busy = false;
	return code;
}

/* Fails if someone forgot to finalize a statement. */
int __wrap_sqlite3_close(sqlite3 *db)
{
	struct connection *connection = db ? connection_find(db) : NULL;
	for (size_t i = 0; connection && i < connection->statement_count; i++) {
		if (!connection->statements[i].busy)
			__real_sqlite3_finalize(connection->statements[i].statement);
	}
	if (connection)
		connection->db = NULL;
	if (__real_sqlite3_close(db) != SQLITE_OK)
		abort();
	return SQLITE_OK;
}

/* ---- sqlite's memory: each block begins with its size ---- */

static void *block_malloc(int bytes)
{
	uint8_t *block = __libc_malloc((size_t)bytes + SIZE_BYTES);
	if (!block)
		return NULL;
	memcpy(block, &bytes, sizeof(bytes));
	return block + SIZE_BYTES;
}

static void block_free(void *memory)
{
	__libc_free((uint8_t *)memory - SIZE_BYTES);
}

static void *block_realloc(void *memory, int bytes)
{
	uint8_t *block = __libc_realloc((uint8_t *)memory - SIZE_BYTES, (size_t)bytes + SIZE_BYTES);
	if (!block)
		return NULL;
	memcpy(block, &bytes, sizeof(bytes));
	return block + SIZE_BYTES;
}

static int block_size(void *memory)
{
	int bytes;
	memcpy(&bytes, (uint8_t *)memory - SIZE_BYTES, sizeof(bytes));
	return bytes;
}

static int block_round_up(int bytes)
{
	return (bytes + 7) & ~7;
}

static int block_init(void *context)
{
	(void)context;
	return SQLITE_OK;
}

static void block_shutdown(void *context)
{
	(void)context;
}

void trace_shared_configure(void)
{
	static sqlite3_mem_methods methods = {block_malloc,   block_free, block_realloc,  block_size,
					      block_round_up, block_init, block_shutdown, NULL};
	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}

/* ---- cases ---- */

void trace_shared_start(const char *path)
{
	slots[SLOT_CASE] = (struct slot){.path = path};
}

void trace_shared_end(void)
{
	struct trace_reader *reader = slots[SLOT_CASE].reader;
	slots[SLOT_CASE] = (struct slot){0};
	__real_trace_close(reader);
}

void trace_shared_keep(const char *path)
{
	slots[SLOT_KEPT] = (struct slot){.path = path};
}
