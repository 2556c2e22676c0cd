/* The fake machine: runs the real hv_main() on the host, in a process of its own (so that each run finds hv's static
 * state fresh), against the scripted guest of fake_guest.h and a scripted host.
 *
 * fake_record runs a recording and keeps its events; fake_replay feeds them, as the test left them, to a replay. Memory
 * is shared: after a run the test reads mailbox and trace. A run that does not end by itself is FAKE_STUCK. A replay
 * with commands serves a debugger, and keeps what it was at each stop. */
#pragma once
#include "hv/abi/mailbox.h"
#include "hv/board/board.h"
#include "tests/unit/fake_guest.h"
#include <stddef.h>

enum { FAKE_RAM_BYTES = 0x82000 }; /* from GUEST_RAM_IPA on */
/* The words that FAKE_POKE may write to: what a debugger's LOAD, and a start from a keyframe, put back. */
#define FAKE_SHARED (GUEST_RAM_IPA + UINT64_C(0x1000))
enum { FAKE_SHARED_WORDS = 64 };
#define FAKE_CELL (FAKE_SHARED + UINT64_C(4) * (FAKE_SHARED_WORDS - 2)) /* what FAKE_LDXR and its like access */
enum { FAKE_SEGMENTS = 12, FAKE_EVENTS_MAX = 4096, FAKE_RING_COUNT = 256, FAKE_COMMANDS_MAX = 8 };
enum {
	FAKE_PACKET_BYTES = 60,
	FAKE_ANSWERS_MAX = 64,
	FAKE_ANSWER_BYTES_MAX = 4096,
	FAKE_OUTPUT_BYTES = 2 << 20,
	FAKE_PACKETS_BYTES = 4096
};

enum fake_result {
	FAKE_STOPPED, /* hv is at its end: the mailbox says which */
	FAKE_STUCK,   /* it waits for ever, or runs on where it should have ended */
	FAKE_LOST,    /* the guest left its program */
	FAKE_BROKEN,  /* hv broke a rule of the machine (fake_cpus.c): the mailbox's text says which */
	FAKE_CRASHED,
};

/* What the host does to a recording, once each, in order: when the guest has come to `at_n`, or when hv sleeps. */
enum fake_act_kind {
	FAKE_INPUT,        /* types a byte and rings */
	FAKE_INPUT_AT_WFI, /* the same, in the middle of a WFI at or after at_n: the WFI does not trap */
	FAKE_INPUT_IDLE,   /* the same, only when hv sleeps */
	FAKE_RING,         /* rings for nothing */
	FAKE_RING_ENTRY,   /* the same, at an entry, before the guest has retired anything */
	FAKE_SPURIOUS,     /* an interrupt that is gone when hv looks */
	FAKE_STOP,         /* asks hv to stop */
	FAKE_KEYFRAME,     /* asks for a keyframe and rings */
	FAKE_PACKET,       /* has a packet of FAKE_PACKET_BYTES for the guest and rings */
};

struct fake_act {
	enum fake_act_kind kind;
	uint64_t at_n;
	uint8_t byte;
};

/* What a debugger's host asks for. */
struct fake_command {
	enum hv_command command;
	uint64_t until_n;
	bool diverted, interrupt;
	size_t from;                               /* HV_COMMAND_LOAD: become what the guest was after this command */
	void (*change)(struct guest_state *guest); /* … and this; NULL: nothing */
};

/* What hv was after a command. */
struct fake_stopped {
	uint32_t state, end_reason, stop;
	uint64_t exit_count; /* so far */
	uint64_t next_event; /* of the trace; diverted, of where the diversion began */
	struct guest_state guest;
};

struct fake_config {
	struct fake_segment segments[FAKE_SEGMENTS];
	const struct fake_act *acts;
	size_t act_count;
	const struct fake_command *commands; /* replay: up to FAKE_COMMANDS_MAX */
	size_t command_count;
	uint64_t limit_n, until_n;
	uint64_t turn_seed; /* recording: turns are drawn */
	uint64_t rtc_base_s;
	uint64_t ring_count;  /* slots of the event ring; 0: FAKE_RING_COUNT */
	uint64_t events_turn; /* how many events the host takes or gives while hv sleeps once; 0: all that fit */
	uint64_t over_count;  /* what an MRS of a plain register counts too much */
	uint32_t pace;
	uint32_t vcpu_count;             /* 0: 1 */
	uint64_t machine_version;        /* 0: GUEST_MACHINE_VERSION */
	struct hv_console_watch until;   /* recording: the host asks hv to stop when the console shows this */
	const struct hv_virtio *devices; /* at the first transports */
	size_t device_count;
	void (*prepare)(void);   /* puts what it likes into RAM before the guest runs */
	uint64_t asks_fail_from; /* recording: the first of what hv asks that the host cannot do, from 1 on; 0: none */
	uint64_t fingerprint;    /* replay: the recording's machine had this for every register; 0: not known */
	bool virtual_first; /* at an entry the guest takes a virtual interrupt before a physical one takes it out */
	bool no_clock;      /* the machine has no exact clock */
	bool is_truncated;  /* replay: the trace has no END */
	bool from_keyframe; /* replay: begins with the recording's last keyframe */
};

/* The fake machine's ID registers read as FAKE_FINGERPRINT, FAKE_FINGERPRINT + 1 and so on. */
enum { FAKE_FINGERPRINT = 1000, FAKE_FINGERPRINT_COUNT = 35 };

extern const struct fake_config *fake_config;

enum fake_result fake_record(const struct fake_config *config);
enum fake_result fake_replay(const struct fake_config *config);

/* A word of the guest's RAM: zero but for what hv fetches (fake_guest.h), and FAKE_SHARED, which the guest writes to.
 * NULL: there is none. */
uint32_t *fake_ram_word(uint64_t ipa);

/* A boot block and empty RAM, for tests that call a part of hv without running it. */
const struct hv_boot *fake_boot(void);

/* The run's mailbox, and the events that the recording left. */
struct hv_mailbox *fake_mailbox(void);
struct event *fake_trace(size_t *count);
/* Replays only the first `count` events. */
void fake_trace_cut(size_t count);
/* After the command. */
const struct fake_stopped *fake_stopped(size_t command);
/* The events of all diverted runs. */
const struct event *fake_diverted(size_t *count);
/* What the guest's devices gave out in the last run, and what the host gives a disk's sector, or as entropy. */
const uint8_t *fake_output(uint64_t *bytes);
uint8_t fake_given(uint64_t sector, uint32_t at);
/* The state of the recording's last keyframe, and how many events came before it; 0: there is none. */
const struct guest_state *fake_keyframe(uint64_t *next_event);
/* How often hv slept, and the most events that were in the ring. */
uint64_t fake_sleeps(void);
uint64_t fake_ring_most(void);

/* ---- for fake_guest.c and fake_arch.c ---- */

/* Ends the run. */
_Noreturn void fake_machine_end(enum fake_result result);
/* Ends the run as FAKE_BROKEN if it does not hold. */
void fake_rule(bool holds, const char *rule);
/* An entry of `vcpu`: whether hv keeps the rules (fake_cpus.c). */
void fake_cpus_entered(const struct vcpu_state *vcpu);
/* Which CPU hv is on. */
uint32_t fake_cpu_here(void);
/* The CPU that hv is on has counted so many instructions. */
void fake_clock_count(uint64_t instructions);
/* Lets the host act when the guest stands at `n`, at an entry or not; BOARD_IRQ_* that it raised, and whether one was
 * spurious. */
uint32_t fake_machine_acts(uint64_t n, bool at_entry, bool *spurious);
/* The host was asked to ring while the guest runs, or wants hv to stop, and it is time. */
bool fake_machine_rings_back(void);
/* Where the host acts next, or UINT64_MAX. */
uint64_t fake_machine_next_act(void);
/* Lets a FAKE_INPUT_AT_WFI act happen that is due at `n`; sets *rang and returns true if one was. */
bool fake_machine_act_at_wfi(uint64_t n, bool *rang);
/* Whether a physical interrupt is pending, or comes just now, in the middle of a WFI (fake_arch.c). */
bool fake_machine_irq_at_wfi(void);
/* hv stands still for a keyframe: the host takes it. */
void fake_machine_yield(void);
/* hv sleeps: the host takes or gives events, types, moves the clock. */
uint32_t fake_machine_sleep(void);
