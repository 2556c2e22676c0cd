/* What EL2 and the host share: the boot block, the mailbox and the rings, in the machine's RAM.
 *
 * The host writes the boot block before the machine starts; from then on each field has one writer. The rings carry
 * struct event (events; hv -> host while recording, host -> hv while replaying), bytes of console input (host -> hv),
 * bytes that the guest's devices give out (hv -> host while recording), and packets that came for the guest (host -> hv
 * while recording): each its length, of 4 bytes, then the bytes, and as many more as make the next begin at a multiple
 * of HV_PACKET_ALIGN. A ring index counts up for ever; slot = index % capacity; capacities are powers of two. The
 * writer stores the slot first, then the index with release order; the reader loads the index with acquire order. In a
 * diversion the event ring goes from hv to the host, as while recording.
 *
 * The doorbell is one byte through the machine's PL011, in either direction: "look at the mailbox". It carries nothing
 * itself and may come too often; the host's bytes count up, so that hv knows whether one is still on its way. */
#pragma once
#include "hv/abi/descriptor.h"
#include "hv/abi/event.h"
#include "hv/abi/guest_state.h"
#include "hv/abi/machine.h"

/* Where the host puts the boot block, and where hv is linked (physical addresses; QEMU's own DTB is below). */
#define HV_MACHINE_RAM_PA  UINT64_C(0x40000000)
#define HV_BOOT_PA         UINT64_C(0x40200000)
#define HV_IMAGE_PA        UINT64_C(0x40400000)
#define HV_IMAGE_BYTES_MAX UINT64_C(0x00c00000)

#define HV_BOOT_MAGIC UINT64_C(0x31746f6f62727668) /* "hvrboot1" */

enum { HV_ABI_VERSION = 8, HV_FINGERPRINT_COUNT = 48 };

enum hv_mode { HV_MODE_RECORD = 1, HV_MODE_REPLAY = 2 };
enum hv_pace { HV_PACE_SKIP = 0, HV_PACE_REAL = 1 };

/* The device at a virtio transport. */
struct hv_virtio {
	uint32_t type;  /* enum virtio_type */
	uint32_t flags; /* VIRTIO_READ_ONLY */
	uint64_t value; /* a disk's sectors of VIRTIO_SECTOR_BYTES; a network card's MAC address, first byte lowest */
	char serial[VIRTIO_SERIAL_BYTES + 4]; /* a disk's, padded with NULs */
};
_Static_assert(sizeof(struct hv_virtio) == 40, "layout shared with EL2");

/* Written by the host before hv starts, read-only afterwards. */
struct hv_boot {
	uint64_t magic;
	uint32_t version;
	uint32_t mode;            /* enum hv_mode */
	uint32_t pace;            /* enum hv_pace; recording only */
	uint32_t vcpu_count;      /* 1 to GUEST_VCPU_MAX */
	uint64_t guest_ram_pa;    /* where GUEST_RAM_IPA is in the machine, 2 MiB aligned */
	uint64_t guest_ram_bytes; /* multiple of 4 KiB */
	uint64_t flash_pa;        /* where GUEST_FLASH_IPA is in the machine, 2 MiB aligned */
	uint64_t flash_bytes;     /* as far as the firmware's image goes, in blocks of 2 MiB; behind it all is zero */
	uint64_t tables_pa;       /* room for stage 2's tables, 64 KiB aligned */
	uint64_t tables_bytes;
	uint64_t mailbox_pa;
	uint64_t event_ring_pa;
	uint64_t event_ring_count; /* slots, a power of two */
	uint64_t input_ring_pa;
	uint64_t input_ring_bytes;  /* slots, a power of two */
	uint64_t entry_ipa;         /* the guest's first pc */
	uint64_t dtb_ipa;           /* the guest's x0 */
	uint64_t rtc_base_s;        /* PL031 at guest time 0: seconds since 1970 */
	uint64_t limit_n;           /* stop a recording here; 0: none */
	uint64_t turn_seed;         /* a recording's turns are drawn at random from it; 0: they are fair */
	uint64_t until_n;           /* stop a replay here; UINT64_MAX: at the end of the trace */
	uint64_t serve;             /* 1: a replay that obeys commands, for a debugger */
	uint64_t staging_pa;        /* room for struct hv_page */
	uint64_t staging_count;     /* pages */
	uint64_t resume;            /* 1: the guest starts as final_state in the mailbox, not at its entry */
	uint64_t machine_version;   /* 1 to GUEST_MACHINE_VERSION: the guest's machine behaves as that one did */
	uint64_t fingerprint_count; /* a replay: as many are known of the recording's machine, in hv_mailbox's order */
	uint64_t fingerprint[HV_FINGERPRINT_COUNT];
	uint64_t output_ring_pa;
	uint64_t output_ring_bytes; /* slots, a power of two, more than HV_TRANSFER_BYTES */
	uint64_t transfer_pa;       /* HV_TRANSFER_BYTES, for struct hv_ask */
	uint64_t packet_ring_pa;
	uint64_t packet_ring_bytes; /* a power of two, more than HV_PACKET_BYTES_MAX */
	struct hv_virtio virtio[GUEST_VIRTIO_COUNT];
};
_Static_assert(sizeof(struct hv_boot) == 248 + 8 * HV_FINGERPRINT_COUNT + 40 * GUEST_VIRTIO_COUNT,
	       "layout shared with EL2");

enum hv_state {
	HV_STATE_OFF = 0,     /* as the host left it */
	HV_STATE_REFUSED = 1, /* the machine cannot do what hv needs; text says what */
	HV_STATE_RUNNING = 2,
	HV_STATE_ENDED = 3,    /* stopped for good: end_reason and final_state are valid */
	HV_STATE_DIVERGED = 4, /* replay: expected, actual and final_state are valid */
	HV_STATE_PANIC = 5,    /* hv's own bug; text says where */
	HV_STATE_STOPPED = 6,  /* serving a debugger: stopped, waits for a command; stop and final_state are valid */
	HV_STATE_KEYFRAME = 7, /* recording: stands still with final_state valid until the host sets RUNNING again */
};

/* What a debugger's host asks for; hv sets it back to none when it has begun. */
enum hv_command {
	HV_COMMAND_NONE = 0,
	HV_COMMAND_RUN = 1,  /* replay, or run diverted, up to run_until_n, with the debug points armed */
	HV_COMMAND_LOAD = 2, /* become final_state: copy page_count pages from the staging room, forget translations */
};

/* Why a run stopped, in HV_STATE_STOPPED and HV_STATE_ENDED. */
enum hv_stop {
	HV_STOP_UNTIL = 0,       /* at run_until_n */
	HV_STOP_END = 1,         /* the trace has no more, or the guest ended it (end_reason) */
	HV_STOP_BREAKPOINT = 2,  /* before the instruction at pc */
	HV_STOP_WATCHPOINT = 3,  /* before the access to stop_address */
	HV_STOP_INTERRUPTED = 4, /* the host rang */
};

enum { HV_DEBUG_READ = 1, HV_DEBUG_WRITE = 2 };

/* A place to stop at: an instruction's address (bytes 0), up to 8 bytes of data inside one doubleword, or a power of
 * two of bytes, up to 2^31, at a multiple of itself. */
struct hv_debug_point {
	uint64_t address; /* guest virtual */
	uint32_t bytes;
	uint32_t access; /* HV_DEBUG_READ and HV_DEBUG_WRITE */
	/* Its conditions, gdb's agent expressions, each after its length, of 4 bytes: a hit where one is true, or
	 * cannot be evaluated. Where they begin in hv_mailbox.conditions. */
	uint32_t condition, condition_bytes; /* 0 bytes: there is none */
};

enum { HV_DEBUG_POINTS_MAX = GUEST_BREAKPOINT_COUNT + GUEST_WATCHPOINT_COUNT };

/* A hit that a run went on from. */
struct hv_hit {
	uint64_t n;
	uint64_t address;       /* as hv_mailbox.stop_address */
	uint32_t is_watchpoint; /* 0: a breakpoint */
	uint32_t zero;
};
_Static_assert(sizeof(struct hv_hit) == 24, "layout shared with EL2");

/* One page in the staging room, as far as it is to be changed. */
struct hv_page {
	uint64_t ipa;
	uint64_t lines; /* bit i: the 64 bytes from 64 * i on */
	uint64_t zero[6];
	uint8_t bytes[PAGE_BYTES];
};
_Static_assert(sizeof(struct hv_page) == PAGE_BYTES + 64, "layout shared with EL2");

enum { HV_TEXT_BYTES = 256, HV_CONSOLE_WATCHES = 2, HV_CONDITION_BYTES = 8192 };

/* The last bytes of a text that the host waits for on the console, up to 8: the newest byte is the lowest. */
struct hv_console_watch {
	uint64_t bytes;
	uint64_t mask; /* 0: none */
};

/* What hv asks of the host, and waits for: bytes for the guest. Where they come from is the host's to know: from a disk
 * image while recording, from the trace in a replay. */
enum hv_ask_kind {
	HV_ASK_NONE = 0,
	HV_ASK_DISK_READ = 1,  /* bytes from `sector` on into the transfer area */
	HV_ASK_DISK_FLUSH = 2, /* all that was written so far is to survive */
	HV_ASK_PACKET = 3,     /* replay: the packet that comes next into the transfer area; `bytes` is its length */
	HV_ASK_ENTROPY = 4,    /* so many random bytes into the transfer area */
};

enum { HV_TRANSFER_BYTES = 1 << 20, HV_PACKET_BYTES_MAX = 1 << 16, HV_PACKET_ALIGN = 8 };

struct hv_ask {
	uint32_t kind;   /* enum hv_ask_kind; the host sets it back to none with its answer */
	uint32_t device; /* number of its transport */
	uint32_t bytes;  /* up to HV_TRANSFER_BYTES */
	uint32_t failed; /* the answer: 1: the host could not do it */
	uint64_t sector;
};

struct hv_mailbox {
	/* hv writes */
	uint32_t state;          /* enum hv_state */
	uint32_t end_reason;     /* enum end_reason */
	uint64_t now_n;          /* position at the last exit */
	uint64_t now_ns;         /* guest time there */
	uint64_t idle_target_ns; /* pace real: the guest sleeps, from now_ns on, until guest time may go this far; 0: it
				    runs; UINT64_MAX: until input */
	uint64_t exit_count;     /* of all kinds, for statistics */
	uint64_t denied_count;
	uint32_t fingerprint_count;
	uint32_t waits; /* 1: hv sleeps until the host rings; the host sets it back to 0 when it does */
	uint64_t fingerprint[HV_FINGERPRINT_COUNT]; /* ID registers, in hv/abi/fingerprint.def's order */
	struct event expected;                      /* a divergence: what the trace says ... */
	struct event actual;                        /* ... and what the guest did */
	char text[HV_TEXT_BYTES];                   /* one line, NUL-terminated */
	uint32_t stop;                              /* enum hv_stop */
	uint32_t bell;         /* the host writes: value of the byte that it rang with last, or is about to */
	uint64_t stop_address; /* of a watchpoint's access */
	uint64_t hit_count;    /* hits that the run went on from: struct hv_hit, in the staging room */

	/* the host writes */
	uint32_t stop_request;     /* 1: end the recording at once */
	uint32_t input_ended;      /* 1: nothing more will come through the input ring, or not before the console shows
				      what the host waits for */
	uint64_t real_ns;          /* pace real: how far guest time may go; the host moves it before it rings. It never
				      gets ahead of a guest that runs */
	uint32_t events_ended;     /* replay: the trace has nothing after event_head */
	uint32_t keyframe_request; /* recording, 1: stand still (HV_STATE_KEYFRAME) at the next asynchronous exit */

	/* the host writes, for a debugger */
	uint32_t command;   /* enum hv_command */
	uint32_t interrupt; /* 1: stop a run at once */
	uint32_t diverted;  /* 1: HV_COMMAND_RUN does not follow the trace: the guest is one that a debugger changed */
	uint32_t zero1;
	uint64_t run_until_n;
	uint64_t page_count;
	uint64_t debug_point_count;
	struct hv_debug_point debug_points[HV_DEBUG_POINTS_MAX];
	uint8_t conditions[HV_CONDITION_BYTES];
	uint64_t hit_room; /* so many hits a run may go on from, where it can; 0: it stops at the first */

	/* recording: hv sets console_shown to 1 when the console shows what one of the watches is for, and stands still
	   until the host, which has taken all events by then, sets it back to 0 */
	struct hv_console_watch console_watch[HV_CONSOLE_WATCHES];
	uint32_t console_shown;
	uint32_t zero2;

	struct hv_ask ask; /* hv's, but for the answer */
	/* recording: hv sets it to 1, and rings, when the guest has sent packets; the host sets it back to 0 before it
	   looks at them */
	uint32_t packets_sent;
	uint32_t looks; /* the host writes: 1: it looks for what hv asks and needs no bell */

	/* rings: head is written by the ring's writer, tail by its reader. What devices give out (disk writes, packets)
	   is in the output ring before its event is in the event ring. */
	uint64_t event_head;
	uint64_t event_tail;
	uint64_t input_head;
	uint64_t input_tail;
	uint64_t output_head;
	uint64_t output_tail;
	uint64_t packet_head;
	uint64_t packet_tail;

	struct guest_state final_state; /* hv writes it at ENDED, DIVERGED, STOPPED and KEYFRAME; the host for
					   HV_COMMAND_LOAD, and before the start to resume */
};
