/* The loadable extension hvrec_sqlite.so: its entry point, which every sqlite looks for first. Only the extension has
 * this file. https://www.sqlite.org/loadext.html */
#include "tools/sql/sql_extension.h"
#include "tools/sql/sql_register.h"

SQLITE_EXTENSION_INIT1

enum { VERSION_MIN = 3033000 }; /* the first that knows the name sqlite_schema */

__attribute__((visibility("default"))) int sqlite3_extension_init(sqlite3 *db, char **message,
								  const sqlite3_api_routines *api);

int sqlite3_extension_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
	SQLITE_EXTENSION_INIT2(api)
	if (sqlite3_libversion_number() < VERSION_MIN) {
		*message = sqlite3_mprintf("hvrec_sqlite needs sqlite 3.33 or newer; this is %s", sqlite3_libversion());
		return SQLITE_ERROR;
	}
	return sql_register(db);
}
