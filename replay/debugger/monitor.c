/* The monitor's table of commands, and help. A line is a word and an argument, which the command reads itself. */
#include "replay/debugger/monitor.h"
#include "replay/debugger/monitor_session.h"
#include "replay/trace/words.h"
#include "replay/travel/diversion.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool help(struct monitor *monitor, const char *argument);

/* What a command does in a diversion: it works there, goes back to the recording first, or is refused, because it is
 * about this place of the recording and would have to leave it. */
enum when_diverted { WORKS, RETURNS, REFUSED };

static const struct row {
	const char *word;
	bool (*run)(struct monitor *monitor, const char *argument);
	enum when_diverted when_diverted;
	const char *usage; /* without the word */
	const char *brief;
	const char *detail; /* whole lines */
} rows[] = {
	{"when", monitor_place_when, WORKS, "", "where this is",
	 "Instruction, guest time, the next event, vCPU and pc; and the console's last lines.\n"},
	{"seek", monitor_seek, RETURNS, " N | event K | time SECONDS | P% | start | end", "go there",
	 "N is a number of instructions, with k, M or G for powers of 1000. A trap's place is before its instruction,\n"
	 "an interrupt's after it. Guest time has nine digits after the point; inside idle time it is where the "
	 "guest went idle.\n"},
	{"back", monitor_seek_back, RETURNS, " [N]", "N instructions back", "One without N. Ends at the start.\n"},
	{"forward", monitor_seek_forward, RETURNS, " [N]", "N instructions on", "One without N. Ends at the end.\n"},
	{"next", monitor_events_next, RETURNS,
	 " irq [INTID] | mmio [RANGE] | exception [KIND] | exit | switch [VCPU] | disk [NAME] | packet "
	 "[in|out] | console TEXT",
	 "go on to the next of these",
	 "irq: an interrupt is made pending for the guest. mmio: a device is accessed; RANGE is a physical address,\n"
	 "FROM..TO, or uart, rtc, gicd, gicr, virtio (virtio3: one of them). exception: the guest takes one at EL1, "
	 "from\n"
	 "EL0 or EL1; KIND is fault, svc, undefined, fp, brk, debug, irq, fiq or serror. The place is its vector.\n"
	 "exit: hv's own, an asynchronous exit, an external abort, a debug exception or a refused system register.\n"
	 "switch: another vCPU has its turn; VCPU is who leaves or who goes on. disk: a disk's request is done, or a\n"
	 "piece of it; NAME is vda or what it is called. packet: one comes in or goes out. console: TEXT has just "
	 "been\n"
	 "printed; it may be in \"\".\n"},
	{"prev", monitor_events_prev, RETURNS,
	 " irq [INTID] | mmio [RANGE] | exception [KIND] | exit | switch [VCPU] | disk [NAME] | packet "
	 "[in|out] | console TEXT",
	 "go back to the last of these", "See help next.\n"},
	{"checkpoint", monitor_place_checkpoint, REFUSED, "", "name this place",
	 "It gets a number, for restart and delete.\n"},
	{"checkpoints", monitor_place_checkpoints, WORKS, "", "list the named places",
	 "And the guests of the past that are in memory: near one of them travelling is fast.\n"},
	{"restart", monitor_place_restart, RETURNS, " K", "go to the place named K", "K or $K.\n"},
	{"delete", monitor_place_delete, WORKS, " K", "forget the place named K", "K or $K.\n"},
	{"who-wrote", monitor_memory_who_wrote, RETURNS, " [phys] ADDRESS [LENGTH]", "go back to the last write there",
	 "A virtual address as gdb sees it here; up to 128 bytes, else to the end of its doubleword. Stops before the\n"
	 "instruction that writes, so that again finds the write before. With phys it is a physical address, and\n"
	 "the last change of up to 32 bytes, through whichever mapping. Without, other mappings are not seen.\n"},
	{"who-wrote-sector", monitor_disk_who_wrote, WORKS, " DISK SECTOR", "which request wrote a disk's sector last",
	 "The last one before here, of the trace, that wrote the sector of 512 bytes, set it to zero or discarded it.\n"
	 "Goes nowhere. After seeking there, back makes it the one before.\n"},
	{"events", monitor_events, WORKS, " [K | FROM..TO | n FROM..TO]", "print events of the trace",
	 "By number, or by position with n, which takes k, M and G. Ten around here without a range. => is the next "
	 "one.\n"},
	{"phys", monitor_memory_phys, WORKS, " [on|off]", "memory by guest physical address",
	 "What gdb's addresses mean when it reads memory. Virtual ones are those of the vCPU at this moment; kernel\n"
	 "addresses that it has no mapping for in EL0 (page table isolation) are looked up in the kernel's own "
	 "table.\n"},
	{"steps", monitor_steps, WORKS, " [interrupts on|off]", "whether steps go into interrupt handlers",
	 "Off, a step passes over an interrupt that comes in it, as on QEMU; breakpoints in the handler stop all the "
	 "same.\n"},
	{"hash", monitor_memory_hash, WORKS, "", "hash of the guest's memory",
	 "All of RAM as it is here: the same in every replay, however one came here.\n"},
	{"verify", monitor_verify, REFUSED, "", "replay everything and compare",
	 "Every event from the start to the end, and the final state. Stays at this place.\n"},
	{"divert", monitor_diversion_begin, WORKS, "", "begin a diversion here, which calls do not end",
	 "A guest that runs on without the recording from here. Without this one that begins with a call ends with "
	 "it.\n"},
	{"back-to-replay", monitor_diversion_back, WORKS, "", "leave a diversion, back to the recording",
	 "Writing registers or memory begins a diversion: a guest that runs on without the recording and is thrown "
	 "away.\n"},
	{"help", help, WORKS, " [COMMAND]", "this, or more about one command", ""},
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static bool help(struct monitor *monitor, const char *argument)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (*argument == 0)
			monitor_print(monitor, "monitor %s%s -- %s\n", rows[i].word, rows[i].usage, rows[i].brief);
		if (strcmp(argument, rows[i].word) != 0)
			continue;
		monitor_print(monitor, "monitor %s%s -- %s\n%s", rows[i].word, rows[i].usage, rows[i].brief,
			      rows[i].detail);
		return true;
	}
	return *argument == 0 || monitor_fail(monitor, "there is no command '%s'; monitor help lists them\n", argument);
}

static bool may_run(struct monitor *monitor, const struct row *row)
{
	if (row->when_diverted == WORKS || !diversion_is_on(monitor->timeline))
		return true;
	if (row->when_diverted == RETURNS)
		return monitor_diversion_leave(monitor);
	return monitor_fail(monitor, "%s is about the recording, and this is a diversion; back-to-replay first\n",
			    row->word);
}

/* What the user keeps outlives a client, so that one who connects again finds it; a process debugs one trace. */
static struct monitor_kept kept;

bool monitor_command(struct timeline *timeline, struct gdbstub *stub, const char *line)
{
	struct monitor monitor = {timeline, stub, &kept};
	char text[MONITOR_LINE_BYTES];
	if (kept.timeline != timeline)
		kept = (struct monitor_kept){.timeline = timeline};
	if (!words_trim(line, text, sizeof(text)))
		return monitor_fail(&monitor, "a command has at most %d characters\n", MONITOR_LINE_BYTES - 1);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const char *argument = words_after(text, rows[i].word);
		if (argument)
			return may_run(&monitor, &rows[i]) && rows[i].run(&monitor, argument);
	}
	return monitor_fail(&monitor, "there is no command '%s'; monitor help lists them\n", text);
}
