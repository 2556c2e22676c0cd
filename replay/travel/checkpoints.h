/* Checkpoints: guests of the past, as states and the pages that changed between them.
 *
 * 1. A checkpoint is only taken where the guest can go on as if it had never stopped (timeline.c says where that is).
 * 2. Ordered by position; each keeps the pages that were written since the one before it. A page's bytes at a
 *    checkpoint are those of the last change at or before it, or those of the trace's start.
 * 3. Going to a checkpoint costs what was written since, and what changed between there and here: nothing looks through
 *    all of them but a move of the table to an earlier checkpoint.
 * 4. There are never more than CHECKPOINTS_MAX, nor with more pages in memory than held_max, as far as dropping helps:
 *    dense near the place of interest, ever sparser away from it. */
#pragma once
#include "replay/run/engine.h"
#include "replay/travel/page_source.h"

enum { CHECKPOINTS_MAX = 192 };

/* Where a page's bytes are. */
struct page_place {
	uint8_t *bytes;       /* NULL: they are in the trace */
	uint64_t group, slot; /* there; slot PAGE_AT_START: in the start's RAM */
};

#define PAGE_AT_START UINT64_MAX

struct checkpoint_page {
	uint64_t index;
	struct page_place place;
};

struct checkpoint {
	uint64_t n;
	uint64_t next_event;
	struct guest_state *state;
	struct checkpoint_page *pages; /* by index */
	size_t page_count, held_count; /* held: not in the trace, but here */
};

/* Begins as zeros. */
struct checkpoints {
	struct checkpoint at[CHECKPOINTS_MAX + 1];
	size_t count;
	size_t held_max; /* pages; checkpoints_open sets it to a GiB, and RAM once */
	struct page_source source;
	struct page_place *table; /* of each page, where its bytes are at checkpoint table_at: the last one gone to, so
				     at or before the base */
	size_t table_at;
};

/* Of `count` keyframes, each one whose number is a multiple of this is taken in, whatever is most useful. */
size_t checkpoints_keyframes_every(size_t count);

/* Takes in the keyframes of the trace, with the start, or those that are most useful at `n`. */
bool checkpoints_open(struct checkpoints *checkpoints, const struct engine *engine, uint64_t n, struct error *error);

/* The last checkpoint at or before `n`; there is always one, the first is at the start. */
size_t checkpoints_before(const struct checkpoints *checkpoints, uint64_t n);

/* Takes one at the engine's current place, whose RAM is that of checkpoint `base` plus what was written. If there are
 * too many then, drops those least useful for `near_n`. Returns the new one's index; SIZE_MAX: out of memory, error
 * set.
 */
size_t checkpoints_take(struct checkpoints *checkpoints, const struct engine *engine, size_t base, uint64_t near_n,
			struct error *error);

/* Forgets one, not the first. What its pages tell goes to the next one. False: out of memory, it is still there. */
bool checkpoints_drop(struct checkpoints *checkpoints, size_t index);

/* Brings the engine from checkpoint `base` plus what was written to checkpoint `target`. False: error set. */
bool checkpoints_restore(struct checkpoints *checkpoints, struct engine *engine, size_t base, size_t target,
			 struct error *error);

void checkpoints_free(struct checkpoints *checkpoints);
