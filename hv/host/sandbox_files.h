/* Landlock rulesets (Linux: Documentation/userspace-api/landlock.rst). */
#pragma once
#include <stdbool.h>

enum sandbox_access {
	SANDBOX_READ,         /* and execute */
	SANDBOX_WRITE,        /* an existing file, or read it */
	SANDBOX_WRITE_FOLDER, /* files in it: made, replaced, written, removed */
	SANDBOX_MAKE_SOCKET,  /* in it, and remove it */
};

/* Makes a ruleset that denies everything: the descriptor, or -1 if the kernel has no Landlock. */
int sandbox_ruleset_make(void);
/* Allows what is at `path` and below. A path that does not exist needs no permission. */
void sandbox_ruleset_allow(int ruleset, const char *path, enum sandbox_access access);
/* The same for the folder that `path` is in. */
void sandbox_ruleset_allow_folder_of(int ruleset, const char *path, enum sandbox_access access);
/* For this thread and what it starts. Only makes system calls. */
void sandbox_ruleset_enter(int ruleset);
