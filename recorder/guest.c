/* Loads a guest and writes down what a replay needs to have the very same RAM at its start: the pieces of RAM that are
 * not zero, as named files "ram/IPA". They are content-addressed, so a kernel whose bytes go to RAM unchanged is kept
 * once. */
#include "recorder/guest.h"
#include "hv/host/machine_process.h"
#include "hv/host/path.h"
#include "hv/host/state_hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct files {
	void *kernel, *initrd, *dtb;
	size_t kernel_bytes, initrd_bytes, dtb_bytes;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool files_read(const struct record_options *options, struct files *files, struct error *error)
{
	files->kernel = path_read_file(options->kernel, "kernel", &files->kernel_bytes, error);
	if (options->initrd)
		files->initrd = path_read_file(options->initrd, "initrd", &files->initrd_bytes, error);
	if (options->dtb)
		files->dtb = path_read_file(options->dtb, "device tree", &files->dtb_bytes, error);
	return error->status == STATUS_OK;
}

static bool piece_put(struct trace_writer *trace, const struct machine *machine, uint64_t ipa, uint64_t bytes,
		      struct error *error)
{
	char name[32];
	snprintf(name, sizeof(name), "ram/%llx", (unsigned long long)ipa);
	return bytes == 0 || trace_put_file(trace, name, machine->guest_ram + (ipa - GUEST_RAM_IPA), bytes, error);
}

/* The kernel's piece: as long as its file if it went to RAM as it is, otherwise up to its last byte that is not zero.
 */
static uint64_t kernel_piece_bytes(const struct machine *machine, const struct guest_layout *layout,
				   const struct files *files)
{
	const uint8_t *start = machine->guest_ram + (layout->kernel_ipa - GUEST_RAM_IPA);
	uint64_t bytes = layout->kernel_bytes;
	if (files->kernel_bytes <= bytes && memcmp(start, files->kernel, files->kernel_bytes) == 0)
		return files->kernel_bytes;
	while (bytes > 0 && start[bytes - 1] == 0)
		bytes--;
	return bytes;
}

static bool pieces_put(struct trace_writer *trace, const struct machine *machine, const struct guest_layout *layout,
		       const struct files *files, struct error *error)
{
	bool copy_at_base = layout->dtb_ipa != GUEST_RAM_IPA && layout->kernel_ipa > GUEST_RAM_IPA &&
			    memcmp(machine->guest_ram, layout->dtb, layout->dtb_bytes) == 0;
	return piece_put(trace, machine, layout->kernel_ipa, kernel_piece_bytes(machine, layout, files), error) &&
	       piece_put(trace, machine, layout->initrd_ipa, layout->initrd_bytes, error) &&
	       piece_put(trace, machine, layout->dtb_ipa, layout->dtb_bytes, error) &&
	       (!copy_at_base || piece_put(trace, machine, GUEST_RAM_IPA, layout->dtb_bytes, error));
}

static bool originals_put(struct trace_writer *trace, const struct files *files, const struct guest_layout *layout,
			  struct error *error)
{
	return trace_put_file(trace, "kernel", files->kernel, files->kernel_bytes, error) &&
	       (!files->initrd || trace_put_file(trace, "initrd", files->initrd, files->initrd_bytes, error)) &&
	       trace_put_file(trace, "dtb", layout->dtb, layout->dtb_bytes, error);
}

static bool facts_put(struct trace_writer *trace, const struct record_options *options, const struct machine *machine,
		      const struct guest_layout *layout, const struct machine_config *config, struct error *error)
{
	static const char *const kinds[] = {"Linux Image", "flat binary", "ELF", "ELF (PIE)"};
	char hash[STATE_HASH_TEXT_BYTES];
	char *qemu = machine_process_version();
	bool done = state_hash(machine, NULL, hash) && trace_put_text(trace, "initial_ram_hash", hash, error) &&
		    trace_put_text(trace, "machine", qemu ? qemu : "unknown", error) &&
		    trace_put_u64(trace, "machine_version", GUEST_MACHINE_VERSION, error) &&
		    trace_put_text(trace, "kernel_name", base_name(options->kernel), error) &&
		    trace_put_text(trace, "kernel_kind", kinds[layout->kind], error) &&
		    trace_put_text(trace, "bootargs", options->bootargs ? options->bootargs : "", error) &&
		    trace_put_u64(trace, "ram_bytes", machine->guest_ram_bytes, error) &&
		    trace_put_u64(trace, "vcpu_count", machine->boot->vcpu_count, error) &&
		    trace_put_u64(trace, "entry_ipa", config->entry_ipa, error) &&
		    trace_put_u64(trace, "dtb_ipa", config->dtb_ipa, error) &&
		    trace_put_u64(trace, "load_offset", layout->load_offset, error) &&
		    trace_put_u64(trace, "rtc_base_s", config->rtc_base_s, error);
	free(qemu);
	return done;
}

static bool lay_out(const struct record_options *options, const struct files *files, struct machine *machine,
		    struct guest_layout *layout, struct error *error)
{
	struct guest_config guest = {
		.kernel = files->kernel,
		.kernel_bytes = files->kernel_bytes,
		.name = options->kernel,
		.initrd = files->initrd,
		.initrd_bytes = files->initrd_bytes,
		.initrd_name = options->initrd,
		.dtb = files->dtb,
		.dtb_bytes = files->dtb_bytes,
		.dtb_name = options->dtb,
		.bootargs = options->bootargs,
		.ram_bytes = machine->guest_ram_bytes,
		.vcpu_count = machine->boot->vcpu_count,
	};
	if (getrandom(guest.seed, sizeof(guest.seed), 0) != (ssize_t)sizeof(guest.seed))
		return error_set(error, STATUS_FAILED, "cannot get entropy for the guest's seeds: %s", strerror(errno));
	return layout_load(&guest, machine->guest_ram, layout, error);
}

bool guest_load(const struct record_options *options, struct machine *machine, struct machine_config *config,
		struct trace_writer *trace, struct error *error)
{
	struct files files = {0};
	struct guest_layout layout = {0};
	bool done = files_read(options, &files, error) && lay_out(options, &files, machine, &layout, error);
	if (done) {
		config->entry_ipa = layout.entry_ipa;
		config->dtb_ipa = layout.dtb_ipa;
		config->rtc_base_s = (uint64_t)time(NULL);
		done = originals_put(trace, &files, &layout, error) &&
		       pieces_put(trace, machine, &layout, &files, error) &&
		       facts_put(trace, options, machine, &layout, config, error) && trace_commit(trace, error);
	}
	free(layout.dtb);
	free(files.kernel);
	free(files.initrd);
	free(files.dtb);
	return done;
}
