/* The packet table and its dispatcher. */
#include "gdbstub/packet_rows.h"

#include <string.h>

enum packet_form { EXACT, ARGUMENTS };
enum packet_when { STOPPED, ANYTIME };

struct packet_row {
	const char *name;
	enum packet_form form;
	enum packet_when when;
	enum packet_reply (*handler)(struct gdbstub *stub, struct args *args);
};

#define PACKET(name, form, when, handler) {name, form, when, handler},
static const struct packet_row rows[] = {PACKET_ROWS(PACKET)};
#undef PACKET

static const char *const reply_texts[PACKET_REPLY_COUNT] = {
	[PACKET_OK] = "OK",        [PACKET_UNKNOWN] = "",    [PACKET_E_ANNEX] = "E00",
	[PACKET_E_FAILED] = "E01", [PACKET_E_FAULT] = "E14", [PACKET_E_MALFORMED] = "E22",
};

enum packet_reply packet_unknown(struct gdbstub *stub, struct args *args)
{
	(void)stub;
	(void)args;
	return PACKET_UNKNOWN;
}

static const struct packet_row *find(struct args *args)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct args start = *args;

		if (args_word(args, rows[i].name) && (rows[i].form == ARGUMENTS || args->left == 0))
			return &rows[i];
		*args = start;
	}
	return NULL;
}

static void put(struct gdbstub *stub, enum packet_reply reply)
{
	const char *text = reply_texts[reply];

	if (!text)
		return;
	text_clear(&stub->reply);
	text_add(&stub->reply, text, strlen(text));
}

bool packet_handle(struct gdbstub *stub, const char *payload, size_t count)
{
	struct args args = {payload, count, false};
	const struct packet_row *row = find(&args);

	if (stub->state != STUB_STOPPED && (!row || row->when == STOPPED))
		return false;
	text_clear(&stub->reply);
	text_clear(&stub->scratch);
	const enum packet_reply reply = row ? row->handler(stub, &args) : PACKET_UNKNOWN;
	put(stub, reply);
	return reply != PACKET_NONE;
}

void packet_refuse(struct gdbstub *stub)
{
	put(stub, PACKET_E_MALFORMED);
}
