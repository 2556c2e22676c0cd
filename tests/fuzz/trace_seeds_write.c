/* Writes small traces with storage's own writer, as a recorder would: finished and not, with and without keyframes,
 * from the start and from a keyframe on. */
#include "hv/abi/guest_state.h"
#include "tests/fuzz/trace_seeds.h"

#include <stdlib.h>
#include <string.h>

enum { PAGES_PER_KEYFRAME = 3 };

static struct event event_at(uint64_t i)
{
	static const uint16_t kinds[] = {EVENT_MMIO_READ,    EVENT_MMIO_WRITE, EVENT_EXIT,  EVENT_INJECT,
					 EVENT_SYSREG_WRITE, EVENT_IDLE,       EVENT_INPUT, EVENT_SMCCC_CALL};
	uint16_t kind = kinds[i * i % 23 % 8];
	return (struct event){.n = i * 90 + i % 7,
			      .pc = 0xffff800008000000 + i % 5 * 4,
			      .address = kind == EVENT_EXIT ? EXIT_REASON_VTIMER : 0x09000000 + i % 3,
			      .value = kind == EVENT_IDLE ? 1000 : (uint64_t) "the guest's console\n"[i % 20],
			      .kind = kind,
			      .size = 4};
}

static bool facts_put(struct trace_writer *w, struct error *error)
{
	static const struct {
		enum trace_meta_number key;
		uint64_t number;
	} numbers[] = {{TRACE_META_RAM_BYTES, SEED_RAM_BYTES},
		       {TRACE_META_MACHINE_VERSION, GUEST_MACHINE_VERSION},
		       {TRACE_META_VCPU_COUNT, 1},
		       {TRACE_META_ENTRY_IPA, GUEST_RAM_IPA},
		       {TRACE_META_DTB_IPA, GUEST_RAM_IPA},
		       {TRACE_META_RTC_BASE_S, 1000000000}};
	bool good = trace_put_file(w, "kernel", "some code", 9, error) &&
		    trace_put_file(w, "ram/40000000", "some code at its place", 22, error) &&
		    trace_put_file(w, "initrd", NULL, 0, error) &&
		    trace_put_text(w, TRACE_META_BOOTARGS, "quiet", error) &&
		    trace_put_text(w, TRACE_META_KERNEL_NAME, "Image", error) &&
		    trace_put_text(w, TRACE_META_DEVICES,
				   "0 disk 4096 rw vda S\n1 disk 64 ro vdb \n2 net 52:54:00:00:00:01\n", error) &&
		    trace_put_text(w, TRACE_META_KERNEL_KIND, "Linux Image", error);
	for (size_t i = 0; good && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		good = trace_put_u64(w, numbers[i].key, numbers[i].number, error);
	return good;
}

/* The keyframe right before event `next_event`, which is not the first, with `page_count` pages of its own and some
 * that hold the same again. */
static bool keyframe_put(struct trace_writer *w, uint64_t next_event, uint64_t page_count, struct error *error)
{
	static uint8_t bytes[TRACE_GROUP_PAGES_MAX * 2 * TRACE_PAGE_BYTES];
	static struct guest_state state;
	struct trace_page pages[TRACE_GROUP_PAGES_MAX * 2];
	for (uint64_t i = 0; i < page_count; i++) {
		bytes[i * TRACE_PAGE_BYTES + next_event % 100] = (uint8_t)(next_event + i);
		pages[i] = (struct trace_page){2 * i + next_event % 2, bytes + i * TRACE_PAGE_BYTES};
		if (i % 3 == 2 && next_event % 2 == 0)
			pages[i].bytes = NULL;
	}
	if (next_event % 2 == 0 && page_count > 2)
		pages[page_count - 1] = (struct trace_page){SEED_RAM_BYTES / TRACE_PAGE_BYTES - 1, bytes};
	state = (struct guest_state){.n = event_at(next_event).n - 3, .vcpu_count = 1};
	return trace_put_pages(w, pages, page_count, error) &&
	       trace_put_keyframe(w, state.n, next_event, &state, sizeof(state), error);
}

/* Event `i` writes some blocks, of contents that are mostly there already, or brings a payload. */
static bool device_put(struct trace_writer *w, uint64_t i, struct error *error)
{
	uint8_t bytes[TRACE_BLOCK_BYTES];
	for (uint64_t at = 0; at < 1 + i % 4; at++) {
		memset(bytes, (int)(i % 70), sizeof(bytes));
		memcpy(bytes, &i, sizeof(i));
		bytes[0] = (uint8_t)(i % 90);
		if (!trace_put_block(w, i % 2, i % 9 * 3 + at, i % 7 ? i : 0, bytes, error))
			return false;
	}
	return (i % 11 != 0 || trace_put_zeroes(w, 1, i, 1000000, i, error)) &&
	       (i % 3 != 0 || trace_put_payload(w, i, bytes, i * 5, error));
}

struct trace_writer *trace_seeds_write(const char *path, const struct seed_recipe *recipe, struct error *error)
{
	struct trace_writer *w = trace_create(path, error);
	uint64_t first = recipe->start_at, keyframe_count = 0;
	bool good = w && facts_put(w, error);
	if (first > 0)
		good = good && trace_start_at(w, event_at(first).n - 3, first, 1000 * first, error) &&
		       keyframe_put(w, first, PAGES_PER_KEYFRAME, error);
	for (uint64_t i = first; good && i < first + recipe->event_count; i++) {
		struct event event = event_at(i);
		if (recipe->keyframe_step > 0 && i > first && i % recipe->keyframe_step == 0)
			good = keyframe_put(w, i, keyframe_count++ == 1 ? recipe->pages : PAGES_PER_KEYFRAME, error);
		if (recipe->device_step > 0 && i > 0 && i % recipe->device_step == 0)
			good = good && device_put(w, i, error);
		good = good && trace_append(w, &event, 1, error) &&
		       (i % recipe->commit_step != recipe->commit_step - 1 || trace_commit(w, error));
	}
	if (good && recipe->forget_to > 0)
		good = trace_forget_before(w, event_at(recipe->forget_to).n - 3, error);
	if (good && trace_commit(w, error))
		return w;
	trace_writer_free(w);
	return NULL;
}
