/* Packets about threads. gdb's thread-id is the target's index + 1. */
#include "gdbstub/packet_rows.h"

#include <string.h>

/* An existing thread's index from "thread-id"; any or all are the current one. False: malformed, or no such thread. */
static bool take_thread(struct gdbstub *stub, struct args *args, uint32_t *thread)
{
	const int64_t id = args_thread(args);

	if (!args_done(args) || id > stub->ops->thread_count(stub->context))
		return false;
	*thread = id > 0 ? (uint32_t)(id - 1) : stub->ops->thread_current(stub->context);
	return true;
}

enum packet_reply packet_select_thread(struct gdbstub *stub, struct args *args)
{
	const bool is_resume = args_accept(args, 'c');
	const struct args id = *args;
	uint32_t thread;

	if (!is_resume && !args_accept(args, 'g'))
		return PACKET_E_MALFORMED;
	if (!take_thread(stub, args, &thread))
		return PACKET_E_MALFORMED;
	if (!is_resume)
		stub->thread = thread;
	else
		stub->thread_resume = args_equal(&id, "-1") || args_equal(&id, "0") ? TARGET_THREAD_ANY : thread;
	return PACKET_OK;
}

enum packet_reply packet_thread_alive(struct gdbstub *stub, struct args *args)
{
	uint32_t thread;

	return take_thread(stub, args, &thread) ? PACKET_OK : PACKET_E_MALFORMED;
}

enum packet_reply packet_current_thread(struct gdbstub *stub, struct args *args)
{
	(void)args;
	text_format(&stub->reply, "QC%x", stub->thread + 1);
	return PACKET_TEXT;
}

enum packet_reply packet_threads_first(struct gdbstub *stub, struct args *args)
{
	const uint32_t count = stub->ops->thread_count(stub->context);

	(void)args;
	for (uint32_t i = 0; i < count && i < TARGET_THREAD_COUNT_MAX; i++)
		text_format(&stub->reply, "%c%x", i == 0 ? 'm' : ',', i + 1);
	return PACKET_TEXT;
}

/* The first answer held them all. */
enum packet_reply packet_threads_next(struct gdbstub *stub, struct args *args)
{
	(void)args;
	text_byte(&stub->reply, 'l');
	return PACKET_TEXT;
}

enum packet_reply packet_thread_text(struct gdbstub *stub, struct args *args)
{
	char text[TARGET_TEXT_BYTES] = "";
	uint32_t thread;

	if (!take_thread(stub, args, &thread))
		return PACKET_E_MALFORMED;
	if (stub->ops->thread_text)
		stub->ops->thread_text(stub->context, thread, text);
	text_hex(&stub->reply, text, strnlen(text, sizeof text));
	return PACKET_TEXT;
}
