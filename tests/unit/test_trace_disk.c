/* A disk that fails: each single write, sync and truncation of a recording, and each read of a trace, in turn. sqlite's
 * own file methods stay; those that can fail are called through here. */
#include "tests/unit/trace_fixture.h"

#include <sqlite3.h>

enum { COMMITS = 4, STEP = 10, CALLS_MAX = 2000 };

TestSuite(trace_disk, .init = fixture_setup, .fini = fixture_teardown);

static sqlite3_vfs vfs;
static const sqlite3_vfs *real_vfs;
static struct { /* sqlite has one set of methods for the database and another for what stands beside it */
	const sqlite3_io_methods *real;
	sqlite3_io_methods ours;
} sets[8];
static int writes_left = -1, reads_left = -1; /* calls until one fails; -1: none does */
static int code;                              /* what it fails with */

static bool fails(int *left)
{
	if (*left > 0)
		--*left;
	return *left == 0;
}

static const sqlite3_io_methods *real_of(const sqlite3_file *file)
{
	size_t i = 0;
	while (&sets[i].ours != file->pMethods)
		i++;
	return sets[i].real;
}

static int failing_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 offset)
{
	return fails(&writes_left) ? code : real_of(file)->xWrite(file, data, bytes, offset);
}

static int failing_sync(sqlite3_file *file, int flags)
{
	return fails(&writes_left) ? code : real_of(file)->xSync(file, flags);
}

static int failing_truncate(sqlite3_file *file, sqlite3_int64 bytes)
{
	return fails(&writes_left) ? code : real_of(file)->xTruncate(file, bytes);
}

static int failing_read(sqlite3_file *file, void *data, int bytes, sqlite3_int64 offset)
{
	return fails(&reads_left) ? code : real_of(file)->xRead(file, data, bytes, offset);
}

static int open_through(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *out)
{
	(void)self;
	int result = real_vfs->xOpen((sqlite3_vfs *)real_vfs, name, file, flags, out);
	if (result == SQLITE_OK && file->pMethods) {
		size_t i = 0;
		while (sets[i].real && sets[i].real != file->pMethods)
			i++;
		sets[i].real = file->pMethods;
		sets[i].ours = *file->pMethods;
		sets[i].ours.xWrite = failing_write;
		sets[i].ours.xSync = failing_sync;
		sets[i].ours.xTruncate = failing_truncate;
		sets[i].ours.xRead = failing_read;
		file->pMethods = &sets[i].ours;
	}
	return result;
}

static void disk_make(int failure)
{
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "failing";
	vfs.xOpen = open_through;
	code = failure;
	cr_assert_eq(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

static void check_text(const struct error *error, const char *expected)
{
	cr_assert_eq(error->status, STATUS_FAILED);
	cr_assert(strncmp(error->text, path, strlen(path)) == 0 && strstr(error->text, expected), "%s", error->text);
}

/* Records while the disk may fail. Returns how many events were committed; *finished: nothing failed. */
static uint64_t record(struct error *error, bool *created, bool *finished)
{
	uint64_t committed = 0;
	struct trace_writer *w = trace_create(path, error);
	bool good = w != NULL;
	*created = good;
	for (int i = 0; i < COMMITS && good; i++) {
		good = fixture_commit(w, committed, STEP, error);
		committed += good ? STEP : 0;
	}
	*finished = good && trace_finish(w, error);
	trace_writer_free(w);
	return committed;
}

static void each_write_fails(int failure, const char *expected)
{
	int failed = 0;
	disk_make(failure);
	for (int call = 1; call < CALLS_MAX; call++) {
		struct error error = {0};
		bool created = false, finished = false;
		writes_left = call;
		uint64_t committed = record(&error, &created, &finished);
		bool reached = writes_left == 0;
		writes_left = -1;
		cr_assert(finished || error.status != STATUS_OK, "call %d", call);
		if (!finished)
			check_text(&error, expected);
		if (created)
			cr_assert_geq(fixture_read(path), committed, "call %d lost events", call);
		failed += !finished;
		if (!reached)
			break;
	}
	cr_assert_gt(failed, 10, "only %d failures: the disk did not fail", failed);
}

Test(trace_disk, each_write_may_find_no_space)
{
	each_write_fails(SQLITE_FULL, "no space left");
}

Test(trace_disk, each_write_may_fail)
{
	each_write_fails(SQLITE_IOERR_WRITE, "check the disk");
}

Test(trace_disk, each_read_may_fail)
{
	fixture_record(100, 10);
	disk_make(SQLITE_IOERR_READ);
	int failed = 0;
	for (int call = 1; call < CALLS_MAX; call++) {
		struct error error = {0};
		reads_left = call;
		struct trace_reader *r = trace_open(path, &error);
		struct trace_cursor *c = r ? trace_seek(r, 0, &error) : NULL;
		struct event events[7];
		int64_t got = c ? 1 : -1;
		while (got > 0)
			got = trace_next(c, events, 7, &error);
		trace_cursor_free(c);
		trace_close(r);
		bool reached = reads_left == 0;
		reads_left = -1;
		cr_assert_eq(got < 0, error.status != STATUS_OK);
		if (got < 0)
			check_text(&error, "");
		failed += got < 0;
		if (!reached)
			break;
	}
	cr_assert_gt(failed, 3, "only %d failures: the disk did not fail", failed);
	cr_assert_eq(fixture_read(path), 100);
}
