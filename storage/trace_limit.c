/* sqlite calls the progress handler every STRIDE operations. What was taken is counted for each thread: a connection
 * belongs to one, and set and clear stand around one step. */
#include "storage/trace_limit.h"

#include <stddef.h>
#include <stdint.h>

enum { STRIDE = 10000, STRIDES_MAX = 2000 };

static _Thread_local uint32_t strides;

static int stride_taken(void *context)
{
	uint32_t *taken = context;
	return ++*taken > STRIDES_MAX;
}

void trace_limit_set(sqlite3 *db)
{
	strides = 0;
	sqlite3_progress_handler(db, STRIDE, stride_taken, &strides);
}

void trace_limit_clear(sqlite3 *db)
{
	sqlite3_progress_handler(db, 0, NULL, NULL);
}
