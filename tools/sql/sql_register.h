/* Gives a connection the tables and functions of docs/SQL.md, for hvrec and for the extension. */
#pragma once
#include <sqlite3.h>

/* Adds events, console, disk, packets (also as hvrec_events and so on, for other traces), the view keyframes in temp,
 * and the function hvrec_chunks_read. What main holds is not looked at before a query needs it. Returns sqlite's code.
 */
int sql_register(sqlite3 *db);
