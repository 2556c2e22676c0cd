/* Included in front of every source of the extension (see the Makefile): from here on sqlite's functions are those of
 * the program that loaded it, which may have another sqlite than ours linked in. */
#pragma once
#include <sqlite3ext.h>
extern const sqlite3_api_routines *sqlite3_api;
