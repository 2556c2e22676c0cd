/* Asking for keyframes and copying what they need. */
#include "recorder/keyframes.h"
#include "hv/error/check.h"

#include <stdlib.h>
#include <string.h>

/* A guest that has hardly moved since the last keyframe needs no other. */
#define INSNS_MIN UINT64_C(1000000)

bool keyframes_open(struct keyframes *keyframes, struct machine *machine, int64_t interval_ns, int64_t now_ns,
		    struct error *error)
{
	*keyframes = (struct keyframes){.machine = machine, .interval_ns = interval_ns, .last_ns = now_ns};
	return interval_ns == 0 || dirty_open(&keyframes->dirty, machine, error);
}

void keyframes_close(struct keyframes *keyframes)
{
	dirty_close(&keyframes->dirty);
}

void keyframes_request(struct keyframes *keyframes, int64_t now_ns)
{
	struct hv_mailbox *mailbox = keyframes->machine->mailbox;
	/* hv shows the position at exits: one that stays the same means that the guest computes, or sleeps. */
	uint64_t now_n = machine_index_load(&mailbox->now_n);
	bool hardly_moved = now_n - keyframes->last_n < INSNS_MIN && now_n != keyframes->seen_n;
	keyframes->seen_n = now_n;
	bool sleeps = machine_index_load(&mailbox->idle_target_ns) != 0;
	if (keyframes->interval_ns == 0 || now_ns - keyframes->last_ns < keyframes->interval_ns || sleeps)
		return;
	if (!mailbox->keyframe_request && hardly_moved)
		return;
	__atomic_store_n(&mailbox->keyframe_request, 1, __ATOMIC_SEQ_CST);
	machine_ring(keyframes->machine);
}

bool keyframes_due(const struct keyframes *keyframes)
{
	return machine_state(keyframes->machine) == HV_STATE_KEYFRAME;
}

static bool pages_copy(struct capture *capture, const struct keyframes *keyframes)
{
	const struct machine *machine = keyframes->machine;
	size_t count = 0;
	for (uint64_t i = 0; i < keyframes->dirty.page_count; i++)
		count += dirty_is(&keyframes->dirty, i);
	capture->pages = malloc((count + 1) * sizeof(*capture->pages));
	capture->bytes = malloc(count * TRACE_PAGE_BYTES + 1);
	if (!capture->pages || !capture->bytes)
		return false;
	for (uint64_t i = 0; i < keyframes->dirty.page_count; i++) {
		if (!dirty_is(&keyframes->dirty, i))
			continue;
		CHECK(capture->page_count < count); /* hv stands still, so they are what was counted */
		uint8_t *bytes = capture->bytes + capture->page_count * TRACE_PAGE_BYTES;
		memcpy(bytes, machine->guest_ram + i * TRACE_PAGE_BYTES, TRACE_PAGE_BYTES);
		capture->pages[capture->page_count++] = (struct trace_page){i, bytes};
	}
	return true;
}

struct capture *keyframes_take(struct keyframes *keyframes, int64_t now_ns)
{
	struct hv_mailbox *mailbox = keyframes->machine->mailbox;
	struct capture *capture = calloc(1, sizeof(*capture));
	if (capture && pages_copy(capture, keyframes)) {
		capture->state = mailbox->final_state;
		capture->n = capture->state.n;
		capture->ns = capture->state.n + capture->state.idle_ns;
		capture->next_event = machine_index_load(&mailbox->event_head);
		dirty_forget(&keyframes->dirty);
	} else {
		capture_free(capture);
		capture = NULL;
	}
	keyframes->last_ns = now_ns;
	keyframes->last_n = mailbox->final_state.n;
	mailbox->keyframe_request = 0;
	__atomic_store_n(&mailbox->state, (uint32_t)HV_STATE_RUNNING, __ATOMIC_SEQ_CST);
	return capture;
}

void capture_free(struct capture *capture)
{
	if (capture) {
		free(capture->pages);
		free(capture->bytes);
	}
	free(capture);
}
