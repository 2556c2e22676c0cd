/* How every host-side function fails: it fills a struct error with one line that says what is wrong, with which file or
 * register, and what to do, and returns false (or NULL). The first failure stays: later ones do not overwrite it. */
#pragma once
#include <stdbool.h>

/* The program's exit statuses. */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,      /* usage, I/O or machine error */
	STATUS_DIVERGED = 2,    /* a replay did not do what its trace says */
	STATUS_UNSUPPORTED = 3, /* the guest did what hv does not support, or ran past a limit */
};

enum { ERROR_TEXT_BYTES = 1024 };

struct error {
	enum status status;
	char text[ERROR_TEXT_BYTES];
};

/* Fills `error` if it is still STATUS_OK. Always returns false, so that `return error_set(…)` reads well. */
__attribute__((format(printf, 3, 4))) bool error_set(struct error *error, enum status status, const char *format, ...);

/* Appends to the text of an `error` that is set; what does not fit is cut off. */
__attribute__((format(printf, 2, 3))) void error_add(struct error *error, const char *format, ...);
