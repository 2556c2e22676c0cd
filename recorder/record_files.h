/* The files of a recording, as the user named them. */
#pragma once
#include "recorder/record.h"

/* Whether --console is none of the files that the recording reads or writes. False: it would overwrite one, error set.
 */
bool record_files_spare(const struct record_options *options, struct error *error);
