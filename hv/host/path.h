/* Where hvrec's own files are, and reading files whole. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>

/* hv.elf: beside the program (a build folder) or in ../lib/hvrec (installed); malloc'd. NULL: there is none, error set.
 */
char *path_hv_image(struct error *error);
/* hvrec.py, gdb's commands for hvrec: in ../tools/gdb beside the program's folder (a source tree's build folder) or in
 * ../share/hvrec (installed); malloc'd. NULL: there is none, error set. */
char *path_gdb_commands(struct error *error);
/* U-Boot for QEMU's virt board: of the package u-boot-qemu, or in guest/u-boot/ beside the program (as
 * tools/fetch-guest leaves it in a build folder); malloc'd. NULL: there is none, error set. */
char *path_u_boot(struct error *error);
/* Whether both name the same existing file; a NULL names none. */
bool path_same_file(const char *a, const char *b);
/* Whether an output file of that name may be written: a slip in the order of names must not cost a recording, so no
 * sqlite database is replaced by something else. False: error set. */
bool path_replaceable(const char *path, struct error *error);
/* The whole file, malloc'd, with a NUL after it; `what` names its role in errors ("kernel"). NULL: error set. */
void *path_read_file(const char *path, const char *what, size_t *bytes, struct error *error);
