/* The table of commands that fuzz_trace.c's files are given to: a new command is one row in trace_commands.c. */
#pragma once
#include "tests/fuzz/trace_readers.h"

/* Runs those whose turn it is. What they answer is not looked at. */
void trace_commands_run(const struct trace_readers_paths *paths);

/* Prints how many files each command was given, each behind a comma. */
void trace_commands_report(FILE *out);
