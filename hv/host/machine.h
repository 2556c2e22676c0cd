/* The host's handle on a running machine: starts and stops it, maps its memory, passes messages.
 *
 * 1. The machine's RAM is one memfd that both sides map. The host writes guest RAM only before machine_start (I7).
 * 2. The doorbell is a socket pair, the machine's standard streams are memfds: nothing of it has a name in the file
 * system.
 * 3. The machine dies with this process, however this process ends.
 * Functions that can fail return false or NULL and fill `error`. One thread at a time. */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/error/error.h"
#include <stddef.h>
#include <sys/types.h>

struct machine_config {
	enum hv_mode mode;
	enum hv_pace pace;
	uint64_t machine_version; /* 1 to GUEST_MACHINE_VERSION */
	uint64_t rtc_base_s;
	uint64_t limit_n;   /* 0: none */
	uint64_t turn_seed; /* 0: turns are fair */
	uint64_t until_n;   /* UINT64_MAX: the end of the trace */
	uint64_t entry_ipa, dtb_ipa;
	uint64_t fingerprint_count; /* of a recording's machine: hv_boot */
	uint64_t fingerprint[HV_FINGERPRINT_COUNT];
	struct hv_virtio virtio[GUEST_VIRTIO_COUNT];
	bool serve;  /* a replay that obeys commands, for a debugger */
	bool resume; /* the guest starts as final_state in the mailbox */
};

struct machine {
	uint8_t *ram; /* the whole machine's, at HV_MACHINE_RAM_PA */
	uint64_t ram_bytes;
	int ram_fd, doorbell_fd, log_fd;
	pid_t pid; /* 0: not running */
	struct hv_boot *boot;
	struct hv_mailbox *mailbox;
	struct event *events;
	uint8_t *input;
	uint8_t *output;    /* the output ring */
	uint8_t *transfer;  /* HV_TRANSFER_BYTES, for struct hv_ask */
	uint8_t *packets;   /* the packet ring */
	uint8_t *guest_ram; /* at GUEST_RAM_IPA */
	uint64_t guest_ram_bytes;
	uint8_t *guest_flash; /* at GUEST_FLASH_IPA, GUEST_FLASH_BANK_BYTES, zero behind the firmware's image */
};

/* Makes a machine with zeroed RAM for a guest of 1 to GUEST_VCPU_MAX vCPUs, not started. */
struct machine *machine_create(uint64_t guest_ram_bytes, uint32_t vcpu_count, struct error *error);
/* Puts a part of the firmware's image into flash, before the start. False: it does not fit. */
bool machine_flash_put(struct machine *machine, uint64_t offset, const void *image, uint64_t bytes);
/* Writes the boot block, starts hv, and waits until it runs and has left its fingerprint, or has refused. */
bool machine_start(struct machine *machine, const struct machine_config *config, struct error *error);
/* Wakes hv: after changing the mailbox, or only if it sleeps. Never blocks. */
void machine_ring(struct machine *machine);
void machine_wake(struct machine *machine); /* rings, and hv goes on if it sleeps */
void machine_ring_if_waiting(struct machine *machine);
/* Gives hv in serve mode a command, and rings. */
void machine_command(struct machine *machine, enum hv_command command);
/* Whether hv asks something, with acquire order. */
bool machine_asks(const struct machine *machine);
/* What hv asked is answered. Wakes it if it sleeps, and looks for a while whether it asks again, which is often soon.
 */
void machine_answer(struct machine *machine);
/* Takes `count` bytes out of the output ring, where they are before their event comes. */
void machine_output_take(struct machine *machine, uint8_t *to, uint32_t count);
/* Puts a packet of up to HV_PACKET_BYTES_MAX into its ring. False: there is no room now. */
bool machine_packet_put(struct machine *machine, const uint8_t *bytes, uint32_t count);
/* Takes the doorbell bytes that came. Returns false if the machine closed its end. */
bool machine_doorbell_take(struct machine *machine);
/* Whether the process still runs; if not, fills `error` with why. */
bool machine_running(struct machine *machine, struct error *error);
/* enum hv_state, with acquire order: what hv wrote before it is visible. */
uint32_t machine_state(const struct machine *machine);
/* The next stretch of guest RAM that anybody ever wrote to: [*start, *end), byte offsets, with *start at or after its
 * value before the call. What is outside such stretches is zero. False: there is none. */
bool machine_ram_written(const struct machine *machine, uint64_t *start, uint64_t *end);
/* Whether the machine may halt for as long as it likes, because somebody debugs hv in it (HVREC_PATIENT is set). */
bool machine_is_debugged(void);
/* Whether a machine that was asked to stop at `asked_ns` (0: it was not) should have done so long before `now_ns`: QEMU
 * may serve a timer for ever and never come back to hv. */
bool machine_is_deaf(int64_t asked_ns, int64_t now_ns);
/* Notices a machine that does nothing any more. */
struct machine_watch {
	uint64_t n, tail, cpu_ticks;
	int64_t moved_ns;
};

/* Call at every turn. True: for a minute it has passed no event, retired nothing that shows, and used no CPU time. */
bool machine_stuck(const struct machine *machine, struct machine_watch *watch);
/* Ends the process and gives everything back; NULL is allowed. */
void machine_destroy(struct machine *machine);

/* Ring indexes, with the order that hv/abi/mailbox.h asks for. */
static inline uint64_t machine_index_load(const uint64_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static inline void machine_index_store(uint64_t *index, uint64_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}
