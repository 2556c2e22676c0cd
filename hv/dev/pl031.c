/* The PL031 as QEMU models it: always enabled (RTCCR reads 1), and the alarm fires once for each arming.
 *
 * The count is 64 bits here, now_s + offset_s; the guest reads the low half. The high half says whether an alarm is
 * armed and lets one that is noticed late be distinguished from one that is still to come:
 *   1. Arming chooses the high half so that the alarm is due when the count reaches 2^32 + match (it starts at
 *      2^32 + low if low < match, at low if the low half has to wrap first).
 *   2. From COUNT_DISARMED on no alarm is armed. */
#include "hv/dev/pl031.h"

#define COUNT_DUE_BASE (UINT64_C(1) << 32)
#define COUNT_DISARMED (UINT64_C(1) << 63)

enum {
	REG_DR = 0x00,
	REG_MR = 0x04,
	REG_LR = 0x08,
	REG_CR = 0x0c,
	REG_IMSC = 0x10,
	REG_RIS = 0x14,
	REG_MIS = 0x18,
	REG_ICR = 0x1c,
	REG_ID_FIRST = 0xfe0, /* RTCPeriphID0 .. 3, RTCPCellID0 .. 3 */
	REG_ID_LAST = 0xffc,
};

enum { INT_RTC = 1u, CR_ENABLED = 1u };

/* Part 0x031, designer 0x41 (Arm), PrimeCell: DDI 0224, 3.3.9 and 3.3.10. */
static const uint8_t id_registers[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint64_t count_at(const struct pl031_state *state, uint64_t now_s)
{
	return now_s + state->offset_s;
}

static uint64_t count_due(const struct pl031_state *state)
{
	return COUNT_DUE_BASE + state->match;
}

static void count_set(struct pl031_state *state, uint64_t count, uint64_t now_s)
{
	state->offset_s = count - now_s;
}

/* Sets the clock to `seconds` and arms the alarm, or raises it at once. */
static void arm(struct pl031_state *state, uint32_t seconds, uint64_t now_s)
{
	if (seconds == state->match) {
		state->ris |= INT_RTC;
		count_set(state, COUNT_DISARMED + seconds, now_s);
	} else {
		count_set(state, seconds < state->match ? COUNT_DUE_BASE + seconds : seconds, now_s);
	}
}

void pl031_reset(struct pl031_state *state)
{
	*state = (struct pl031_state){.offset_s = COUNT_DISARMED};
}

uint64_t pl031_read(struct pl031_state *state, uint32_t offset, uint64_t now_s)
{
	pl031_tick(state, now_s);
	if (offset >= REG_ID_FIRST && (offset & ~UINT32_C(3)) <= REG_ID_LAST)
		return id_registers[(offset - REG_ID_FIRST) / 4];
	switch (offset) {
	case REG_DR:
		return (uint32_t)count_at(state, now_s);
	case REG_MR:
		return state->match;
	case REG_LR:
		return state->load;
	case REG_CR:
		return CR_ENABLED;
	case REG_IMSC:
		return state->imsc;
	case REG_RIS:
		return state->ris;
	case REG_MIS:
		return state->ris & state->imsc;
	default:
		return 0;
	}
}

void pl031_write(struct pl031_state *state, uint32_t offset, uint64_t value, uint64_t now_s)
{
	const uint32_t word = (uint32_t)value;

	pl031_tick(state, now_s);
	switch (offset) {
	case REG_MR:
		state->match = word;
		arm(state, (uint32_t)count_at(state, now_s), now_s);
		break;
	case REG_LR:
		state->load = word;
		arm(state, word, now_s);
		break;
	case REG_IMSC:
		state->imsc = word & INT_RTC;
		break;
	case REG_ICR:
		state->ris &= ~word;
		break;
	default:
		break;
	}
}

void pl031_tick(struct pl031_state *state, uint64_t now_s)
{
	const uint64_t count = count_at(state, now_s);

	if (count >= COUNT_DISARMED || count < count_due(state))
		return;
	state->ris |= INT_RTC;
	count_set(state, COUNT_DISARMED + (uint32_t)count, now_s);
}

bool pl031_line(const struct pl031_state *state)
{
	return (state->ris & state->imsc) != 0;
}

uint64_t pl031_deadline_s(const struct pl031_state *state, uint64_t now_s)
{
	const uint64_t count = count_at(state, now_s);

	if (count >= COUNT_DISARMED || (state->imsc & INT_RTC) == 0 || pl031_line(state))
		return UINT64_MAX;
	return count < count_due(state) ? count_due(state) - count : 0;
}
