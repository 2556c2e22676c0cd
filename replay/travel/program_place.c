/* What the recorder noted of a payload's place, or what the replay shows of a kernel's. */
#include "replay/travel/program_place.h"
#include "replay/travel/kernel_search.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

/* Where the first segment of the ELF file in the trace is linked; UINT64_MAX: it has none. recorder/load/elf.c has
 * checked the file before it was recorded, but a trace may be damaged. */
static uint64_t linked_va(const uint8_t *file, size_t bytes)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	if (bytes < sizeof(header))
		return UINT64_MAX;
	memcpy(&header, file, sizeof(header));
	for (unsigned i = 0; i < header.e_phnum; i++) {
		if (header.e_phoff > bytes || bytes - header.e_phoff < (i + 1) * sizeof(segment))
			return UINT64_MAX;
		memcpy(&segment, file + header.e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_type == PT_LOAD)
			return segment.p_vaddr;
	}
	return UINT64_MAX;
}

static bool payload_place(struct trace_reader *trace, uint64_t load_offset, uint64_t *va, struct error *error)
{
	void *file = NULL;
	size_t bytes;
	if (load_offset == 0 || trace_get_file(trace, "kernel", &file, &bytes, error) != TRACE_FOUND)
		return false;
	uint64_t linked = linked_va(file, bytes);
	free(file);
	*va = linked + load_offset;
	return linked != UINT64_MAX;
}

static bool kernel_place(struct timeline *timeline, uint64_t *va, struct error *error)
{
	struct error ignored = {.status = STATUS_OK};
	struct kernel kernel;
	uint64_t origin_n = timeline_n(timeline);
	bool found = kernel_read(engine_trace(timeline_engine(timeline)), "the trace", &kernel, error) &&
		     kernel_search(&kernel, timeline, "the trace", error);
	*va = kernel.va;
	kernel_free(&kernel);
	return timeline_goto(timeline, origin_n, &ignored) && found;
}

bool program_place_find(struct timeline *timeline, uint64_t *va)
{
	struct trace_reader *trace = engine_trace(timeline_engine(timeline));
	struct error error = {.status = STATUS_OK};
	uint64_t load_offset = 0;
	char *kind = NULL;
	if (trace_get_text(trace, TRACE_META_KERNEL_KIND, &kind, &error) != TRACE_FOUND)
		return false;
	bool elf = strncmp(kind, "ELF", 3) == 0, linux_image = strcmp(kind, "Linux Image") == 0;
	free(kind);
	if (linux_image)
		return kernel_place(timeline, va, &error);
	return elf && trace_get_u64(trace, TRACE_META_LOAD_OFFSET, &load_offset, &error) == TRACE_FOUND &&
	       payload_place(trace, load_offset, va, &error);
}
