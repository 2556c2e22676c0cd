/* Keyframes of a recording: when to ask hv for one, and taking it while hv stands still.
 *
 * 1. hv stands still at an asynchronous exit that is an event, so a replay stops there as well.
 * 2. The guest waits only for the copy of the pages that it has written since the keyframe before; comparing with what
 *    they were, compressing and writing is the writer thread's. */
#pragma once
#include "hv/host/dirty.h"
#include "storage/trace.h"

/* A keyframe on its way to the trace. */
struct capture {
	uint64_t next_event;
	uint64_t n, ns; /* position and guest time */
	struct guest_state state;
	size_t page_count;
	struct trace_page *pages; /* in the order of RAM; bytes are in `bytes` */
	uint8_t *bytes;
};

struct keyframes {
	struct machine *machine;
	struct dirty dirty;
	int64_t interval_ns; /* of real time; 0: no keyframes */
	int64_t last_ns;     /* when the last one was taken */
	uint64_t last_n;
	uint64_t seen_n; /* the guest's position in the turn before, as far as it is known */
};

/* For a machine that has started. */
bool keyframes_open(struct keyframes *keyframes, struct machine *machine, int64_t interval_ns, int64_t now_ns,
		    struct error *error);
void keyframes_close(struct keyframes *keyframes);
/* Asks hv for a keyframe if one is due, and again as long as hv has not come to a place for it. Cannot fail. */
void keyframes_request(struct keyframes *keyframes, int64_t now_ns);
/* Whether hv stands still for one. Cannot fail. */
bool keyframes_due(const struct keyframes *keyframes);
/* Takes it and lets hv go on; the caller's, for capture_free. NULL: there is no memory for one now; nothing is lost,
 * the next keyframe has its pages too. */
struct capture *keyframes_take(struct keyframes *keyframes, int64_t now_ns);
/* Frees; NULL is allowed. */
void capture_free(struct capture *capture);
