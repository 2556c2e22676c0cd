/* Commands about guest memory: who wrote a place, how addresses are meant, and a hash to compare places by.
 *
 * who-wrote arms write watchpoints, which know virtual addresses only: a write through another mapping of the same
 * memory is not seen, and one to the same address in another address space (another TTBR0) is passed over. */
#include "hv/host/state_hash.h"
#include "replay/debugger/monitor_session.h"
#include "replay/guest/guest_memory.h"
#include "replay/trace/numbers.h"
#include "replay/trace/words.h"
#include "replay/travel/travel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DOUBLEWORD_BYTES = 8, WRITE_BYTES_MAX = 128, SHOWN_BYTES_MAX = 32, FOREIGN_MAX = 200 };
enum { POINTS_MAX = WRITE_BYTES_MAX / DOUBLEWORD_BYTES + 1, VALUE_TEXT_BYTES = 3 * SHOWN_BYTES_MAX };
#define TTBR_BADDR UINT64_C(0x0000fffffffffffe) /* without ASID and CnP */

struct watched {
	uint64_t address, bytes;
	struct hv_debug_point points[POINTS_MAX];
	size_t point_count;
	uint64_t space; /* TTBR0's table, where that translates the address; else 0 */
};

static uint64_t space_here(const struct monitor *monitor, uint64_t address)
{
	return address >> 63 ? 0 : timeline_vcpu(monitor->timeline)->ttbr0_el1 & TTBR_BADDR;
}

/* ADDRESS [LENGTH] */
static bool watched_parse(struct monitor *monitor, const char *argument, struct watched *watched)
{
	char address[MONITOR_LINE_BYTES];
	size_t length = strcspn(argument, " ");
	snprintf(address, sizeof(address), "%.*s", (int)length, argument);
	const char *rest = argument + length + strspn(argument + length, " ");
	if (!numbers_value(address, &watched->address) ||
	    (*rest && (!numbers_value(rest, &watched->bytes) || watched->bytes == 0)))
		return monitor_fail(monitor,
				    "who-wrote takes a virtual address, as 0x… or decimal, and a number of bytes\n");
	if (!*rest)
		watched->bytes = DOUBLEWORD_BYTES - watched->address % DOUBLEWORD_BYTES;
	if (watched->bytes > WRITE_BYTES_MAX || watched->address > UINT64_MAX - watched->bytes)
		return monitor_fail(monitor, "who-wrote watches up to %d bytes\n", WRITE_BYTES_MAX);
	return true;
}

/* Cut at doublewords, each a watchpoint. */
static void watched_points(const struct monitor *monitor, struct watched *watched)
{
	uint64_t at = watched->address, left = watched->bytes;
	for (watched->point_count = 0; left > 0; watched->point_count++) {
		uint64_t part = DOUBLEWORD_BYTES - at % DOUBLEWORD_BYTES;
		part = part < left ? part : left;
		watched->points[watched->point_count] =
			(struct hv_debug_point){.address = at, .bytes = (uint32_t)part, .access = HV_DEBUG_WRITE};
		at += part;
		left -= part;
	}
	watched->space = space_here(monitor, watched->address);
}

/* What is there now: up to 8 bytes as a number, more as bytes, nothing if they are too many for a line. */
static void value_text(const struct monitor *monitor, const struct watched *watched, char text[VALUE_TEXT_BYTES])
{
	uint8_t bytes[SHOWN_BYTES_MAX];
	uint64_t value = 0;
	int used = 0;
	if (watched->bytes > SHOWN_BYTES_MAX) {
		snprintf(text, VALUE_TEXT_BYTES, "…");
		return;
	}
	if (!guest_memory_read(timeline_memory(monitor->timeline), timeline_vcpu(monitor->timeline),
			       (va_t){watched->address}, bytes, watched->bytes)) {
		snprintf(text, VALUE_TEXT_BYTES, "not mapped");
		return;
	}
	for (size_t i = 0; i < watched->bytes && i < DOUBLEWORD_BYTES; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	if (watched->bytes <= DOUBLEWORD_BYTES) {
		snprintf(text, VALUE_TEXT_BYTES, "%#" PRIx64, value);
		return;
	}
	for (size_t i = 0; i < watched->bytes; i++)
		used += snprintf(text + used, VALUE_TEXT_BYTES - (size_t)used, "%s%02x", i > 0 && i % 8 == 0 ? " " : "",
				 bytes[i]);
}

/* Goes right after the last write before here, in this address space. STOP_FAILED, STOP_INTERRUPTED: error set. */
static enum stop_kind last_write(struct monitor *monitor, const struct watched *watched, struct error *error)
{
	struct search search = {.points = {watched->points, watched->point_count, NULL}, .reverse = true};
	for (int foreign = 0; foreign < FOREIGN_MAX; foreign++) {
		enum stop_kind kind = travel_continue(monitor->timeline, &search, error).kind;
		if (kind == STOP_INTERRUPTED)
			error_set(error, STATUS_FAILED, "interrupted");
		if (kind != STOP_WATCHPOINT || space_here(monitor, watched->address) == watched->space)
			return kind;
		search.skip_access = true;
	}
	error_set(error, STATUS_FAILED, "the last %d writes to this address were in other address spaces", FOREIGN_MAX);
	return STOP_FAILED;
}

/* From right after the write to the instruction that does it. */
static bool show_write(struct monitor *monitor, const struct watched *watched)
{
	char before[VALUE_TEXT_BYTES], after[VALUE_TEXT_BYTES];
	value_text(monitor, watched, after);
	if (!monitor_place_go(monitor, timeline_n(monitor->timeline) - 1))
		return false;
	value_text(monitor, watched, before);
	const struct guest_state *state = timeline_state(monitor->timeline);
	uint64_t now_ns = state->n + state->idle_ns;
	monitor_print(monitor,
		      "written by the instruction at pc %#" PRIx64 ", instruction %" PRIu64 ", guest time %" PRIu64
		      ".%09" PRIu64 " s, vcpu %u: %s -> %s\n",
		      timeline_vcpu(monitor->timeline)->pc, state->n, now_ns / NS_PER_S, now_ns % NS_PER_S,
		      timeline_vcpu_index(monitor->timeline), before, after);
	return true;
}

bool monitor_memory_who_wrote(struct monitor *monitor, const char *argument)
{
	struct error error = {.status = STATUS_OK};
	struct watched watched;
	struct timeline_place origin = timeline_place(monitor->timeline);
	const char *physical = words_after(argument, "phys");
	if (physical)
		return monitor_physical_who_wrote(monitor, physical);
	if (!watched_parse(monitor, argument, &watched))
		return false;
	watched_points(monitor, &watched);
	enum stop_kind stop = last_write(monitor, &watched, &error);
	if (stop == STOP_WATCHPOINT && show_write(monitor, &watched))
		return true;
	if (stop == STOP_BEGIN)
		monitor_print(monitor, "the guest did not write there before\n");
	else if (stop != STOP_WATCHPOINT)
		monitor_print(monitor, "%s\n", error.text);
	monitor_place_return(monitor, origin);
	return false;
}

bool monitor_memory_phys(struct monitor *monitor, const char *argument)
{
	bool on = strcmp(argument, "on") == 0;
	if (*argument && !on && strcmp(argument, "off") != 0)
		return monitor_fail(monitor, "phys on, or phys off\n");
	if (*argument)
		gdbstub_set_physical(monitor->stub, on);
	monitor_print(monitor, "gdb's addresses are %s\n",
		      gdbstub_physical(monitor->stub) ? "guest physical" : "guest virtual");
	return true;
}

bool monitor_memory_hash(struct monitor *monitor, const char *argument)
{
	char hash[STATE_HASH_TEXT_BYTES];
	struct error error = {.status = STATUS_OK};
	if (*argument)
		return monitor_fail(monitor, "hash takes no argument\n");
	if (!engine_memory_hash(timeline_engine(monitor->timeline), hash, &error))
		return monitor_fail(monitor, "%s\n", error.text);
	monitor_print(monitor, "memory %s\n", hash);
	return true;
}
