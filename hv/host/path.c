/* Finding and reading files. */
#include "hv/host/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_BYTES = 4096 };

/* The folder that the program is in, with a slash at its end. */
static void program_folder(char folder[FOLDER_BYTES])
{
	ssize_t length = readlink("/proc/self/exe", folder, FOLDER_BYTES - 1);
	folder[length > 0 ? length : 0] = 0;
	char *slash = strrchr(folder, '/');
	if (slash)
		slash[1] = 0;
}

/* folder/place/name, malloc'd. NULL: it cannot be read. */
static char *readable(const char *folder, const char *place, const char *name)
{
	char *path = NULL;
	if (asprintf(&path, "%s%s%s", folder, place, name) > 0 && access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* The first of two places, relative to the program's own folder, where `name` is. */
static char *find_beside(const char *name, const char *const places[2], struct error *error)
{
	char program[FOLDER_BYTES];
	program_folder(program);
	for (size_t i = 0; i < 2; i++) {
		char *path = readable(program, places[i], name);
		if (path)
			return path;
	}
	error_set(error, STATUS_FAILED, "%s is neither in %s%s nor in %s%s: run `make` or `make install` again", name,
		  program, places[0], program, places[1]);
	return NULL;
}

char *path_hv_image(struct error *error)
{
	static const char *const places[] = {"", "../lib/hvrec/"};
	return find_beside("hv.elf", places, error);
}

char *path_gdb_commands(struct error *error)
{
	static const char *const places[] = {"../tools/gdb/", "../share/hvrec/"};
	return find_beside("hvrec.py", places, error);
}

char *path_u_boot(struct error *error)
{
	static const char package[] = "/usr/lib/u-boot/qemu_arm64/", beside[] = "guest/u-boot/";
	char program[FOLDER_BYTES];
	program_folder(program);
	char *path = readable("", package, "u-boot.bin");
	if (!path)
		path = readable(program, beside, "u-boot.bin");
	if (!path)
		error_set(error, STATUS_FAILED,
			  "there is no U-Boot in %s: install the package u-boot-qemu, or give --firmware a file",
			  package);
	return path;
}

static void *read_all(FILE *file, size_t size_hint, size_t *bytes)
{
	size_t room = size_hint + 1, used = 0;
	char *data = malloc(room);
	while (data) {
		used += fread(data + used, 1, room - used, file);
		if (used < room)
			break;
		room *= 2;
		char *larger = realloc(data, room);
		if (!larger)
			free(data);
		data = larger;
	}
	if (data)
		data[used] = 0;
	*bytes = used;
	return data;
}

void *path_read_file(const char *path, const char *what, size_t *bytes, struct error *error)
{
	struct stat status;
	void *data = NULL;
	FILE *file = fopen(path, "re");
	if (!file || fstat(fileno(file), &status) != 0) {
		error_set(error, STATUS_FAILED, "cannot open the %s %s: %s", what, path, strerror(errno));
	} else if (S_ISDIR(status.st_mode)) {
		error_set(error, STATUS_FAILED, "the %s %s is a folder, not a file", what, path);
	} else {
		data = read_all(file, status.st_size > 0 ? (size_t)status.st_size : 4096, bytes);
		if (!data || ferror(file)) {
			error_set(error, STATUS_FAILED, "cannot read the %s %s: %s", what, path, strerror(errno));
			free(data);
			data = NULL;
		}
	}
	if (file)
		fclose(file);
	return data;
}

bool path_same_file(const char *a, const char *b)
{
	struct stat x, y;
	return a && b && stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool path_replaceable(const char *path, struct error *error)
{
	char head[16] = {0};
	struct stat status;
	if (stat(path, &status) || !S_ISREG(status.st_mode))
		return true; /* nothing to lose; and a pipe must not be opened twice */
	FILE *file = fopen(path, "re");
	if (!file)
		return true; /* opening it for writing says what is wrong */
	size_t bytes = fread(head, 1, sizeof(head), file);
	fclose(file);
	if (bytes == sizeof(head) && memcmp(head, "SQLite format 3", sizeof(head)) == 0)
		return error_set(error, STATUS_FAILED, "%s: is a trace or another database; name another file", path);
	return true;
}
