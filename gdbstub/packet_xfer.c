/* qXfer:object:read:annex:offset,length: documents that are made anew for each piece that gdb asks for (one piece, as
 * packets are large). */
#include "gdbstub/gdb_registers.h"
#include "gdbstub/packet_rows.h"

#include <string.h>

enum { REGION_COUNT_MAX = 256 };

static void put_target(struct gdbstub *stub, struct text *text)
{
	(void)stub;
	gdb_registers_describe(text);
}

static void put_xml(struct text *text, const char *from)
{
	for (size_t i = 0; i < TARGET_TEXT_BYTES && from[i]; i++) {
		if (from[i] == '<')
			text_format(text, "&lt;");
		else if (from[i] == '&')
			text_format(text, "&amp;");
		else
			text_byte(text, from[i]);
	}
}

static void put_threads(struct gdbstub *stub, struct text *text)
{
	const uint32_t count = stub->ops->thread_count(stub->context);

	text_format(text, "<?xml version=\"1.0\"?>\n<threads>\n");
	for (uint32_t i = 0; i < count && i < TARGET_THREAD_COUNT_MAX; i++) {
		char line[TARGET_TEXT_BYTES] = "";

		if (stub->ops->thread_text)
			stub->ops->thread_text(stub->context, i, line);
		text_format(text, "<thread id=\"%x\" core=\"%u\" name=\"vcpu%u\">", i + 1, i, i);
		put_xml(text, line);
		text_format(text, "</thread>\n");
	}
	text_format(text, "</threads>\n");
}

static void put_memory_map(struct gdbstub *stub, struct text *text)
{
	struct target_region region;

	text_format(text, "<?xml version=\"1.0\"?>\n<memory-map>\n");
	for (uint32_t i = 0; i < REGION_COUNT_MAX && stub->ops->memory_map(stub->context, i, &region); i++)
		text_format(text, "<memory type=\"%s\" start=\"%#llx\" length=\"%#llx\"/>\n",
			    region.writable ? "ram" : "rom", (unsigned long long)region.start,
			    (unsigned long long)region.bytes);
	text_format(text, "</memory-map>\n");
}

struct document {
	const char *object, *annex;
	void (*put)(struct gdbstub *stub, struct text *text);
};

static const struct document documents[] = {
	{"features", "target.xml", put_target},
	{"threads", "", put_threads},
	{"memory-map", "", put_memory_map},
};

/* PACKET_TEXT: *document is set. */
static enum packet_reply find_document(const struct gdbstub *stub, struct args *args, const struct document **document)
{
	const struct args object = args_until(args, ':'), verb = args_until(args, ':'), annex = args_until(args, ':');

	for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
		*document = &documents[i];
		if (!args_equal(&object, documents[i].object) || !args_equal(&verb, "read"))
			continue;
		if (documents[i].put == put_memory_map && !stub->ops->memory_map)
			return PACKET_UNKNOWN;
		return args_equal(&annex, documents[i].annex) ? PACKET_TEXT : PACKET_E_ANNEX;
	}
	return PACKET_UNKNOWN;
}

enum packet_reply packet_xfer(struct gdbstub *stub, struct args *args)
{
	const struct document *document;
	const enum packet_reply reply = find_document(stub, args, &document);
	struct text *text = &stub->scratch;

	if (reply != PACKET_TEXT)
		return reply;
	const uint64_t offset = args_hex(args);
	args_expect(args, ',');
	uint64_t count = args_hex(args);
	if (!args_done(args))
		return PACKET_E_ANNEX;
	document->put(stub, text);
	if (text->failed || offset > text->count)
		return PACKET_E_ANNEX;
	if (count > FRAME_BYTES_MAX / 2 - 1)
		count = FRAME_BYTES_MAX / 2 - 1;
	const bool is_last = count >= text->count - offset;
	if (is_last)
		count = text->count - offset;
	text_byte(&stub->reply, is_last ? 'l' : 'm');
	text_escaped(&stub->reply, text->data + offset, (size_t)count);
	return PACKET_TEXT;
}
