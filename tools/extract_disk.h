/* hvrec extract --disk: a disk of the guest as a sparse raw file. */
#pragma once
#include "storage/trace.h"

struct extract_disk {
	const char *name;  /* the disk's, as the trace has it */
	const char *at;    /* the place, as place_find reads it; NULL: the end */
	const char *image; /* raw: what is under the guest's writes; NULL: nothing */
	const char *output;
	bool force; /* an existing file may be replaced */
};

/* Writes the file and prints a line about it. False: error set, and no file is made or changed. */
bool extract_disk(struct trace_reader *trace, const struct extract_disk *disk, struct error *error);
