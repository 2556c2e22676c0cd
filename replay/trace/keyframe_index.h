/* The keyframes of a trace: where each page of RAM is to be found at each of them.
 *
 * Every number comes from a file and is checked when the index is made; the pages themselves are read when they are
 * asked for. */
#pragma once
#include "hv/abi/guest_state.h"
#include "storage/trace.h"

/* A page as it was kept: the slot of a page group. */
struct keyframe_page {
	uint64_t index; /* in RAM */
	uint64_t group;
	uint64_t slot;
};

struct keyframe {
	struct trace_keyframe row;
	struct keyframe_page *pages; /* written since the keyframe before (the first: since the start), by index */
	size_t page_count;
};

struct keyframe_index {
	struct trace_reader *trace;
	struct keyframe *at; /* by position */
	size_t count;
	uint64_t ram_pages;
	uint64_t vcpu_count; /* of the trace's guest */
	size_t state_bytes;  /* of the trace's machine version */
};

/* Reads what a trace with `ram_pages` pages of guest RAM has. `index` is freed whatever comes. */
bool keyframe_index_open(struct keyframe_index *index, struct trace_reader *trace, uint64_t ram_pages,
			 struct error *error);
void keyframe_index_close(struct keyframe_index *index);

/* The last keyframe at or before position `n`; SIZE_MAX: there is none. */
size_t keyframe_index_before(const struct keyframe_index *index, uint64_t n);

/* The guest at the keyframe, but its RAM. */
bool keyframe_index_state(const struct keyframe_index *index, size_t keyframe, struct guest_state *state,
			  struct error *error);
/* The pages that were written between two keyframes (`from` SIZE_MAX: since the start), each as it is at `to`;
 * malloc'd, in no order. NULL: out of memory. */
struct keyframe_page *keyframe_index_newest(const struct keyframe_index *index, size_t from, size_t to, size_t *count);
/* Makes the start's RAM that of the keyframe. */
bool keyframe_index_ram(const struct keyframe_index *index, size_t keyframe, uint8_t *ram, struct error *error);

/* Reads pages, which are sorted by group for that; `each` gets each of them. False: damage, or `each` said so. */
typedef bool keyframe_page_fn(const struct keyframe_page *page, const uint8_t *bytes, void *context);
bool keyframe_index_pages(const struct keyframe_index *index, struct keyframe_page *pages, size_t count,
			  keyframe_page_fn *each, void *context, struct error *error);
