/* Everything in hvrec that reads a trace, as a table: a new reader is one row in trace_readers.c. */
#pragma once

/* Runs all readers on the file. Whatever they say about it is right; only a crash, a hang or too much memory is wrong.
 */
void trace_readers_run(const char *path);
