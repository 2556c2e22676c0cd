/* The part of a repair that is about what disks and packets held. A version of a block whose contents are lost is put
 * as lost, so that a replay stops where it reads it, and not before. Where versions themselves are lost nobody knows of
 * which blocks: the new trace ends behind the event before. */
#pragma once
#include "storage/trace_block_index.h"
#include "storage/trace_repair.h"
#include "storage/trace_salvage.h"

struct trace_repair_blocks {
	struct trace_block_index index; /* of the versions up to the first that is lost */
	uint64_t event_end;             /* events from here on may need versions that are lost; UINT64_MAX: none does */
	uint64_t lost_count;            /* of versions that are not in the index, at least */
};

/* Reads all versions of a trace whose first event is `first_event`. False: found->no_memory. The caller frees
 * blocks->index. */
bool trace_repair_blocks_read(struct trace_salvage *found, uint64_t first_event, struct trace_repair_blocks *blocks);

/* Put what the events from report->first_event to before `end_event` need into `out` (NULL: only a survey), and count
 * in the report what is lost. False: writing failed; error set. */
bool trace_repair_blocks_put(struct trace_salvage *found, const struct trace_repair_blocks *blocks,
			     struct trace_writer *out, uint64_t end_event, struct trace_repair_report *report,
			     struct error *error);
bool trace_repair_payloads(struct trace_salvage *found, struct trace_writer *out, uint64_t end_event,
			   struct trace_repair_report *report, struct error *error);
