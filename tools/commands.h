/* The subcommands. Each gets its own name as argv[0], fills `error` when it fails, and prints nothing for that itself.
 */
#pragma once
#include "hv/error/error.h"

#define HVREC_VERSION "0.1"

struct command {
	const char *name;
	void (*run)(int argc, char **argv, struct error *error);
	const char *summary;
};

void record_command(int argc, char **argv, struct error *error);
void replay_command(int argc, char **argv, struct error *error);
void verify_command(int argc, char **argv, struct error *error);
void trim_command(int argc, char **argv, struct error *error);
void info_command(int argc, char **argv, struct error *error);
void repair_command(int argc, char **argv, struct error *error);
void debug_command(int argc, char **argv, struct error *error);
void report_command(int argc, char **argv, struct error *error);
void export_command(int argc, char **argv, struct error *error);
void symbols_command(int argc, char **argv, struct error *error);
void events_command(int argc, char **argv, struct error *error);
void console_command(int argc, char **argv, struct error *error);
void stat_command(int argc, char **argv, struct error *error);
void diff_command(int argc, char **argv, struct error *error);
void extract_command(int argc, char **argv, struct error *error);
void sql_command(int argc, char **argv, struct error *error);
