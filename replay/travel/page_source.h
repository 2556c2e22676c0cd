/* Pages of RAM that are in the trace: its start's RAM, and the page groups of its keyframes, unpacked when they are
 * asked for and kept as long as there is room. */
#pragma once
#include "replay/trace/keyframe_index.h"

struct page_source {
	struct trace_reader *trace;
	uint64_t ram_bytes;
	uint8_t *start_ram; /* mapped; NULL: not needed yet */
	struct page_group {
		uint64_t id;
		uint8_t *pages;
	} * groups; /* unpacked ones, by id */
	size_t group_count;
};

void page_source_close(struct page_source *source);
/* The page's bytes, valid until page_source_trim. NULL: the trace is damaged there, error set. */
const uint8_t *page_source_start(struct page_source *source, uint64_t index, struct error *error);
const uint8_t *page_source_kept(struct page_source *source, uint64_t group, uint64_t slot, struct error *error);
/* Gives back what was unpacked, if it is much. Cannot fail. */
void page_source_trim(struct page_source *source);
