/* The guest's PL031 real-time clock: a 32-bit count of seconds with one alarm, as a pure function of its state and of
 * the time that the caller gives.
 *
 * `now_s` is always rtc_base_s + guest seconds (seconds since 1970), never decreasing between calls on one state.
 * Called by hv's device dispatch with offsets below GUEST_RTC_BYTES, and by its timer code; compiled for EL2 and for
 * the host's tests. It behaves like QEMU's model (hw/rtc/pl031.c, 7.2) at a resolution of a second; the register names
 * are those of the manual (ARM DDI 0224, chapter 3).
 *
 * Accesses are 32 bits wide and aligned; shaping others is the caller's, as for the PL011. No function here can fail.
 */
#pragma once
#include "hv/abi/guest_state.h"
#include <stdbool.h>
#include <stdint.h>

/* Puts the clock into its state after power-on: it reads now_s, no alarm is armed. */
void pl031_reset(struct pl031_state *state);

/* Reads the register at `offset` (bytes) at now_s. Offsets without a readable register give 0. */
uint64_t pl031_read(struct pl031_state *state, uint32_t offset, uint64_t now_s);

/* Writes the low 32 bits of `value` to the register at `offset` (bytes) at now_s. A write of RTCMR or RTCLR arms the
 * alarm for the next time that the count equals RTCMR, which is now if they are equal already. Offsets without a
 * writable register are ignored. */
void pl031_write(struct pl031_state *state, uint32_t offset, uint64_t value, uint64_t now_s);

/* Raises RTCRIS if the alarm is armed and now_s has reached it; that disarms it. pl031_read and pl031_write do it
 * themselves. Call it before pl031_line, and before state is hashed: equal guests then have equal bytes. */
void pl031_tick(struct pl031_state *state, uint64_t now_s);

/* The level of RTCINTR: true if RTCMIS is 1. */
bool pl031_line(const struct pl031_state *state);

/* Seconds from now_s until time alone raises pl031_line: 0 if that is overdue, UINT64_MAX if it will not happen (no
 * alarm armed, interrupt masked, or line already up). Ask again after every pl031_write. */
uint64_t pl031_deadline_s(const struct pl031_state *state, uint64_t now_s);
