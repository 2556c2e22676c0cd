/* Everything in hvrec that reads a trace, as two tables: functions in trace_readers.c, commands in trace_commands.c. A
 * new one is one row. Each has a share: 1 is for every file, K for one file in K; larger ones are for what writes much,
 * or takes as long as all others together. A reader is given a sound file as often as a damaged one. */
#pragma once
#include <stdio.h>

/* Where the readers write; the caller removes what is there at the end. */
struct trace_readers_paths {
	const char *trace;  /* the file that is read */
	const char *sound;  /* a sound trace, to compare with */
	const char *output; /* a file */
	const char *folder;
};

/* Runs the readers on the file. Whatever they say about it is right; only a crash, a hang or too much memory is wrong.
 */
void trace_readers_run(const struct trace_readers_paths *paths);

/* Prints how many files each reader was given. */
void trace_readers_report(FILE *out);
