/* The child gets a session of its own, so that a Ctrl-C at the terminal does not end it before the recording's last
 * flush; it ends with its only connection, however this process ends. */
#include "recorder/disk_nbd.h"

#include <libnbd.h>
#include <string.h>

const char *disk_nbd_format(const uint8_t *bytes, uint64_t count)
{
	static const struct {
		const char *format, *magic;
	} rows[] = {
		{"qcow2", "QFI\xfb"},     {"vmdk", "KDMV"}, {"vhdx", "vhdxfile"},
		{"vpc", "conectix"},      {"qed", "QED"},   {"vdi", "<<< Oracle VM VirtualBox Disk Image >>>"},
		{"luks", "LUKS\xba\xbe"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t length = strlen(rows[i].magic);
		if (count >= length && memcmp(bytes, rows[i].magic, length) == 0)
			return rows[i].format;
	}
	return NULL;
}

static bool failed(const char *path, const char *what, struct error *error)
{
	const char *why = nbd_get_error();
	return error_set(error, STATUS_FAILED, "%s: cannot be %s: %s", path, what,
			 why ? why : "qemu-nbd does not answer");
}

struct nbd_handle *disk_nbd_open(const char *path, const char *format, bool write, uint64_t *bytes, struct error *error)
{
	char *read_only[] = {"setsid", "qemu-nbd", "--read-only", "--format", (char *)format, "--", (char *)path, NULL};
	char *writable[] = {"setsid", "qemu-nbd", "--format", (char *)format, "--", (char *)path, NULL};
	struct nbd_handle *nbd = nbd_create();
	int64_t size = -1;
	if (nbd && nbd_connect_systemd_socket_activation(nbd, write ? writable : read_only) == 0)
		size = nbd_get_size(nbd);
	if (size >= 0) {
		*bytes = (uint64_t)size;
		return nbd;
	}
	error_set(error, STATUS_FAILED,
		  "--disk %s: is of format %s, which needs qemu-nbd (package qemu-utils), and that does not open it",
		  path, format);
	nbd_close(nbd);
	return NULL;
}

bool disk_nbd_read(struct nbd_handle *nbd, const char *path, uint64_t offset, void *to, uint32_t bytes,
		   struct error *error)
{
	return nbd_pread(nbd, to, bytes, offset, 0) == 0 || failed(path, "read", error);
}

bool disk_nbd_write(struct nbd_handle *nbd, const char *path, uint64_t offset, const void *from, uint32_t bytes,
		    struct error *error)
{
	return nbd_pwrite(nbd, from, bytes, offset, 0) == 0 || failed(path, "written", error);
}

bool disk_nbd_flush(struct nbd_handle *nbd, const char *path, struct error *error)
{
	return nbd_can_flush(nbd) <= 0 || nbd_flush(nbd, 0) == 0 || failed(path, "flushed", error);
}

void disk_nbd_close(struct nbd_handle *nbd)
{
	if (!nbd)
		return;
	nbd_shutdown(nbd, 0);
	nbd_close(nbd);
}
