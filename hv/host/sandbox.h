/* Traces are sent around, and a guest may be hostile: what works on them gives up what it does not need, so that
 * taking it over leads nowhere.
 *
 * 1. Files (Landlock, Linux 5.13): writing only where an output was asked for, nothing else; the machine may not even
 *    read but what a program needs to start.
 * 2. System calls (seccomp): no network, no other processes, no tracing, no administration.
 * 3. What is given up stays so, for every thread and process that is started later.
 *
 * A kernel without one of the two does without: hvrec works as before, and the other still holds. Nothing of it is in
 * force while somebody debugs hv (machine_is_debugged), who needs the machine's own gdb server. */
#pragma once
#include "hv/error/error.h"
#include <stdbool.h>

/* What this process still has to write; a NULL is nothing. */
struct sandbox_files {
	const char *traces[2]; /* read; one that a killed recorder left is read with the help of its -wal and -shm */
	const char *outputs;   /* a folder, or a file: its folder then, because files get their names when complete */
	const char *socket;    /* one will be made there */
};

enum sandbox_calls {
	SANDBOX_NO_NETWORK = 1,   /* but sockets that are open, and pairs of them */
	SANDBOX_NO_PROCESSES = 2, /* no more of them */
};

/* For this process, from now on. `files` NULL: files stay as they are; else call before other threads are started.
 * `calls`: flags of enum sandbox_calls, for all threads. */
void sandbox_enter(const struct sandbox_files *files, unsigned calls);

/* What a child process is to be confined by; made before the fork, because then nothing may be allocated. */
struct sandbox_child {
	int files_fd; /* a Landlock ruleset; -1: none */
	struct sock_fprog *calls;
};

/* For `program` (looked for in PATH), which reads `file` too. Give it back with sandbox_child_free. */
void sandbox_child_make(struct sandbox_child *child, const char *program, const char *file);
void sandbox_child_free(struct sandbox_child *child);
/* In the child, before it executes the program. Only makes system calls. */
void sandbox_child_enter(const struct sandbox_child *child);
