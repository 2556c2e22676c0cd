/* hvrec extract: the recorded files, byte for byte, and the console and command line, as files of one folder; or a
 * disk, which tools/extract_disk.c writes.
 *
 * 1. Nothing is overwritten without --force, and then each file is replaced at once, when its successor is whole.
 * 2. No name from the trace becomes a path: those of FILES do, and ram/ with a number after it.
 * 3. What is asked for is known to be in the trace, and not yet in the folder, before the first file is written. */
#include "hv/host/event_console.h"
#include "hv/host/sandbox.h"
#include "replay/trace/event_stream.h"
#include "tools/commands.h"
#include "tools/extract_disk.h"
#include "tools/options.h"
#include "tools/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 64, ITEM_MAX = 64 };

static const char *const files[] = {"kernel", "firmware", "initrd", "dtb", "console", "cmdline"};
enum { FILE_COUNT = sizeof(files) / sizeof(files[0]) };

struct extraction {
	struct trace_reader *trace;
	const char *folder;
	int folder_fd;
	bool force;
	const char *items[ITEM_MAX];
	size_t item_count;
	const char *output; /* NULL: the current folder */
	struct extract_disk disk;
};

static const struct option_row rows[] = {
	{"output", 'o', "DIR", "the folder (default: the current one), made if it is not there; with --disk: the file",
	 options_text, offsetof(struct extraction, output)},
	{"force", 0, NULL, "replace files that exist", options_flag, offsetof(struct extraction, force)},
	{"disk", 0, "NAME", "instead of files, the disk of that name (vda, or as it was recorded) as a sparse raw file",
	 options_text, offsetof(struct extraction, disk.name)},
	{"at", 0, "PLACE",
	 "with --disk, as it was there: N, \"event K\", \"time SECONDS\", PERCENT%, start or end (default: end)",
	 options_text, offsetof(struct extraction, disk.at)},
	{"image", 0, "FILE",
	 "with --disk, the raw image that was recorded: it has the blocks that the guest never used", options_text,
	 offsetof(struct extraction, disk.image)},
	{0},
};

static const struct command_options command_options = {
	.head = "usage: hvrec extract TRACE [OPTIONS] [FILE...]\n"
		"       hvrec extract TRACE --disk NAME -o FILE [--at PLACE] [--image FILE]\n"
		"\n"
		"Writes what was recorded as files: kernel or firmware, initrd and dtb, byte for byte; console, what "
		"the\n"
		"guest printed; cmdline. Without FILE, all of these that the trace has. FILE can also be ram/ADDRESS, "
		"a "
		"piece\n"
		"of the RAM that the guest began with, which is written as ram-ADDRESS.\n",
	.rows = rows,
	.argument_min = 1,
	.argument_max = INT_MAX,
	.arguments = "one TRACE",
};

static bool is_known(const char *name)
{
	for (int i = 0; i < FILE_COUNT; i++) {
		if (strcmp(name, files[i]) == 0)
			return true;
	}
	size_t length = strlen(name);
	return strncmp(name, "ram/", 4) == 0 && length > 4 && length < NAME_BYTES / 2 &&
	       strspn(name + 4, "0123456789abcdef") == length - 4;
}

/* What an item's contents are; TRACE_FOUND: *data is malloc'd. The console has none here: it is written as it is read.
 */
static enum trace_found contents_get(struct trace_reader *trace, const char *name, void **data, size_t *bytes,
				     struct error *error)
{
	char *text = NULL;
	if (strcmp(name, "console") == 0)
		return TRACE_FOUND;
	if (strcmp(name, "cmdline") != 0)
		return trace_get_file(trace, name, data, bytes, error);
	enum trace_found found = trace_get_text(trace, TRACE_META_BOOTARGS, &text, error);
	*data = text;
	*bytes = text ? strlen(text) : 0;
	return found;
}

static void console_write_to(struct trace_reader *trace, FILE *file, struct error *error)
{
	struct event_stream *stream = event_stream_open(trace_seek(trace, 0, error), error);
	struct event_at at;
	uint8_t byte;
	while (stream && !ferror(file) && event_stream_next(stream, &at, error)) {
		if (event_console_bytes(&at.event, 1, &byte) == 1)
			putc(byte, file);
	}
	event_stream_free(stream);
}

static bool fill(const struct extraction *e, const char *item, int fd, struct error *error)
{
	void *data = NULL;
	size_t bytes = 0;
	FILE *file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		return error_set(error, STATUS_FAILED, "out of memory");
	}
	errno = 0;
	enum trace_found found = contents_get(e->trace, item, &data, &bytes, error);
	if (found == TRACE_FOUND && data)
		fwrite(data, 1, bytes, file);
	else if (found == TRACE_FOUND)
		console_write_to(e->trace, file, error);
	free(data);
	bool written = !ferror(file);
	written = fclose(file) == 0 && written;
	if (!written)
		error_set(error, STATUS_FAILED, "cannot write %s: %s", item, strerror(errno));
	return error->status == STATUS_OK && found == TRACE_FOUND;
}

/* The item's name in the folder. */
static void name_in_folder(const char *item, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "%s", item);
	char *slash = strchr(name, '/');
	if (slash)
		*slash = '-';
}

static bool write_item(const struct extraction *e, const char *item, struct error *error)
{
	char name[NAME_BYTES], target[NAME_BYTES + 32];
	name_in_folder(item, name);
	snprintf(target, sizeof(target), e->force ? ".%s.%ld" : "%s", name, (long)getpid());
	int fd = openat(e->folder_fd, target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return error_set(error, STATUS_FAILED, "cannot write %s/%s: %s", e->folder, name, strerror(errno));
	bool good = fill(e, item, fd, error);
	if (good && e->force && renameat(e->folder_fd, target, e->folder_fd, name) != 0)
		good = error_set(error, STATUS_FAILED, "cannot replace %s/%s: %s", e->folder, name, strerror(errno));
	if (!good)
		unlinkat(e->folder_fd, target, 0);
	else
		printf("%s/%s\n", e->folder, name);
	return good;
}

static bool item_check(const struct extraction *e, const char *item, struct error *error)
{
	char name[NAME_BYTES];
	struct stat status;
	name_in_folder(item, name);
	return e->force || fstatat(e->folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
	       error_set(error, STATUS_FAILED, "%s/%s exists and is not replaced without --force", e->folder, name);
}

struct search {
	const char *name;
	bool found;
};

static bool name_compare(const char *name, void *context, struct error *error)
{
	struct search *search = context;
	(void)error;
	search->found = search->found || strcmp(name, search->name) == 0;
	return true;
}

/* Whether the trace has it, without reading its contents. */
static enum trace_found item_find(struct trace_reader *trace, const char *item, struct error *error)
{
	struct search search = {item, false};
	if (strcmp(item, "console") == 0)
		return TRACE_FOUND;
	if (strcmp(item, "cmdline") == 0) {
		char *text = NULL;
		enum trace_found found = trace_get_text(trace, TRACE_META_BOOTARGS, &text, error);
		free(text);
		return found;
	}
	if (!trace_each_file(trace, name_compare, &search, error))
		return TRACE_FAILED;
	return search.found ? TRACE_FOUND : TRACE_ABSENT;
}

static bool is_chosen(const struct extraction *e, const char *name)
{
	for (size_t i = 0; i < e->item_count; i++) {
		if (strcmp(e->items[i], name) == 0)
			return true;
	}
	return false;
}

/* The items to write: those that are named, or all of FILES that the trace has. */
static bool items_choose(struct extraction *e, char **names, int name_count, struct error *error)
{
	bool all = name_count == 0;
	int count = all ? FILE_COUNT : name_count;
	if (count > ITEM_MAX)
		return error_set(error, STATUS_FAILED, "more than %d files at once", ITEM_MAX);
	for (int i = 0; i < count; i++) {
		const char *name = all ? files[i] : names[i];
		if (!is_known(name))
			return error_set(
				error, STATUS_FAILED,
				"there is no %s: it is one of kernel, firmware, initrd, dtb, console, cmdline, "
				"ram/ADDRESS",
				name);
		enum trace_found found = item_find(e->trace, name, error);
		if (found == TRACE_FAILED || (found == TRACE_ABSENT && !all))
			return error_set(error, STATUS_FAILED, "the trace has no %s", name);
		if (found == TRACE_FOUND && !is_chosen(e, name))
			e->items[e->item_count++] = name;
	}
	return true;
}

static bool folder_open(struct extraction *e, struct error *error)
{
	if (mkdir(e->folder, 0777) != 0 && errno != EEXIST)
		return error_set(error, STATUS_FAILED, "cannot make the folder %s: %s", e->folder, strerror(errno));
	e->folder_fd = open(e->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return e->folder_fd >= 0 ||
	       error_set(error, STATUS_FAILED, "cannot open the folder %s: %s", e->folder, strerror(errno));
}

static void extract(struct extraction *e, char **names, int name_count, struct error *error)
{
	bool good = items_choose(e, names, name_count, error) && folder_open(e, error);
	for (size_t i = 0; good && i < e->item_count; i++)
		good = item_check(e, e->items[i], error);
	for (size_t i = 0; good && i < e->item_count; i++)
		good = write_item(e, e->items[i], error);
	if (e->folder_fd >= 0)
		close(e->folder_fd);
}

/* A disk, or files: what belongs to one of them is refused with the other. */
static bool options_check(struct extraction *e, int file_count, struct error *error)
{
	e->disk.output = e->output;
	e->disk.force = e->force;
	if (!e->disk.name && (e->disk.at || e->disk.image))
		return error_set(error, STATUS_FAILED, "--at and --image are about a disk: give --disk NAME");
	if (e->disk.name && !e->output)
		return error_set(error, STATUS_FAILED, "--disk needs the file to write: -o FILE");
	return !e->disk.name || file_count == 0 ||
	       error_set(error, STATUS_FAILED, "a disk is extracted by itself, without further files");
}

void extract_command(int argc, char **argv, struct error *error)
{
	struct extraction extraction = {.folder_fd = -1};
	int first = options_parse(&command_options, argc, argv, &extraction, error);
	if (first == 0 || !options_check(&extraction, argc - first - 1, error))
		return;
	extraction.folder = extraction.output ? extraction.output : ".";
	sandbox_enter(&(struct sandbox_files){.traces = {argv[first]}, .outputs = extraction.folder},
		      SANDBOX_NO_NETWORK | SANDBOX_NO_PROCESSES);
	extraction.trace = trace_open(argv[first], error);
	if (extraction.trace && extraction.disk.name) {
		extract_disk(extraction.trace, &extraction.disk, error);
		output_end(error);
	} else if (extraction.trace) {
		extract(&extraction, argv + first + 1, argc - first - 1, error);
	}
	trace_close(extraction.trace);
}
