/* Each kind of event, in words. */
#include "replay/trace/event_text.h"
#include "hv/abi/esr.h"
#include "hv/abi/machine.h"
#include "hv/abi/types.h"
#include "replay/trace/event_text_names.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 96 };

/* ESR_ELx (Arm ARM D17.2.37). */
enum { EC_LAST_INSTRUCTION_ABORT = 0x21, ESR_WNR_BIT = 6, ESR_S1PTW_BIT = 7, ESR_BRK_MASK = 0xffff };

struct line {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void append(struct line *line, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(line->at, line->left, format, arguments);
	va_end(arguments);
	size_t used = length < 0 ? 0 : (size_t)length;
	used = used < line->left ? used : line->left - (line->left > 0);
	line->at += used;
	line->left -= used;
}

const char *event_text_kind(uint16_t kind)
{
	switch (kind) {
#define EVENT(id, name, class, address, value, text)                                                                   \
	case id:                                                                                                       \
		return #name;
#include "hv/abi/event.def"
#undef EVENT
	default:
		return NULL;
	}
}

static void append_byte(struct line *line, uint64_t byte)
{
	if (byte == '\n')
		append(line, " '\\n'");
	else if (byte == '\r')
		append(line, " '\\r'");
	else if (byte >= ' ' && byte < 0x7f)
		append(line, " '%c'", (char)byte);
}

static void append_mmio(struct line *line, const struct event *event)
{
	char name[NAME_BYTES];
	event_text_address(event->address, name, sizeof(name));
	append(line, " %s %s %#" PRIx64, name, event->kind == EVENT_MMIO_WRITE ? "<-" : "->", event->value);
	if (event->address == GUEST_UART_IPA)
		append_byte(line, event->value & 0xff);
	append(line, ", %u byte%s", event->size, event->size == 1 ? "" : "s");
}

static void append_abort(struct line *line, const struct event *event)
{
	char name[NAME_BYTES];
	uint64_t ec = FIELD_GET(event->value, ESR_EC);
	bool fetches = ec <= EC_LAST_INSTRUCTION_ABORT, writes = !fetches && event->value >> ESR_WNR_BIT & 1;
	event_text_address(event->address, name, sizeof(name));
	if (event->value >> ESR_S1PTW_BIT & 1)
		append(line, " table walk at %s for a %s", name, fetches ? "fetch" : writes ? "write" : "read");
	else
		append(line, " %s %s", fetches ? "fetch from" : writes ? "write to" : "read of", name);
	append(line, ", esr %#" PRIx64, event->value);
}

static void append_sysreg(struct line *line, const struct event *event)
{
	char name[NAME_BYTES];
	event_text_sysreg(event->address, name, sizeof(name));
	if (event->kind == EVENT_SYSREG_DENIED)
		append(line, " %s of %s", event->value ? "read" : "write", name);
	else
		append(line, " %s %s %#" PRIx64, name, event->kind == EVENT_SYSREG_WRITE ? "<-" : "->", event->value);
}

/* Exception classes of debug exceptions (Arm ARM D17.2.37). */
static void append_debug(struct line *line, uint64_t esr, uint64_t far)
{
	uint64_t ec = FIELD_GET(esr, ESR_EC);
	if (ec == 0x30 || ec == 0x31)
		append(line, " breakpoint,");
	else if (ec == 0x32 || ec == 0x33)
		append(line, " software step,");
	else if (ec == 0x34 || ec == 0x35)
		append(line, " watchpoint,");
	else if (ec == 0x38 || ec == 0x3c)
		append(line, " %s #%#" PRIx64 ",", ec == 0x38 ? "BKPT" : "BRK", esr & ESR_BRK_MASK);
	append(line, " esr %#" PRIx64, esr);
	if (far != 0)
		append(line, ", far %#" PRIx64, far);
}

static void append_reason(struct line *line, const char *reason, const struct event *event)
{
	if (reason)
		append(line, " %s", reason);
	else
		append(line, " reason %" PRIu64, event->address);
	append(line, ", check %08" PRIx64, event->value);
}

static void append_seconds(struct line *line, uint64_t ns)
{
	append(line, "%" PRIu64 ".%09" PRIu64 " s", ns / NS_PER_S, ns % NS_PER_S);
}

static void append_idle(struct line *line, const struct event *event)
{
	append(line, " for ");
	append_seconds(line, event->value);
	append(line, event->address == UINT64_MAX ? ", nothing due" : ", next deadline at ");
	if (event->address != UINT64_MAX)
		append_seconds(line, event->address);
}

static void append_details(struct line *line, const struct event *event)
{
	char name[NAME_BYTES];
	switch ((enum event_kind)event->kind) {
	case EVENT_MMIO_READ:
	case EVENT_MMIO_WRITE:
		append_mmio(line, event);
		break;
	case EVENT_EXTERNAL_ABORT:
		append_abort(line, event);
		break;
	case EVENT_SYSREG_READ:
	case EVENT_SYSREG_WRITE:
	case EVENT_SYSREG_DENIED:
		append_sysreg(line, event);
		break;
	case EVENT_SMCCC_CALL:
		event_text_call(event->address, event->value, name, sizeof(name));
		append(line, " %s", name);
		break;
	case EVENT_DEBUG_EXCEPTION:
		append_debug(line, event->address, event->value);
		break;
	case EVENT_EXIT:
		append_reason(line, event_text_exit_reason(event->address), event);
		break;
	case EVENT_IDLE:
		append_idle(line, event);
		break;
	case EVENT_INPUT:
		event_text_address(event->address, name, sizeof(name));
		append(line, " %s %#" PRIx64, name, event->value);
		append_byte(line, event->value);
		break;
	case EVENT_INJECT:
		event_text_interrupt(event->address, name, sizeof(name));
		append(line, " %s, priority %#" PRIx64, name, event->value);
		break;
	case EVENT_END:
		append_reason(line, reason_end_name(event->address), event);
		break;
	default:
		append(line, " address %#" PRIx64 " value %#" PRIx64, event->address, event->value);
		break;
	}
}

void event_text_meaning(const struct event *event, char *text, size_t bytes)
{
	struct line line = {text, bytes};
	const char *kind = event_text_kind(event->kind);
	if (event->kind == 0) {
		append(&line, "nothing");
		return;
	}
	if (kind)
		append(&line, "%s", kind);
	else
		append(&line, "kind %u", event->kind);
	append_details(&line, event);
}

void event_text_details(const struct event *event, char *text, size_t bytes)
{
	char details[EVENT_TEXT_BYTES] = " ";
	struct line line = {details, sizeof(details)};
	if (event->kind != 0)
		append_details(&line, event);
	snprintf(text, bytes, "%s", details + 1);
}

static void copy_reason(const char *reason, char *text, size_t bytes)
{
	snprintf(text, bytes, "%s", reason ? reason : "");
}

bool event_text_name(const struct event *event, char *text, size_t bytes)
{
	text[0] = 0;
	switch ((enum event_kind)event->kind) {
	case EVENT_MMIO_READ:
	case EVENT_MMIO_WRITE:
	case EVENT_EXTERNAL_ABORT:
	case EVENT_INPUT:
		event_text_address(event->address, text, bytes);
		break;
	case EVENT_SYSREG_READ:
	case EVENT_SYSREG_WRITE:
	case EVENT_SYSREG_DENIED:
		event_text_sysreg(event->address, text, bytes);
		break;
	case EVENT_SMCCC_CALL:
		event_text_function(event->address, text, bytes);
		break;
	case EVENT_EXIT:
		copy_reason(event_text_exit_reason(event->address), text, bytes);
		break;
	case EVENT_INJECT:
		event_text_interrupt(event->address, text, bytes);
		break;
	case EVENT_END:
		copy_reason(reason_end_name(event->address), text, bytes);
		break;
	case EVENT_DEBUG_EXCEPTION:
	case EVENT_IDLE:
	default:
		break;
	}
	return text[0] != 0;
}

void event_text_line(const struct event *event, char *text, size_t bytes)
{
	struct line line = {text, bytes};
	append(&line, "%12" PRIu64 "  %016" PRIx64 "  %u  ", event->n, event->pc, event->vcpu);
	event_text_meaning(event, line.at, line.left);
}
