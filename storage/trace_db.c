/* Opening a file that may be anything: each way of not being a trace gets its own message. The file is looked at
 * through sqlite's own handle only, because closing another descriptor of it would drop sqlite's POSIX locks. */
#include "storage/trace_format.h"
#include "storage/trace_limit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The database header: https://www.sqlite.org/fileformat.html, section 1.3. Integers are big-endian. */
enum {
	HEADER_BYTES = 100,
	HEADER_PAGE_BYTES = 16, /* u16; 1 means 65536 */
	HEADER_CHANGES = 24,
	HEADER_PAGE_COUNT = 28,
	HEADER_USER_VERSION = 60,
	HEADER_APPLICATION_ID = 68,
	HEADER_PAGE_COUNT_OF = 92, /* the page count is valid if this equals CHANGES */
};

static uint32_t header_u32(const uint8_t *header, unsigned offset)
{
	return (uint32_t)header[offset] << 24 | (uint32_t)header[offset + 1] << 16 | (uint32_t)header[offset + 2] << 8 |
	       header[offset + 3];
}

static bool file_regular(const char *path, struct error *error)
{
	struct stat status;
	if (stat(path, &status))
		return error_set(error, STATUS_FAILED, "%s: %s; name a trace that hvrec record wrote", path,
				 strerror(errno));
	if (S_ISDIR(status.st_mode))
		return error_set(error, STATUS_FAILED, "%s: is a folder; name a trace, which is a file", path);
	if (!S_ISREG(status.st_mode))
		return error_set(error, STATUS_FAILED, "%s: is not a regular file; name a trace", path);
	if (status.st_size == 0)
		return error_set(error, STATUS_FAILED, "%s: is empty: nothing was recorded; record it again", path);
	return true;
}

static uint64_t header_bytes_expected(const uint8_t *header)
{
	uint32_t page_bytes = header_u32(header, HEADER_PAGE_BYTES) >> 16;
	if (page_bytes == 1)
		page_bytes = 65536;
	if (header_u32(header, HEADER_CHANGES) != header_u32(header, HEADER_PAGE_COUNT_OF))
		return 0;
	return (uint64_t)page_bytes * header_u32(header, HEADER_PAGE_COUNT);
}

bool trace_db_identify(const char *path, sqlite3 *db, struct trace_identity *identity, struct error *error)
{
	if (!file_regular(path, error))
		return false;
	uint8_t header[HEADER_BYTES] = {0};
	sqlite3_file *file = NULL;
	sqlite3_int64 bytes = 0;
	int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (code == SQLITE_OK && !file->pMethods)
		code = SQLITE_CANTOPEN;
	if (code == SQLITE_OK)
		code = file->pMethods->xFileSize(file, &bytes);
	if (code == SQLITE_OK)
		code = file->pMethods->xRead(file, header, HEADER_BYTES, 0);
	if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
		return trace_sql_error(db, path, "cannot read", code, error);
	if (memcmp(header, "SQLite format 3", 16) != 0 || bytes < HEADER_BYTES)
		return error_set(error, STATUS_FAILED, "%s: is not a trace; name a file that hvrec record wrote", path);
	uint32_t application_id = header_u32(header, HEADER_APPLICATION_ID);
	if (application_id != TRACE_APPLICATION_ID)
		return error_set(error, STATUS_FAILED,
				 "%s: is an sqlite database but not a trace (application_id 0x%08x); name a file that "
				 "hvrec record wrote",
				 path, (unsigned)application_id);
	*identity = (struct trace_identity){
		.version = (int)header_u32(header, HEADER_USER_VERSION),
		.bytes = (uint64_t)bytes,
		.bytes_expected = header_bytes_expected(header),
	};
	return true;
}

/* Pages that a killed recorder's last checkpoint did not bring into the file are still in its -wal. */
static bool has_wal(const char *path)
{
	struct stat status;
	char *name = sqlite3_mprintf("%s-wal", path);
	bool found = name && stat(name, &status) == 0 && status.st_size > 0;
	sqlite3_free(name);
	return found;
}

static bool identity_readable(const char *path, const struct trace_identity *identity, struct error *error)
{
	if (identity->bytes < identity->bytes_expected && !has_wal(path))
		return error_set(error, STATUS_FAILED,
				 "%s: is truncated: %llu of %llu bytes; copy it again, or try hvrec repair", path,
				 (unsigned long long)identity->bytes, (unsigned long long)identity->bytes_expected);
	if (identity->version > TRACE_VERSION)
		return error_set(error, STATUS_FAILED,
				 "%s: has trace format %d and this hvrec knows up to %d; use a newer hvrec", path,
				 identity->version, TRACE_VERSION);
	if (identity->version < 1)
		return error_set(error, STATUS_FAILED, "%s: has no valid trace format (%d); record it again", path,
				 identity->version);
	return true;
}

void trace_db_harden(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 1000000000);
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, 5000);
}

/* One of our tables must be a table, with our very text; *there: it is there at all. */
static bool table_known(sqlite3_stmt *statement, int table, int version, const char *path, bool *there,
			struct error *error)
{
	int code = sqlite3_bind_text(statement, 1, trace_table_names[table], -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	const char *sql = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	bool same = sql && strcmp(sql, trace_table_sql[table]) == 0;
	sqlite3_reset(statement);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return trace_sql_error(sqlite3_db_handle(statement), path, "cannot read", code, error);
	*there = code == SQLITE_ROW;
	return same || (!*there && table >= TRACE_TABLE_COUNT) ||
	       error_set(error, STATUS_FAILED, "%s: its table '%s' is not as trace format %d has it; record it again",
			 path, trace_table_names[table], version);
}

/* Further tables are no harm. */
static bool schema_known(sqlite3 *db, const char *path, int version, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1", -1,
				      &statement, NULL);
	bool good = code == SQLITE_OK || trace_sql_error(db, path, "cannot read", code, error);
	int count = trace_table_count(version), there_count = 0;
	for (int i = 0; i < count && good; i++) {
		bool there = false;
		good = table_known(statement, i, version, path, &there, error);
		there_count += there;
	}
	sqlite3_finalize(statement);
	if (good && there_count > TRACE_TABLE_COUNT && there_count < count)
		return error_set(error, STATUS_FAILED,
				 "%s: is damaged: it has some of the tables for devices, and others not; copy or "
				 "record it again",
				 path);
	return good;
}

/* In a folder that cannot be written, sqlite cannot make the files that WAL needs; nor can a reader roll back the
 * -journal of a recorder that was killed while it left WAL mode, a change of two bytes of the header. If no -wal is
 * there, nothing is missing from the main file, and it can be read as it is. */
static sqlite3 *open_immutable(const char *path)
{
	sqlite3 *db = NULL;
	struct stat status;
	char *wal = sqlite3_mprintf("%s-wal", path);
	bool alone = wal && stat(wal, &status) != 0;
	sqlite3_free(wal);
	if (!alone)
		return NULL;
	sqlite3_str *uri = sqlite3_str_new(NULL);
	sqlite3_str_appendall(uri, path[0] == '/' ? "file://" : "file:");
	for (const char *c = path; *c; c++)
		sqlite3_str_appendf(uri, strchr("%?#", *c) ? "%%%02x" : "%c", (unsigned char)*c);
	sqlite3_str_appendall(uri, "?immutable=1");
	char *text = sqlite3_str_finish(uri);
	if (text && sqlite3_open_v2(text, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) != SQLITE_OK) {
		sqlite3_close(db);
		db = NULL;
	}
	sqlite3_free(text);
	return db;
}

static bool needs_writing(int code)
{
	return (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY;
}

/* The connection to read through: `db`, or its immutable stand-in. */
static sqlite3 *readable(const char *path, sqlite3 *db)
{
	if (sqlite3_exec(db, "SELECT count(name) FROM sqlite_schema", NULL, NULL, NULL) == SQLITE_OK ||
	    !needs_writing(sqlite3_errcode(db)))
		return db;
	sqlite3 *immutable = open_immutable(path);
	if (!immutable)
		return db;
	sqlite3_close(db);
	trace_db_harden(immutable);
	trace_limit_set(immutable);
	return immutable;
}

bool trace_db_check(sqlite3 *db, const char **path, int *version, struct error *error)
{
	struct trace_identity identity = {0};
	const char *file = sqlite3_db_filename(db, "main");
	if (!file || !*file)
		return error_set(error, STATUS_FAILED, "the main database is not a file; open a trace as the database");
	if (!trace_db_identify(file, db, &identity, error) || !identity_readable(file, &identity, error) ||
	    !schema_known(db, file, identity.version, error))
		return false;
	*path = file;
	*version = identity.version;
	return true;
}

sqlite3 *trace_db_open(const char *path, int *version, struct error *error)
{
	if (!file_regular(path, error))
		return NULL;
	sqlite3 *db = NULL;
	struct trace_identity identity = {0};
	errno = 0;
	int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	bool good = code == SQLITE_OK || trace_sql_error(db, path, "cannot open", code, error);
	if (good)
		trace_db_harden(db);
	good = good && trace_db_identify(path, db, &identity, error) && identity_readable(path, &identity, error);
	if (good) {
		trace_limit_set(db);
		db = readable(path, db);
		good = schema_known(db, path, identity.version, error);
		trace_limit_clear(db);
	}
	*version = identity.version;
	if (!good) {
		sqlite3_close(db);
		return NULL;
	}
	return db;
}
