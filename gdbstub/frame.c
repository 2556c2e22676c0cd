/* The framing of packets. */
#include "gdbstub/frame.h"

enum { INTERRUPT = 0x03, RUN_BIAS = 29, RUN_REPEATS_MIN = 3, RUN_REPEATS_MAX = 126 - RUN_BIAS };

static enum frame_event idle_byte(struct frame *frame, uint8_t byte)
{
	switch (byte) {
	case '$':
		frame->state = FRAME_BODY;
		frame->sum = 0;
		frame->is_too_long = false;
		text_clear(&frame->payload);
		return FRAME_NOTHING;
	case '+':
		return FRAME_ACK;
	case '-':
		return FRAME_NAK;
	case INTERRUPT:
		return FRAME_INTERRUPT;
	default:
		return FRAME_NOTHING;
	}
}

static void body_byte(struct frame *frame, uint8_t byte)
{
	if (byte == '$') {
		idle_byte(frame, byte);
		return;
	}
	if (byte == '#') {
		frame->state = FRAME_CHECK_HIGH;
		return;
	}
	frame->sum = (uint8_t)(frame->sum + byte);
	if (frame->payload.count == FRAME_BYTES_MAX)
		frame->is_too_long = true;
	else
		text_byte(&frame->payload, (char)byte);
}

static bool check_digit(char digit, unsigned value)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

	return digit == lower[value] || digit == upper[value];
}

static enum frame_event check_low_byte(struct frame *frame, uint8_t byte)
{
	frame->state = FRAME_IDLE;
	if (frame->is_too_long || frame->payload.failed)
		return FRAME_TOO_LONG;
	if (check_digit(frame->check_high, frame->sum >> 4) && check_digit((char)byte, frame->sum & 15))
		return FRAME_PACKET;
	return FRAME_CORRUPT;
}

enum frame_event frame_byte(struct frame *frame, uint8_t byte)
{
	switch (frame->state) {
	case FRAME_IDLE:
		return idle_byte(frame, byte);
	case FRAME_BODY:
		body_byte(frame, byte);
		return FRAME_NOTHING;
	case FRAME_CHECK_HIGH:
		frame->check_high = (char)byte;
		frame->state = FRAME_CHECK_LOW;
		return FRAME_NOTHING;
	case FRAME_CHECK_LOW:
		return check_low_byte(frame, byte);
	}
	return FRAME_NOTHING;
}

/* How often the first of `count` equal-or-not bytes repeats after itself, as far as one run can say it. */
static size_t repeat_count(const char *bytes, size_t count)
{
	size_t repeats = 0;

	while (repeats + 1 < count && repeats < RUN_REPEATS_MAX && bytes[repeats + 1] == bytes[0])
		repeats++;
	/* The count must not look like a frame's '#' or '$', or like an acknowledgement. */
	while (repeats >= RUN_REPEATS_MIN && (repeats == '#' - RUN_BIAS || repeats == '$' - RUN_BIAS ||
					      repeats == '+' - RUN_BIAS || repeats == '-' - RUN_BIAS))
		repeats--;
	return repeats >= RUN_REPEATS_MIN ? repeats : 0;
}

void frame_encode(struct text *output, const char *payload, size_t count)
{
	const size_t start = output->count + 1;
	uint8_t sum = 0;

	text_byte(output, '$');
	for (size_t i = 0; i < count; i++) {
		const size_t repeats = repeat_count(payload + i, count - i);

		text_byte(output, payload[i]);
		if (repeats > 0) {
			text_byte(output, '*');
			text_byte(output, (char)(repeats + RUN_BIAS));
			i += repeats;
		}
	}
	for (size_t i = start; i < output->count; i++)
		sum = (uint8_t)(sum + (uint8_t)output->data[i]);
	text_byte(output, '#');
	text_hex(output, &sum, 1);
}
