/* A file may be named in two ways, so names and inodes are compared. */
#include "recorder/record_files.h"
#include "hv/host/path.h"
#include "recorder/guest.h"

#include <string.h>

static bool console_spares(const char *console, const char *file, struct error *error)
{
	bool same = file && console && strcmp(file, console) == 0 && strcmp(file, "-") != 0;
	return (!same && !path_same_file(file, console)) ||
	       error_set(error, STATUS_FAILED, "--console %s would overwrite %s", console, file);
}

bool record_files_spare(const struct record_options *options, struct error *error)
{
	const char *const files[] = {options->trace, record_program(options), options->initrd, options->dtb,
				     options->input};
	bool spares = true;
	for (size_t i = 0; spares && i < sizeof(files) / sizeof(files[0]); i++)
		spares = console_spares(options->console, files[i], error);
	for (size_t i = 0; spares && i < options->devices.disk_count; i++)
		spares = console_spares(options->console, options->devices.disks[i].path, error);
	return spares;
}
