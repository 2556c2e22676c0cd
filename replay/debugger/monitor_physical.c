/* who-wrote by physical address. Watchpoints know virtual addresses; what is at a physical one is known at every place,
 * whoever writes it and through whichever mapping. So the last change is looked for by the value: checkpoint by
 * checkpoint back to where it is another one, and then by halves. A write of the value that is there already, and a
 * change that was undone before the next checkpoint, are not seen. */
#include "replay/debugger/monitor_session.h"
#include "replay/guest/guest_memory.h"
#include "replay/trace/numbers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BYTES_DEFAULT = 8, BYTES_MAX = 32, TEXT_BYTES = 3 * BYTES_MAX };

struct watched {
	ipa_t ipa;
	size_t bytes;
	uint8_t value[BYTES_MAX]; /* what the last change has left */
};

/* ADDRESS [LENGTH] */
static bool watched_parse(struct monitor *monitor, const char *argument, struct watched *watched)
{
	char address[MONITOR_LINE_BYTES];
	size_t length = strcspn(argument, " ");
	const char *rest = argument + length + strspn(argument + length, " ");
	uint64_t bytes = BYTES_DEFAULT;
	snprintf(address, sizeof(address), "%.*s", (int)length, argument);
	if (!numbers_value(address, &watched->ipa.v) || (*rest && !numbers_value(rest, &bytes)) || bytes == 0 ||
	    bytes > BYTES_MAX)
		return monitor_fail(monitor, "who-wrote phys takes a physical address, and up to %d bytes\n",
				    BYTES_MAX);
	watched->bytes = (size_t)bytes;
	return guest_memory_read_physical(timeline_memory(monitor->timeline), watched->ipa, watched->value,
					  watched->bytes) ||
	       monitor_fail(monitor, "%#" PRIx64 " is no address of the guest's RAM\n", watched->ipa.v);
}

static bool is_same(const struct monitor *monitor, const struct watched *watched)
{
	uint8_t value[BYTES_MAX];
	return guest_memory_read_physical(timeline_memory(monitor->timeline), watched->ipa, value, watched->bytes) &&
	       memcmp(value, watched->value, watched->bytes) == 0;
}

/* The last checkpointed position before `high` at which the value is another one, *low, and the next one after it,
 * *high. *found: there is one. False: error set. */
static bool find_stretch(struct monitor *monitor, const struct watched *watched, uint64_t *low, uint64_t *high,
			 bool *found, struct error *error)
{
	const struct checkpoints *all = timeline_checkpoints(monitor->timeline);
	*found = false;
	while (!*found && *high > timeline_start_n(monitor->timeline)) {
		*low = all->at[checkpoints_before(all, *high - 1)].n;
		if (!timeline_goto(monitor->timeline, *low, error))
			return false;
		*found = !is_same(monitor, watched);
		*high = *found ? *high : *low;
	}
	return true;
}

/* Leaves in *low the position of the instruction that changes the value. */
static bool halve(struct monitor *monitor, const struct watched *watched, uint64_t *low, uint64_t high,
		  struct error *error)
{
	while (high - *low > 1) {
		uint64_t middle = *low + (high - *low) / 2;
		if (!timeline_goto(monitor->timeline, middle, error))
			return false;
		if (is_same(monitor, watched))
			high = middle;
		else
			*low = middle;
	}
	return timeline_goto(monitor->timeline, *low, error);
}

static void value_text(const uint8_t *value, size_t bytes, char text[TEXT_BYTES])
{
	int used = 0;
	text[0] = 0;
	for (size_t i = 0; i < bytes; i++) /* as a number, where it is one */
		used += snprintf(text + used, TEXT_BYTES - (size_t)used, "%s%02x", bytes <= 8 && i == 0 ? "0x" : "",
				 value[bytes <= 8 ? bytes - 1 - i : i]);
}

static void print_change(const struct monitor *monitor, const struct watched *watched)
{
	const struct guest_state *state = timeline_state(monitor->timeline);
	char before[TEXT_BYTES], after[TEXT_BYTES];
	uint8_t value[BYTES_MAX] = {0};
	uint64_t now_ns = state->n + state->idle_ns;
	guest_memory_read_physical(timeline_memory(monitor->timeline), watched->ipa, value, watched->bytes);
	value_text(value, watched->bytes, before);
	value_text(watched->value, watched->bytes, after);
	monitor_print(monitor,
		      "changed by the instruction at pc %#" PRIx64 ", instruction %" PRIu64 ", guest time %" PRIu64
		      ".%09" PRIu64 " s, vcpu %u: %s -> %s\n",
		      timeline_vcpu(monitor->timeline)->pc, state->n, now_ns / NS_PER_S, now_ns % NS_PER_S,
		      timeline_vcpu_index(monitor->timeline), before, after);
}

bool monitor_physical_who_wrote(struct monitor *monitor, const char *argument)
{
	struct error error = {.status = STATUS_OK};
	struct timeline_place origin = timeline_place(monitor->timeline);
	struct watched watched;
	uint64_t low = 0, high = origin.n;
	bool found = false;
	if (!watched_parse(monitor, argument, &watched))
		return false;
	if (find_stretch(monitor, &watched, &low, &high, &found, &error) && found &&
	    halve(monitor, &watched, &low, high, &error)) {
		print_change(monitor, &watched);
		return true;
	}
	monitor_place_return(monitor, origin);
	return monitor_fail(monitor, "%s\n",
			    error.status != STATUS_OK ? error.text : "the guest did not change it before");
}
