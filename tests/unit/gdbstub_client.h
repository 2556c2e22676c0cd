/* A client for the stub in the tests: frames a packet, feeds it, checks and unpacks what comes back. */
#pragma once
#include "tests/unit/gdbstub_toy.h"
#include <criterion/criterion.h>

enum { CLIENT_BYTES = 0x90000 };

/* Feeds bytes as they are. */
static inline void client_raw(struct toy *toy, const void *bytes, size_t count)
{
	cr_assert_eq(gdbstub_feed(toy->stub, bytes, count), count);
}

/* Feeds the packet with this payload. */
static inline void client_put(struct toy *toy, const void *payload, size_t count)
{
	char tail[4];
	uint8_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)payload)[i]);
	snprintf(tail, sizeof tail, "#%02x", sum);
	client_raw(toy, "$", 1);
	client_raw(toy, payload, count);
	client_raw(toy, tail, 3);
}

/* Takes all output as it is; a string with its count. */
static inline const char *client_take(struct toy *toy, size_t *count)
{
	static char output[CLIENT_BYTES];
	const void *bytes = gdbstub_output(toy->stub, count);

	cr_assert_lt(*count, sizeof output);
	if (*count > 0)
		memcpy(output, bytes, *count);
	output[*count] = '\0';
	gdbstub_sent(toy->stub, *count);
	return output;
}

/* Unpacks one packet at `from`, with its frame; runs are expanded. Returns how many bytes it had. */
static inline size_t client_unpack(const char *from, size_t count, char *payload, size_t *payload_count)
{
	size_t i = 1, done = 0;
	uint8_t sum = 0;
	char tail[4];

	cr_assert(count >= 4 && from[0] == '$', "no packet: '%s'", from);
	for (; i < count && from[i] != '#'; i++) {
		sum = (uint8_t)(sum + (uint8_t)from[i]);
		cr_assert_neq(from[i], '$');
		if (from[i] != '*') {
			payload[done++] = from[i];
			continue;
		}
		i++;
		sum = (uint8_t)(sum + (uint8_t)from[i]);
		cr_assert(from[i] >= 32 && from[i] <= 126);
		for (int n = from[i] - 29; n > 0; n--, done++)
			payload[done] = payload[done - 1];
	}
	snprintf(tail, sizeof tail, "#%02x", sum);
	cr_assert_eq(memcmp(from + i, tail, 3), 0);
	payload[done] = '\0';
	*payload_count = done;
	return i + 3;
}

/* The one packet that waits to be sent, "(nothing)" if none does; an acknowledgement before it is skipped. */
static inline const char *client_reply(struct toy *toy)
{
	static char payload[2 * CLIENT_BYTES];
	size_t count, payload_count;
	const char *output = client_take(toy, &count);
	const size_t skip = count > 0 && output[0] == '+';

	if (count == skip)
		return "(nothing)";
	cr_assert_eq(client_unpack(output + skip, count - skip, payload, &payload_count), count - skip);
	return payload;
}

static inline const char *client_ask(struct toy *toy, const char *packet)
{
	client_put(toy, packet, strlen(packet));
	return client_reply(toy);
}

/* Asks, lets the target run to its stop, and gives that. */
static inline const char *client_run(struct toy *toy, const char *packet)
{
	cr_assert_str_eq(client_ask(toy, packet), "(nothing)", "%s", packet);
	cr_assert(gdbstub_is_busy(toy->stub));
	toy_run(toy, 1000000);
	cr_assert_not(gdbstub_is_busy(toy->stub));
	return client_reply(toy);
}

/* The start of a stop reply, without the registers. */
static inline bool client_stopped_with(const char *reply, const char *start)
{
	return strncmp(reply, start, strlen(start)) == 0 && strncmp(reply + strlen(start), "1d:", 3) == 0;
}
