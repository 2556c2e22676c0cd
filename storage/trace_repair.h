/* Makes a sound trace of what a crash or a bad disk left: everything whose checksum is right, up to the first event
 * that is missing, because a replay needs all before. A trace that starts at a keyframe is repaired from there. */
#pragma once
#include "storage/trace.h"

enum { TRACE_REPAIR_TEXT_BYTES = 256 };

struct trace_repair_report {
	bool complete;                        /* nothing was lost of a finished recording: the new trace is finished */
	uint64_t start_n, first_event;        /* where the new trace starts; 0, or a keyframe */
	uint64_t event_count, last_n;         /* in the new trace */
	uint64_t lost_event_count;            /* at least so many, as far as what is left can tell */
	bool metadata_doubtful;               /* its checksum is wrong: some value may be, too */
	uint64_t file_count, lost_file_count; /* named files */
	uint64_t keyframe_count, lost_keyframe_count;
	uint64_t lost_block_count;                /* versions of blocks of disks, at least */
	uint64_t lost_payload_count;              /* of packets and entropy, at least */
	char lost_files[TRACE_REPAIR_TEXT_BYTES]; /* their names, as far as there is room */
	char reason[TRACE_REPAIR_TEXT_BYTES];     /* why it is incomplete; also its metadata "repair_reason" */
};

/* Reads the trace `from`, which is not changed, and writes a new one to `to`, as trace_create does. False: `from`
 * cannot be read, starts at a keyframe that is lost, or `to` cannot be written; error set, and `to` is removed. Whether
 * the result can be replayed is not its matter.
 */
bool trace_repair(const char *from, const char *to, struct trace_repair_report *report, struct error *error);

/* The same without writing anything: what could be saved. */
bool trace_repair_survey(const char *from, struct trace_repair_report *report, struct error *error);
