/* Packets on the wire: $payload#checksum, acknowledgements, and the interrupt character (GDB manual, "Overview" of the
 * Remote Protocol, "Packet Acknowledgment", "Interrupts").
 *
 *                 +--------- '$' (a packet that was cut off is forgotten) --------+
 *                 v                                                               |
 *   IDLE --'$'--> BODY --'#'--> CHECK_HIGH --> CHECK_LOW --> FRAME_PACKET or FRAME_CORRUPT, IDLE
 *
 * 1. 0x03 is an interrupt between packets only: inside of one it is binary data.
 * 2. At most FRAME_BYTES_MAX bytes of a packet are kept; a longer one is read to its end and reported as
 * FRAME_TOO_LONG. */
#pragma once
#include "gdbstub/text.h"

enum { FRAME_BYTES_MAX = 0x40000 }; /* of a payload, in either direction */

enum frame_event {
	FRAME_NOTHING,
	FRAME_PACKET,  /* frame->payload */
	FRAME_CORRUPT, /* the checksum is wrong; frame->payload all the same */
	FRAME_TOO_LONG,
	FRAME_ACK,
	FRAME_NAK,
	FRAME_INTERRUPT,
};

enum frame_state { FRAME_IDLE, FRAME_BODY, FRAME_CHECK_HIGH, FRAME_CHECK_LOW };

struct frame {
	enum frame_state state;
	struct text payload;
	bool is_too_long;
	uint8_t sum;
	char check_high;
};

/* Takes the next byte of input. Cannot fail: no memory is reported as FRAME_TOO_LONG. */
enum frame_event frame_byte(struct frame *frame, uint8_t byte);

/* Adds a packet to `output`, with runs of equal bytes shortened ("Overview", run-length encoding). Bytes that need an
 * escape in binary data are escaped already. */
void frame_encode(struct text *output, const char *payload, size_t count);
