/* Events in words, by what event.def says that their address and value are: a kind needs no code here, only a type
 * that no other kind has. */
#include "replay/trace/event_text.h"
#include "hv/abi/esr.h"
#include "hv/abi/event_info.h"
#include "hv/abi/machine.h"
#include "hv/abi/types.h"
#include "hv/host/virtio_list.h"
#include "replay/trace/event_text_names.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 96 };

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
	return event_info(kind)->name;
}

bool event_text_name(const struct event *event, const struct virtio_list *devices, char *text, size_t bytes)
{
	const char *reason = NULL;
	char device[VIRTIO_NAME_BYTES];
	text[0] = 0;
	switch (event_info(event->kind)->address) {
	case EVENT_ADDRESS_IPA:
		event_text_address(event->address, text, bytes);
		break;
	case EVENT_ADDRESS_SYSREG:
		event_text_sysreg(event->address, text, bytes);
		break;
	case EVENT_ADDRESS_FUNCTION:
		event_text_function(event->address, text, bytes);
		break;
	case EVENT_ADDRESS_INTID:
		event_text_interrupt(event->address, text, bytes);
		break;
	case EVENT_ADDRESS_VCPU:
		snprintf(text, bytes, "to vCPU %" PRIu64, event->address);
		break;
	case EVENT_ADDRESS_SECTOR:
		virtio_list_name(devices, event_disk(event), device);
		snprintf(text, bytes, "%s", device);
		break;
	case EVENT_ADDRESS_TRANSPORT:
		virtio_list_name(devices, event->address, device);
		snprintf(text, bytes, "%s", device);
		break;
	case EVENT_ADDRESS_EXIT_REASON:
		reason = event_text_exit_reason(event->address);
		break;
	case EVENT_ADDRESS_END_REASON:
		reason = reason_end_name(event->address);
		break;
	case EVENT_ADDRESS_ESR:
	case EVENT_ADDRESS_DEADLINE_NS:
	case EVENT_ADDRESS_NONE:
		break;
	}
	if (reason)
		snprintf(text, bytes, "%s", reason);
	return text[0] != 0;
}

static void append_switch(struct line *line, const struct event *event, const char *name)
{
	const char *why = event_text_switch_reason(event->value);
	append(line, " %s from vCPU %u: ", name, event->vcpu);
	if (why)
		append(line, "%s", why);
	else
		append(line, "reason %" PRIu64, event->value);
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

/* What was read or written, and how much of a device's register. */
static void append_access(struct line *line, const struct event *event, const char *name, const char *arrow)
{
	append(line, " %s %s %#" PRIx64, name, arrow, event->value);
	if (event_info(event->kind)->address != EVENT_ADDRESS_IPA)
		return;
	if (event->address == GUEST_UART_IPA)
		append_byte(line, event->value & 0xff);
	append(line, ", %u byte%s", event->size, event->size == 1 ? "" : "s");
}

static void append_abort(struct line *line, uint64_t esr, const char *name)
{
	bool fetches = esr_abort_is_fetch(esr), writes = !fetches && esr & ISS_WNR;
	if (esr & ISS_S1PTW)
		append(line, " table walk at %s for a %s", name, fetches ? "fetch" : writes ? "write" : "read");
	else
		append(line, " %s %s", fetches ? "fetch from" : writes ? "write to" : "read of", name);
	append(line, ", esr %#" PRIx64, esr);
}

static void append_debug(struct line *line, uint64_t esr, uint64_t far)
{
	uint64_t ec = FIELD_GET(esr, ESR_EC), of_any_level = ec & ~(uint64_t)EC_SAME_LEVEL;
	if (of_any_level == EC_BREAKPOINT)
		append(line, " breakpoint,");
	else if (of_any_level == EC_SOFTWARE_STEP)
		append(line, " software step,");
	else if (of_any_level == EC_WATCHPOINT)
		append(line, " watchpoint,");
	else if (ec == EC_BKPT32 || ec == EC_BRK)
		append(line, " %s #%#" PRIx64 ",", ec == EC_BRK ? "BRK" : "BKPT", FIELD_GET(esr, ISS_COMMENT));
	append(line, " esr %#" PRIx64, esr);
	if (far != 0)
		append(line, ", far %#" PRIx64, far);
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

/* Where on its disk a device's event was, if it is a disk's, and what it moved: a flush nothing. */
static void append_device(struct line *line, const struct event *event, const char *name)
{
	const struct event_info *info = event_info(event->kind);
	append(line, " %s", name);
	if (info->value == EVENT_VALUE_DATA && event->value == 0)
		return;
	if (info->address == EVENT_ADDRESS_SECTOR)
		append(line, ", sector %" PRIu64, event_sector(event));
	if (info->value == EVENT_VALUE_DATA)
		append(line, ", %u bytes, check %08" PRIx32, event_data_bytes(event), (uint32_t)event->value);
	else if (info->value == EVENT_VALUE_LENGTH)
		append(line, ", %" PRIu64 " bytes", event->value);
	else
		append(line, ", request of type %" PRIu64, event->value);
}

static void append_details(struct line *line, const struct event *event, const struct virtio_list *devices)
{
	char name[NAME_BYTES], result[NAME_BYTES];
	uint64_t value = event->value;
	if (!event_text_name(event, devices, name, sizeof(name)))
		snprintf(name, sizeof(name), "reason %" PRIu64, event->address); /* reasons alone may have none */
	switch (event_info(event->kind)->value) {
	case EVENT_VALUE_READ:
		append_access(line, event, name, "->");
		break;
	case EVENT_VALUE_WRITTEN:
		append_access(line, event, name, "<-");
		break;
	case EVENT_VALUE_IS_READ:
		append(line, " %s of %s", value ? "read" : "write", name);
		break;
	case EVENT_VALUE_ABORT_ESR:
		append_abort(line, value, name);
		break;
	case EVENT_VALUE_RESULT:
		event_text_result(value, result, sizeof(result));
		append(line, " %s = %s", name, result);
		break;
	case EVENT_VALUE_FAR:
		append_debug(line, event->address, value);
		break;
	case EVENT_VALUE_CHECK:
		append(line, " %s, check %08" PRIx64, name, value);
		break;
	case EVENT_VALUE_JUMP_NS:
		append_idle(line, event);
		break;
	case EVENT_VALUE_BYTE:
		append(line, " %s %#" PRIx64, name, value);
		append_byte(line, value);
		break;
	case EVENT_VALUE_PRIORITY:
		append(line, " %s, priority %#" PRIx64, name, value);
		break;
	case EVENT_VALUE_SWITCH_REASON:
		append_switch(line, event, name);
		break;
	case EVENT_VALUE_DATA:
	case EVENT_VALUE_LENGTH:
	case EVENT_VALUE_REQUEST:
		append_device(line, event, name);
		break;
	case EVENT_VALUE_NONE:
		append(line, " address %#" PRIx64 " value %#" PRIx64, event->address, value);
		break;
	}
}

void event_text_meaning(const struct event *event, const struct virtio_list *devices, char *text, size_t bytes)
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
	append_details(&line, event, devices);
}

void event_text_details(const struct event *event, const struct virtio_list *devices, char *text, size_t bytes)
{
	char details[EVENT_TEXT_BYTES] = " ";
	struct line line = {details, sizeof(details)};
	if (event->kind != 0)
		append_details(&line, event, devices);
	snprintf(text, bytes, "%s", details + 1);
}

void event_text_line(const struct event *event, const struct virtio_list *devices, char *text, size_t bytes)
{
	struct line line = {text, bytes};
	append(&line, "%12" PRIu64 "  %016" PRIx64 "  %u  ", event->n, event->pc, event->vcpu);
	event_text_meaning(event, devices, line.at, line.left);
}
