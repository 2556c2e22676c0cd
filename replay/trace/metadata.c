/* What is absent is an error here: a trace that was recorded has it. */
#include "replay/trace/metadata.h"
#include "hv/abi/descriptor.h"
#include "hv/abi/machine.h"

#include <stdlib.h>

bool metadata_number(struct trace_reader *trace, enum trace_meta_number key, uint64_t *value, struct error *error)
{
	enum trace_found found = trace_get_u64(trace, key, value, error);
	if (found == TRACE_ABSENT)
		error_set(error, STATUS_FAILED, "the trace has no %s: it ended before the guest started",
			  trace_meta_number_key(key));
	return found == TRACE_FOUND;
}

bool metadata_ram_bytes(struct trace_reader *trace, uint64_t *bytes, struct error *error)
{
	if (!metadata_number(trace, TRACE_META_RAM_BYTES, bytes, error))
		return false;
	return (*bytes != 0 && *bytes % PAGE_BYTES == 0 && *bytes <= GUEST_RAM_BYTES_MAX) ||
	       error_set(error, STATUS_FAILED, "the trace's RAM size is impossible: it is damaged");
}

bool metadata_devices(struct trace_reader *trace, struct virtio_list *list, struct error *error)
{
	char *text = NULL;
	enum trace_found found = trace_get_text(trace, TRACE_META_DEVICES, &text, error);
	bool good = found != TRACE_FAILED && virtio_list_parse(found == TRACE_FOUND ? text : "", list, error);
	free(text);
	return good;
}
