/* Loads a guest and writes down what a replay needs to have the very same memory at its start: the pieces of RAM that
 * are not zero, as named files "ram/IPA", and of flash, "flash/IPA". They are content-addressed, so a kernel whose
 * bytes go to memory unchanged is kept once. */
#include "recorder/guest.h"
#include "hv/error/check.h"
#include "hv/host/path.h"
#include "hv/host/state_hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool files_read(const struct record_options *options, struct guest *guest, struct error *error)
{
	guest->kernel = path_read_file(record_program(options), options->firmware ? "firmware" : "kernel",
				       &guest->kernel_bytes, error);
	if (options->initrd)
		guest->initrd = path_read_file(options->initrd, "initrd", &guest->initrd_bytes, error);
	if (options->dtb)
		guest->dtb = path_read_file(options->dtb, "device tree", &guest->dtb_bytes, error);
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
static uint64_t kernel_piece_bytes(const struct machine *machine, const struct guest *guest)
{
	const uint8_t *start = machine->guest_ram + (guest->layout.kernel_ipa - GUEST_RAM_IPA);
	uint64_t bytes = guest->layout.kernel_bytes;
	if (guest->kernel_bytes <= bytes && memcmp(start, guest->kernel, guest->kernel_bytes) == 0)
		return guest->kernel_bytes;
	while (bytes > 0 && start[bytes - 1] == 0)
		bytes--;
	return bytes;
}

static bool firmware_pieces_put(struct trace_writer *trace, const struct machine *machine, const struct guest *guest,
				struct error *error)
{
	return trace_put_file(trace, "flash/0", guest->kernel, guest->kernel_bytes, error) &&
	       piece_put(trace, machine, guest->layout.dtb_ipa, guest->layout.dtb_bytes, error);
}

static bool pieces_put(struct trace_writer *trace, const struct machine *machine, const struct guest *guest,
		       struct error *error)
{
	bool copy_at_base = guest->layout.dtb_ipa != GUEST_RAM_IPA && guest->layout.kernel_ipa > GUEST_RAM_IPA &&
			    memcmp(machine->guest_ram, guest->layout.dtb, guest->layout.dtb_bytes) == 0;
	return piece_put(trace, machine, guest->layout.kernel_ipa, kernel_piece_bytes(machine, guest), error) &&
	       piece_put(trace, machine, guest->layout.initrd_ipa, guest->layout.initrd_bytes, error) &&
	       piece_put(trace, machine, guest->layout.dtb_ipa, guest->layout.dtb_bytes, error) &&
	       (!copy_at_base || piece_put(trace, machine, GUEST_RAM_IPA, guest->layout.dtb_bytes, error));
}

static bool originals_put(struct trace_writer *trace, const struct guest *guest, struct error *error)
{
	const char *name = guest->layout.kind == GUEST_KIND_FIRMWARE ? "firmware" : "kernel";
	return trace_put_file(trace, name, guest->kernel, guest->kernel_bytes, error) &&
	       (!guest->initrd || trace_put_file(trace, "initrd", guest->initrd, guest->initrd_bytes, error)) &&
	       trace_put_file(trace, "dtb", guest->layout.dtb, guest->layout.dtb_bytes, error);
}

static bool facts_put(struct trace_writer *trace, const struct record_options *options, const struct machine *machine,
		      const struct guest *guest, const struct machine_config *config, struct error *error)
{
	static const char *const kinds[] = {"Linux Image", "flat binary", "ELF", "ELF (PIE)", "firmware"};
	char hash[STATE_HASH_TEXT_BYTES];
	return state_hash(machine, NULL, hash, error) &&
	       trace_put_text(trace, TRACE_META_INITIAL_RAM_HASH, hash, error) &&
	       trace_put_u64(trace, TRACE_META_MACHINE_VERSION, GUEST_MACHINE_VERSION, error) &&
	       trace_put_text(trace, TRACE_META_KERNEL_NAME, base_name(record_program(options)), error) &&
	       trace_put_text(trace, TRACE_META_KERNEL_KIND, kinds[guest->layout.kind], error) &&
	       trace_put_text(trace, TRACE_META_BOOTARGS, options->bootargs ? options->bootargs : "", error) &&
	       trace_put_u64(trace, TRACE_META_RAM_BYTES, machine->guest_ram_bytes, error) &&
	       trace_put_u64(trace, TRACE_META_VCPU_COUNT, machine->boot->vcpu_count, error) &&
	       (options->turn_seed == 0 || trace_put_u64(trace, TRACE_META_TURN_SEED, options->turn_seed, error)) &&
	       trace_put_text(trace, TRACE_META_PACE, config->pace == HV_PACE_REAL ? "real" : "skip", error) &&
	       trace_put_u64(trace, TRACE_META_ENTRY_IPA, config->entry_ipa, error) &&
	       trace_put_u64(trace, TRACE_META_DTB_IPA, config->dtb_ipa, error) &&
	       trace_put_u64(trace, TRACE_META_LOAD_OFFSET, guest->layout.load_offset, error) &&
	       trace_put_u64(trace, TRACE_META_RTC_BASE_S, config->rtc_base_s, error);
}

static bool lay_out(const struct record_options *options, struct machine *machine,
		    const struct machine_config *machine_config, struct guest *guest, struct error *error)
{
	struct guest_config config = {
		.kernel = guest->kernel,
		.kernel_bytes = guest->kernel_bytes,
		.is_firmware = options->firmware != NULL,
		.name = record_program(options),
		.initrd = guest->initrd,
		.initrd_bytes = guest->initrd_bytes,
		.initrd_name = options->initrd,
		.dtb = guest->dtb,
		.dtb_bytes = guest->dtb_bytes,
		.dtb_name = options->dtb,
		.bootargs = options->bootargs,
		.ram_bytes = machine->guest_ram_bytes,
		.vcpu_count = machine->boot->vcpu_count,
	};
	for (uint32_t i = 0; i < GUEST_VIRTIO_COUNT; i++)
		config.virtio |= (uint32_t)(machine_config->virtio[i].type != VIRTIO_TYPE_NONE) << i;
	if (getrandom(config.seed, sizeof(config.seed), 0) != (ssize_t)sizeof(config.seed))
		return error_set(error, STATUS_FAILED, "cannot get entropy for the guest's seeds: %s", strerror(errno));
	return layout_load(&config, machine->guest_ram, &guest->layout, error);
}

bool guest_load(struct guest *guest, const struct record_options *options, struct machine *machine,
		struct machine_config *config, struct error *error)
{
	if (!files_read(options, guest, error) || !lay_out(options, machine, config, guest, error))
		return false;
	if (options->firmware)
		CHECK(machine_flash_put(machine, 0, guest->kernel, guest->kernel_bytes)); /* layout_load looked */
	config->entry_ipa = guest->layout.entry_ipa;
	config->dtb_ipa = guest->layout.x0;
	config->rtc_base_s = (uint64_t)time(NULL);
	return true;
}

bool guest_keep(const struct guest *guest, const struct record_options *options, const struct machine *machine,
		const struct machine_config *config, struct trace_writer *trace, struct error *error)
{
	return originals_put(trace, guest, error) &&
	       (options->firmware ? firmware_pieces_put(trace, machine, guest, error)
				  : pieces_put(trace, machine, guest, error)) &&
	       facts_put(trace, options, machine, guest, config, error) && trace_commit(trace, error);
}

void guest_free(struct guest *guest)
{
	free(guest->layout.dtb);
	free(guest->kernel);
	free(guest->initrd);
	free(guest->dtb);
	*guest = (struct guest){0};
}
