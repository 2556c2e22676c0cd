/* Creating a trace's file: what may be replaced, the lock that keeps two recordings apart, tables and settings.
 * The lock is flock's, on a descriptor of our own that is closed after sqlite's (closing any descriptor of a file drops
 * the process's POSIX locks on it, and those are sqlite's). */
#include "storage/trace_create.h"
#include "storage/trace_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_trace(const char *path, struct error *error)
{
	sqlite3 *db = NULL;
	struct trace_identity identity = {0};
	errno = 0;
	int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	bool good = code == SQLITE_OK ? trace_db_identify(path, db, &identity, error)
				      : trace_sql_error(db, path, "cannot read", code, error);
	sqlite3_close(db);
	return good;
}

static bool may_replace(const char *path, struct error *error)
{
	struct error why = {0};
	struct stat status;
	if (stat(path, &status))
		return error_set(error, STATUS_FAILED, "%s: %s; name another trace", path, strerror(errno));
	if (S_ISDIR(status.st_mode))
		return error_set(error, STATUS_FAILED, "%s: is a folder; name a file for the trace", path);
	if (!S_ISREG(status.st_mode) || (status.st_size && !is_trace(path, &why)))
		return error_set(error, STATUS_FAILED,
				 "%s: exists and is not a trace, so it is not replaced; remove it or name another file",
				 path);
	if (access(path, W_OK))
		return error_set(error, STATUS_FAILED, "%s: %s, so it is not replaced; name another file", path,
				 strerror(errno));
	return true;
}

static bool not_locked(const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(error, STATUS_FAILED, "%s: %s; name another trace", path, strerror(errno));
	bool free_now = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
	close(fd);
	return free_now || error_set(error, STATUS_FAILED,
				     "%s: is being recorded by another hvrec; end that or name another trace", path);
}

void trace_remove(const char *path)
{
	static const char *const suffixes[] = {"-wal", "-shm", "-journal", ""};
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char *name = sqlite3_mprintf("%s%s", path, suffixes[i]);
		if (name)
			unlink(name);
		sqlite3_free(name);
	}
}

int trace_create_file(const char *path, struct error *error)
{
	if (access(path, F_OK) == 0) {
		if (!may_replace(path, error) || !not_locked(path, error))
			return -1;
	}
	/* a -wal of a file that is gone would be taken for the new one's */
	trace_remove(path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		error_set(error, STATUS_FAILED, "%s: cannot create: %s; name another trace", path, strerror(errno));
	else
		flock(fd, LOCK_EX | LOCK_NB); /* where flock is not supported, only the check above is lost */
	return fd;
}

static int make_tables(sqlite3 *db)
{
	/* auto_vacuum can only be set before the first table */
	int code = sqlite3_exec(db, "PRAGMA auto_vacuum = INCREMENTAL; BEGIN", NULL, NULL, NULL);
	for (unsigned i = 0; i < TRACE_TABLE_COUNT && code == SQLITE_OK; i++)
		code = sqlite3_exec(db, trace_table_sql[i], NULL, NULL, NULL);
	char *end = sqlite3_mprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
				    TRACE_APPLICATION_ID, TRACE_VERSION);
	if (code == SQLITE_OK)
		code = end ? sqlite3_exec(db, end, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(end);
	return code;
}

/* Fills the empty file with a trace without anything in it, by one write: a recorder killed at any moment leaves an
 * empty file or a trace, and no journal. The database is made in memory, in the form that a WAL file has (bytes 18 and
 * 19 of the header, https://www.sqlite.org/fileformat.html). */
static int write_empty(int fd)
{
	enum { HEADER_WRITE_VERSION = 18, HEADER_READ_VERSION = 19, VERSION_WAL = 2 };
	sqlite3 *db = NULL;
	sqlite3_int64 bytes = 0;
	int code = sqlite3_open(":memory:", &db);
	if (code == SQLITE_OK)
		code = make_tables(db);
	unsigned char *image = code == SQLITE_OK ? sqlite3_serialize(db, "main", &bytes, 0) : NULL;
	if (code == SQLITE_OK && !image)
		code = SQLITE_NOMEM;
	if (code == SQLITE_OK) {
		image[HEADER_WRITE_VERSION] = image[HEADER_READ_VERSION] = VERSION_WAL;
		ssize_t done = pwrite(fd, image, (size_t)bytes, 0);
		if (done != bytes)
			code = done < 0 && errno != ENOSPC ? SQLITE_IOERR_WRITE : SQLITE_FULL;
	}
	sqlite3_free(image);
	sqlite3_close(db);
	return code;
}

/* sqlite answers with the mode that it is in now, and calls it no error if that is not WAL. */
static int turn_wal_on(sqlite3 *db)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		const char *mode = (const char *)sqlite3_column_text(statement, 0);
		code = mode && sqlite3_stricmp(mode, "wal") == 0 ? SQLITE_OK : SQLITE_CANTOPEN;
	}
	sqlite3_finalize(statement);
	return code == SQLITE_OK ? sqlite3_exec(db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL) : code;
}

sqlite3 *trace_create_db(const char *path, int fd, struct error *error)
{
	sqlite3 *db = NULL;
	errno = 0;
	int code = write_empty(fd);
	if (code == SQLITE_OK)
		code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	if (code == SQLITE_OK) {
		trace_db_harden(db);
		code = turn_wal_on(db);
	}
	if (code != SQLITE_OK) {
		trace_sql_error(db, path, "cannot create", code, error);
		sqlite3_close(db);
		return NULL;
	}
	return db;
}
