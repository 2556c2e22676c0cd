/* seccomp filters, made by libseccomp. */
#pragma once
#include <linux/filter.h>

/* A filter that denies what `flags` (enum sandbox_calls) say and what nobody here needs; NULL: there is none to be had.
 * Give it back with sandbox_filter_free. */
struct sock_fprog *sandbox_filter_make(unsigned flags);
void sandbox_filter_free(struct sock_fprog *filter);
