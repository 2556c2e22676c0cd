/* Puts a trace's guest back: RAM and flash piece by piece, checked against the hash that the recording took. */
#include "replay/run/guest.h"
#include "hv/host/state_hash.h"
#include "replay/trace/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RAM_PIECE   "ram/"
#define FLASH_PIECE "flash/"

struct piece_target {
	uint8_t *ram;
	uint64_t ram_bytes;
	struct machine *machine; /* NULL: what is in flash is not wanted */
	struct trace_reader *trace;
};

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool piece_put(const struct piece_target *target, bool is_flash, uint64_t ipa, const void *data, size_t bytes)
{
	uint64_t offset = ipa - GUEST_RAM_IPA;
	if (is_flash)
		return machine_flash_put(target->machine, ipa - GUEST_FLASH_IPA, data, bytes);
	if (offset > target->ram_bytes || bytes > target->ram_bytes - offset)
		return false;
	memcpy(target->ram + offset, data, bytes);
	return true;
}

static bool piece_restore(const char *name, void *context, struct error *error)
{
	const struct piece_target *target = context;
	void *data = NULL;
	size_t bytes = 0;
	char *end;
	bool is_flash = target->machine && has_prefix(name, FLASH_PIECE);
	if (!is_flash && !has_prefix(name, RAM_PIECE))
		return true;
	uint64_t ipa = strtoull(strchr(name, '/') + 1, &end, 16);
	if (trace_get_file(target->trace, name, &data, &bytes, error) != TRACE_FOUND)
		return error_set(error, STATUS_FAILED, "the trace's %s is missing", name);
	bool fits = *end == 0 && piece_put(target, is_flash, ipa, data, bytes);
	free(data);
	return fits ||
	       error_set(error, STATUS_FAILED, "the trace's %s does not fit into its memory: it is damaged", name);
}

static bool ram_check(struct trace_reader *trace, const struct machine *machine, struct error *error)
{
	char hash[STATE_HASH_TEXT_BYTES];
	char *recorded = NULL;
	enum trace_found found = trace_get_text(trace, TRACE_META_INITIAL_RAM_HASH, &recorded, error);
	bool same = found == TRACE_FOUND && state_hash(machine, NULL, hash, error) && strcmp(hash, recorded) == 0;
	free(recorded);
	return same ||
	       error_set(error, STATUS_FAILED, "the trace's initial RAM is not what was recorded: it is damaged");
}

/* Absent if the recorder was killed before it was written; shorter than today's of an older recorder. */
static bool fingerprint_get(struct trace_reader *trace, struct machine_config *config, struct error *error)
{
	char *text = NULL;
	enum trace_found found = trace_get_text(trace, TRACE_META_FINGERPRINT, &text, error);
	config->fingerprint_count = 0;
	char *at = text;
	while (found == TRACE_FOUND && *at && config->fingerprint_count < HV_FINGERPRINT_COUNT)
		config->fingerprint[config->fingerprint_count++] = strtoull(at, &at, 16);
	free(text);
	return found != TRACE_FAILED;
}

static bool devices_get(struct trace_reader *trace, struct machine_config *config, struct error *error)
{
	struct virtio_list list;
	bool good = metadata_devices(trace, &list, error);
	if (good)
		memcpy(config->virtio, list.device, sizeof(config->virtio));
	return good;
}

static bool config_get(struct trace_reader *trace, struct machine_config *config, uint64_t *ram_bytes,
		       uint64_t *vcpu_count, struct error *error)
{
	if (!metadata_number(trace, TRACE_META_MACHINE_VERSION, &config->machine_version, error) ||
	    !metadata_ram_bytes(trace, ram_bytes, error) ||
	    !metadata_number(trace, TRACE_META_VCPU_COUNT, vcpu_count, error) ||
	    !metadata_number(trace, TRACE_META_ENTRY_IPA, &config->entry_ipa, error) ||
	    !metadata_number(trace, TRACE_META_DTB_IPA, &config->dtb_ipa, error) ||
	    !metadata_number(trace, TRACE_META_RTC_BASE_S, &config->rtc_base_s, error) ||
	    !fingerprint_get(trace, config, error) || !devices_get(trace, config, error))
		return false;
	if (config->machine_version == 0 || config->machine_version > GUEST_MACHINE_VERSION)
		return error_set(error, STATUS_FAILED,
				 "the trace was recorded by machine version %llu, this replays versions 1 to %d",
				 (unsigned long long)config->machine_version, GUEST_MACHINE_VERSION);
	if (*vcpu_count == 0 || *vcpu_count > GUEST_VCPU_MAX || (*vcpu_count > 1 && config->machine_version < 3))
		return error_set(error, STATUS_FAILED, "the trace says that the guest has %llu vCPUs; a guest of %s",
				 (unsigned long long)*vcpu_count,
				 config->machine_version < 3 ? "its machine version has one" : "this hvrec has 1 to 8");
	return true;
}

struct machine *guest_restore(struct trace_reader *trace, struct machine_config *config, struct error *error)
{
	struct machine *machine = NULL;
	uint64_t ram_bytes = 0, vcpu_count = 0;
	if (config_get(trace, config, &ram_bytes, &vcpu_count, error))
		machine = machine_create(ram_bytes, (uint32_t)vcpu_count, error);
	struct piece_target target = {machine ? machine->guest_ram : NULL, ram_bytes, machine, trace};
	if (machine && (!trace_each_file(trace, piece_restore, &target, error) || !ram_check(trace, machine, error))) {
		machine_destroy(machine);
		return NULL;
	}
	return machine;
}

uint8_t *guest_start_ram(struct trace_reader *trace, uint64_t ram_bytes, struct error *error)
{
	void *ram = mmap(NULL, ram_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED)
		return error_set(error, STATUS_FAILED, "out of memory"), NULL;
	struct piece_target target = {ram, ram_bytes, NULL, trace};
	if (trace_each_file(trace, piece_restore, &target, error))
		return ram;
	munmap(ram, ram_bytes);
	return NULL;
}

bool guest_resume(const struct keyframe_index *index, size_t keyframe, struct machine *machine,
		  struct machine_config *config, struct error *error)
{
	config->resume = true;
	return keyframe_index_state(index, keyframe, &machine->mailbox->final_state, error) &&
	       keyframe_index_ram(index, keyframe, machine->guest_ram, error);
}

struct fingerprint_row {
	const char *name;
	uint32_t op1, crn, crm, op2;
};

static const struct fingerprint_row fingerprint_rows[] = {
#define FINGERPRINT(name, op1, crn, crm, op2) {#name, op1, crn, crm, op2},
#include "hv/abi/fingerprint.def"
#undef FINGERPRINT
};
enum { FINGERPRINT_ROWS = sizeof(fingerprint_rows) / sizeof(fingerprint_rows[0]) };

static bool fingerprint_differs(const struct machine *machine, size_t row)
{
	return row < machine->boot->fingerprint_count &&
	       machine->boot->fingerprint[row] != machine->mailbox->fingerprint[row];
}

/* hv gives the recording's value of the ID registers that trap. */
static bool fingerprint_is_given(const struct machine *machine, const struct fingerprint_row *row)
{
	return machine->boot->machine_version > 1 && row->op1 == 0 && row->crn == 0 && row->crm >= 1;
}

/* The one that is not the same in all versions of QEMU. */
static bool is_dfr0(const struct fingerprint_row *row)
{
	return strcmp(row->name, "ID_DFR0_EL1") == 0;
}

bool guest_fingerprint_check(const struct machine *machine, struct error *error)
{
	for (size_t i = 0; i < FINGERPRINT_ROWS; i++) {
		const struct fingerprint_row *row = &fingerprint_rows[i];
		if (fingerprint_differs(machine, i) && !fingerprint_is_given(machine, row) && !is_dfr0(row))
			return error_set(error, STATUS_FAILED,
					 "this machine is not like the recording's: %s is %#llx here and was %#llx",
					 row->name, (unsigned long long)machine->mailbox->fingerprint[i],
					 (unsigned long long)machine->boot->fingerprint[i]);
	}
	return true;
}

const char *guest_fingerprint_hint(const struct machine *machine)
{
	for (size_t i = 0; i < FINGERPRINT_ROWS; i++) {
		const struct fingerprint_row *row = &fingerprint_rows[i];
		if (is_dfr0(row) && fingerprint_differs(machine, i) && !fingerprint_is_given(machine, row))
			return "; this QEMU has another ID_DFR0_EL1 than the recording's, and the guest may have "
			       "looked at "
			       "it";
	}
	return "";
}
