/* The extension's own sources are compiled into the fuzzer as they are into hvrec, and so call the sqlite that is
 * linked in. What differs from `hvrec sql`: the connection has none of hvrec's settings and no bound on a query's
 * length, a file's own tables and views come before ours of the same name, and the trace is open a second time beside
 * itself. */
#include "tests/fuzz/trace_extension.h"
#include "tests/fuzz/random.h"
#include "tools/sql/sql_register.h"

#include <stddef.h>

static const char *const queries[] = {
	"SELECT kind, count(*) FROM events GROUP BY kind",
	"SELECT * FROM events WHERE n >= 2000 AND n < 4000",
	"SELECT * FROM hvrec_events WHERE event BETWEEN 25 AND 40 ORDER BY event DESC",
	"SELECT max(time_ns) FROM events WHERE time_ns > 3000.5 AND kind IN ('IDLE', 'EXIT')",
	"SELECT * FROM console WHERE text LIKE '%console%'",
	"SELECT * FROM hvrec_console WHERE n > 1000 LIMIT 3",
	"SELECT * FROM keyframes",
	"SELECT e.text FROM console c JOIN events e ON e.event BETWEEN c.event - 2 AND c.event",
	"SELECT count(*) FROM temp.other o JOIN hvrec_events e USING(event) WHERE o.n <> e.n OR o.pc <> e.pc",
	"SELECT d.op, p.payload FROM disk d LEFT JOIN packets p ON p.event = d.event + 1",
	"SELECT k.n, count(o.event) FROM keyframes k LEFT JOIN temp.other o ON o.n = k.n GROUP BY 1",
};

static int run(sqlite3 *db, const char *path)
{
	char *other = sqlite3_mprintf("CREATE VIRTUAL TABLE temp.other USING hvrec_events(%Q)", path);
	int code = sql_register(db);
	if (code == SQLITE_OK)
		sqlite3_exec(db, other, NULL, NULL, NULL);
	sqlite3_free(other);
	if (code != SQLITE_OK)
		return code;
	return sqlite3_exec(db, queries[random_below(sizeof(queries) / sizeof(queries[0]))], NULL, NULL, NULL);
}

void trace_extension_ask(const char *path, struct error *error)
{
	sqlite3 *db = NULL;
	int flags = random_below(2) ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK || run(db, path) != SQLITE_OK)
		error_set(error, STATUS_FAILED, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}
