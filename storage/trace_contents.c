/* Finding and gathering contents, see trace_contents.h. Two contents with the same XXH3-128 would be taken for one; by
 * chance that does not happen, and a guest that brings it about gets a replay that ends where it reads the block: the
 * event has a check of the data. */
#include "storage/trace_contents.h"
#include "storage/trace_writer.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 1024 };

static bool no_memory(struct trace_writer *w)
{
	return error_set(&w->failed, STATUS_FAILED, "%s: no memory for contents of disks", w->path);
}

static struct trace_content *content_at(const struct trace_contents *c, uint64_t content)
{
	return &c->groups[content / TRACE_CONTENTS_MAX]->at[content % TRACE_CONTENTS_MAX];
}

/* The slot that has the hash, or the free one where it belongs. */
static uint64_t slot_find(const struct trace_contents *c, XXH128_hash_t hash)
{
	uint64_t slot = hash.low64 & (c->slot_count - 1);
	while (c->slots[slot] != 0 && !XXH128_isEqual(content_at(c, c->slots[slot] - 1)->hash, hash))
		slot = (slot + 1) & (c->slot_count - 1);
	return slot;
}

/* Room for one more at a load of a half at most. */
static bool slots_grow(struct trace_contents *c)
{
	if (c->slot_used < c->slot_count / 2)
		return true;
	uint64_t *old = c->slots, old_count = c->slot_count;
	uint64_t count = old_count ? old_count * 2 : SLOTS_MIN;
	uint64_t *slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	c->slots = slots;
	c->slot_count = count;
	for (uint64_t i = 0; i < old_count; i++) {
		if (old[i] != 0)
			slots[slot_find(c, content_at(c, old[i] - 1)->hash)] = old[i];
	}
	free(old);
	return true;
}

/* Takes the content out of the table; what it kept from its own slot moves up. */
static void slot_free(struct trace_contents *c, uint64_t content)
{
	uint64_t mask = c->slot_count - 1;
	uint64_t hole = slot_find(c, content_at(c, content)->hash);
	for (uint64_t slot = (hole + 1) & mask; c->slots[slot] != 0; slot = (slot + 1) & mask) {
		uint64_t home = content_at(c, c->slots[slot] - 1)->hash.low64 & mask;
		if (((slot - home) & mask) >= ((slot - hole) & mask)) {
			c->slots[hole] = c->slots[slot];
			hole = slot;
		}
	}
	c->slots[hole] = 0;
	c->slot_used--;
}

/* An empty group to fill. */
static bool group_begin(struct trace_contents *c)
{
	if (!c->raw)
		c->raw = malloc((size_t)TRACE_CONTENTS_MAX * TRACE_BLOCK_BYTES);
	if (c->group_count == c->group_room) {
		uint64_t room = c->group_room * 2 + 64;
		struct trace_content_group **groups = realloc(c->groups, room * sizeof(struct trace_content_group *));
		if (!groups)
			return false;
		c->groups = groups;
		c->group_room = room;
	}
	struct trace_content_group *group = c->raw ? calloc(1, sizeof(*group)) : NULL;
	if (!group)
		return false;
	c->groups[c->group_count++] = group;
	c->written_count = 0;
	c->written_bytes = 0;
	return true;
}

/* The one that is filled; NULL: the next content begins one. */
static struct trace_content_group *group_last(const struct trace_contents *c)
{
	return c->group_count > 0 ? c->groups[c->group_count - 1] : NULL;
}

bool trace_contents_flush(struct trace_writer *w)
{
	struct trace_contents *c = &w->contents;
	uint32_t count = group_last(c) ? group_last(c)->count : c->written_count;
	if (count == c->written_count)
		return true;
	size_t stored_bytes = 0;
	uint8_t *stored =
		trace_zstd_compress(c->raw, (size_t)count * TRACE_BLOCK_BYTES, TRACE_LEVEL_DEVICES, &stored_bytes);
	if (!stored)
		return no_memory(w);
	uint64_t id = c->group_count - 1;
	trace_writer_bind_u64(w, PUT_BLOCK_GROUP, 1, id);
	trace_writer_bind_u64(w, PUT_BLOCK_GROUP, 2, count);
	trace_writer_bind_u64(w, PUT_BLOCK_GROUP, 3,
			      trace_group_checksum(id, count, (struct trace_bytes){stored, stored_bytes}));
	trace_writer_bind_blob(w, PUT_BLOCK_GROUP, 4, stored, stored_bytes);
	bool good = trace_writer_step(w, PUT_BLOCK_GROUP, NULL);
	free(stored);
	w->put_bytes += stored_bytes - c->written_bytes;
	c->written_count = count;
	c->written_bytes = stored_bytes;
	return good;
}

/* Adds contents that are new; `slot` is free. */
static bool content_add(struct trace_writer *w, uint64_t slot, XXH128_hash_t hash, const uint8_t *bytes)
{
	struct trace_contents *c = &w->contents;
	struct trace_content_group *group = group_last(c);
	if (!group || group->count == TRACE_CONTENTS_MAX) {
		if (!group_begin(c))
			return no_memory(w);
		group = group_last(c);
	}
	memcpy(c->raw + (size_t)group->count * TRACE_BLOCK_BYTES, bytes, TRACE_BLOCK_BYTES);
	group->at[group->count++].hash = hash;
	c->slots[slot] = ++c->next;
	c->slot_used++;
	return group->count < TRACE_CONTENTS_MAX || trace_contents_flush(w);
}

bool trace_contents_put(struct trace_writer *w, const uint8_t *bytes, uint64_t *content)
{
	static const uint8_t zeroes[TRACE_BLOCK_BYTES];
	struct trace_contents *c = &w->contents;
	*content = TRACE_CONTENT_ZERO;
	if (memcmp(bytes, zeroes, TRACE_BLOCK_BYTES) == 0)
		return true;
	if (!slots_grow(c))
		return no_memory(w);
	XXH128_hash_t hash = XXH3_128bits(bytes, TRACE_BLOCK_BYTES);
	uint64_t slot = slot_find(c, hash);
	if (c->slots[slot] == 0 && !content_add(w, slot, hash, bytes))
		return false;
	*content = c->slots[slot] - 1;
	if (content_at(c, *content)->use_count++ == 0)
		c->groups[*content / TRACE_CONTENTS_MAX]->used_count++;
	return true;
}

bool trace_contents_release(struct trace_writer *w, uint64_t content)
{
	struct trace_contents *c = &w->contents;
	uint64_t id = content / TRACE_CONTENTS_MAX;
	if (content >= TRACE_CONTENT_LOST || --content_at(c, content)->use_count > 0)
		return true;
	struct trace_content_group *group = c->groups[id];
	if (--group->used_count > 0 || group->count < TRACE_CONTENTS_MAX)
		return true;
	for (uint32_t i = 0; i < group->count; i++)
		slot_free(c, id * TRACE_CONTENTS_MAX + i);
	free(group);
	c->groups[id] = NULL;
	trace_writer_bind_u64(w, DROP_BLOCK_GROUP, 1, id);
	return trace_writer_step(w, DROP_BLOCK_GROUP, NULL);
}

void trace_contents_free(struct trace_contents *c)
{
	for (uint64_t i = 0; i < c->group_count; i++)
		free(c->groups[i]);
	free(c->groups);
	free(c->slots);
	free(c->raw);
}
