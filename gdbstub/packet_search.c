/* Packets that look at much memory without sending it: qSearch:memory, for gdb's `find`, and qCRC, for
 * `compare-sections` (GDB manual, "General Query Packets"). */
#include "gdbstub/packet_rows.h"

#include <string.h>

/* A guest's page tables cannot keep the stub busy for ever. */
#define SEARCH_BYTES_MAX   (UINT64_C(1) << 32)
#define CHECKSUM_BYTES_MAX (UINT64_C(1) << 28)

enum { PIECE_BYTES = 0x10000, PATTERN_BYTES_MAX = 0x4000 };

#define CRC_POLYNOMIAL UINT32_C(0x04c11db7)
#define CRC_START      UINT32_MAX

static struct target_address address_of(const struct gdbstub *stub, uint64_t v)
{
	return (struct target_address){stub->physical ? TARGET_PHYSICAL : TARGET_VIRTUAL, v};
}

struct search {
	uint64_t at, left; /* what is still to be read */
	const char *pattern;
	size_t pattern_count;
};

/* Piece by piece, each with the end of the one before, in which the pattern may begin. *found: its address, with
 * PACKET_TEXT; PACKET_OK: it is not there. */
static enum packet_reply search(struct gdbstub *stub, struct search *s, uint64_t *found)
{
	static char bytes[PATTERN_BYTES_MAX + PIECE_BYTES];
	size_t kept = 0;

	while (s->left > 0) {
		const size_t count = s->left < PIECE_BYTES ? (size_t)s->left : PIECE_BYTES;

		if (target_read(stub->ops, stub->context, stub->thread, address_of(stub, s->at), bytes + kept, count) !=
		    count)
			return PACKET_E_FAULT;
		const char *place = memmem(bytes, kept + count, s->pattern, s->pattern_count);
		if (place) {
			*found = s->at - kept + (uint64_t)(place - bytes);
			return PACKET_TEXT;
		}
		const size_t all = kept + count;
		kept = all < s->pattern_count - 1 ? all : s->pattern_count - 1;
		memmove(bytes, bytes + all - kept, kept);
		s->at += count;
		s->left -= count;
	}
	return PACKET_OK;
}

/* "address;length;pattern", the pattern as binary data. The reply is 0, or 1 and the address. */
enum packet_reply packet_search(struct gdbstub *stub, struct args *args)
{
	struct search s = {.at = args_hex(args)};
	uint64_t found;

	args_expect(args, ';');
	s.left = args_hex(args);
	args_expect(args, ';');
	const size_t room = args->left;
	char *pattern = text_room(&stub->scratch, room > 0 ? room : 1);
	if (!pattern)
		return PACKET_E_FAILED;
	s.pattern = pattern;
	s.pattern_count = args_binary(args, pattern, room);
	if (!args_done(args) || s.pattern_count == 0 || s.pattern_count > PATTERN_BYTES_MAX ||
	    s.left > SEARCH_BYTES_MAX)
		return PACKET_E_MALFORMED;
	const enum packet_reply reply = search(stub, &s, &found);
	if (reply == PACKET_TEXT)
		text_format(&stub->reply, "1,%llx", (unsigned long long)found);
	else if (reply == PACKET_OK)
		text_byte(&stub->reply, '0');
	return reply == PACKET_OK ? PACKET_TEXT : reply;
}

static uint32_t crc_add(uint32_t crc, uint8_t byte)
{
	crc ^= (uint32_t)byte << 24;
	for (int bit = 0; bit < 8; bit++)
		crc = crc & UINT32_C(0x80000000) ? crc << 1 ^ CRC_POLYNOMIAL : crc << 1;
	return crc;
}

/* "address,length". The reply is C and the checksum. */
enum packet_reply packet_checksum(struct gdbstub *stub, struct args *args)
{
	static uint8_t bytes[PIECE_BYTES];
	uint64_t at = args_hex(args);
	uint32_t crc = CRC_START;

	args_expect(args, ',');
	uint64_t left = args_hex(args);
	if (!args_done(args) || left > CHECKSUM_BYTES_MAX)
		return PACKET_E_MALFORMED;
	while (left > 0) {
		const size_t count = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

		if (target_read(stub->ops, stub->context, stub->thread, address_of(stub, at), bytes, count) != count)
			return PACKET_E_FAULT;
		for (size_t i = 0; i < count; i++)
			crc = crc_add(crc, bytes[i]);
		at += count;
		left -= count;
	}
	text_format(&stub->reply, "C%x", (unsigned)crc);
	return PACKET_TEXT;
}
