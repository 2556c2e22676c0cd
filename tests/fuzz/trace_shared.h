/* Lets all readers of one mutated file share one connection to it, because opening costs more than most of them do: the
 * linker leads trace_open and trace_close of everything but storage/trace_read.c here (--wrap, see the Makefile), and
 * the sqlite calls that compile and free queries.
 *
 * 1. A file is opened by trace_open once; whoever opens it again gets the same reader, or the same error.
 * 2. A query is compiled once for each connection; whoever compiles it again gets the same statement, reset.
 * 3. A text or blob that a query gives is in a block of its own size, so that reading past its end is found.
 * 4. Other files are opened and closed as ever. */
#pragma once

/* To be called before sqlite is used: no threads, no statistics, and memory that the sanitizer does not look at, for
 * sqlite's code is not what is tested, and all three take time. */
void trace_shared_configure(void);

/* The file at `path` is a new one from now on, until trace_shared_end. `path` must live as long. */
void trace_shared_start(const char *path);
void trace_shared_end(void);

/* The file at `path` is the same for ever: the other side of a comparison. */
void trace_shared_keep(const char *path);
