/* Keyframes into the trace, a slice at a time, and forgetting what is older than the trace shall keep. The writer
 * thread's. */
#pragma once
#include "recorder/writer.h"

/* A keyframe that the trace has. */
struct keyframe_mark {
	uint64_t n, ns;
	uint64_t bytes; /* written to the trace up to here */
};

struct keyframe_writer {
	struct writer_keep keep;
	struct capture *capture; /* the one that is being written; NULL: none */
	size_t done;             /* pages of it */
	uint64_t *hashes;        /* of each page of RAM as it was kept last; 0: never */
	size_t hash_count;
	struct keyframe_mark *marks; /* what the trace has, oldest first; none if it keeps all */
	size_t mark_count;
	bool forgot; /* the trace starts at marks[0] */
};

/* Takes over a capture. */
void keyframe_writer_begin(struct keyframe_writer *keyframes, struct capture *capture);
/* Whether there is something to write now that `appended` events are in the trace. */
bool keyframe_writer_busy(const struct keyframe_writer *keyframes, uint64_t appended);
/* Writes a slice of it, if there is one. */
void keyframe_writer_step(struct keyframe_writer *keyframes, struct trace_writer *trace, uint64_t appended,
			  struct error *error);
/* A keyframe that is not complete is dropped. */
void keyframe_writer_free(struct keyframe_writer *keyframes);
