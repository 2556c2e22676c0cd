/* The table of packets: each has a row and a handler, the handler says what the reply is, gdbstub.c sends it.
 * Handlers stand in packet_*.c by subject and are declared in packet_rows.h. */
#pragma once
#include "gdbstub/args.h"
#include "gdbstub/stub.h"

enum packet_reply {
	PACKET_NONE,        /* nothing, or later */
	PACKET_TEXT,        /* stub->reply */
	PACKET_OK,          /* OK */
	PACKET_UNKNOWN,     /* the empty reply: not supported */
	PACKET_E_ANNEX,     /* E00: qXfer's request is malformed or its annex does not exist */
	PACKET_E_FAILED,    /* E01: the target cannot do that */
	PACKET_E_FAULT,     /* E14: an address that the target cannot reach */
	PACKET_E_MALFORMED, /* E22 */
	PACKET_REPLY_COUNT,
};

/* Handles a packet (without frame). Its reply is in stub->reply, unless the result is false: no reply now. */
bool packet_handle(struct gdbstub *stub, const char *payload, size_t count);

/* The reply to a packet that is too long to be handled. */
void packet_refuse(struct gdbstub *stub);
