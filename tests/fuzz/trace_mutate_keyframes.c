/* Keyframes and page groups: fields, states, page lists and pages, each with the checksum that fits, so that what is
 * behind the checksum is reached; ids and counts at the limits; rows that are missing, doubled, or of other types. */
#include "tests/fuzz/random.h"
#include "tests/fuzz/trace_mutate.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_BYTES_MAX = 512 };

static uint8_t room[MUTATE_BYTES_MAX];

static void field_edit(uint64_t *field)
{
	*field = random_below(2) ? trace_mutate_number() : *field + random_below(5) - 2;
}

/* `raw` changed, and packed so that it still unpacks; or packed and then changed. The caller frees the data. */
static struct trace_bytes packed_edit(const uint8_t *raw, size_t raw_bytes, bool pages)
{
	struct trace_bytes packed = {NULL, 0};
	bool before = random_below(4) != 0;
	size_t bytes = raw_bytes;
	memcpy(room, raw, bytes);
	if (before && bytes > 0)
		trace_mutate_bytes(room, &bytes, 64);
	size_t packed_bytes = random_below(8) ? raw_bytes : bytes;
	uint8_t *stored = pages ? trace_zstd_compress(room, packed_bytes, TRACE_LEVEL_PAGES, &packed.count)
				: trace_compress(room, packed_bytes, false, &packed.count);
	if (!stored)
		abort();
	if (!before) {
		memcpy(room, stored, packed.count);
		trace_mutate_bytes(room, &packed.count, 16);
		free(stored);
		stored = malloc(packed.count + 1);
		if (!stored)
			abort();
		memcpy(stored, room, packed.count);
	}
	packed.data = stored;
	return packed;
}

/* A list of page indexes, as varints or as u32: changed, made of random bytes, or much longer than it was. */
static struct trace_bytes list_edit(const uint8_t *list, size_t bytes)
{
	static uint8_t edited[LIST_BYTES_MAX];
	struct trace_bytes result = {edited, bytes < LIST_BYTES_MAX / 2 ? bytes : LIST_BYTES_MAX / 2};
	memcpy(edited, list, result.count);
	switch (random_below(4)) {
	case 0:
		result.count = random_below(LIST_BYTES_MAX);
		for (size_t i = 0; i < result.count; i++)
			edited[i] = (uint8_t)(random_u64() & (random_below(2) ? 0xff : 0x83));
		break;
	case 1:
		result.count = random_below(LIST_BYTES_MAX);
		memset(edited, random_below(2) ? 0 : (int)random_below(256), result.count);
		break;
	case 2:
		if (result.count >= 4)
			for (unsigned i = 0; i < 4; i++)
				edited[random_below(result.count)] = (uint8_t)random_u64();
		break;
	default:
		if (result.count > 0)
			edited[random_below(result.count)] ^= (uint8_t)(1 << random_below(8));
	}
	return result;
}

static void keyframe_edit(struct seed *seed)
{
	const struct seed_keyframe *seeded = &seed->keyframes[random_below(seed->keyframe_count)];
	struct trace_keyframe row = seeded->row;
	uint64_t state_bytes = seeded->state_bytes, what = random_below(8);
	uint64_t *const fields[] = {&row.n, &row.next_event, &row.first_group, &row.group_count, &state_bytes};
	struct trace_bytes state = {NULL, 0}, same = {seeded->same, seeded->same_bytes};
	if (what < 3)
		field_edit(fields[random_below(5)]);
	else if (what < 6)
		same = list_edit(seeded->same, seeded->same_bytes);
	else
		state = packed_edit(seeded->state, (size_t)seeded->state_bytes, false);
	if (!state.data)
		state.data = trace_compress(seeded->state, (size_t)seeded->state_bytes, false, &state.count);
	uint64_t checksum = trace_keyframe_checksum(&row, state_bytes, state, same) + (random_below(32) == 0);
	const uint64_t numbers[] = {row.n,       row.next_event, row.first_group, row.group_count,
				    state_bytes, checksum,       seeded->row.n};
	const struct trace_bytes blobs[] = {state, same};
	trace_mutate_put(seed->db,
			 "UPDATE OR REPLACE keyframe SET n = ?1, next_event = ?2, first_group = ?3, group_count = ?4, "
			 "state_bytes = ?5, checksum = ?6, state = ?8, same = ?9 WHERE n = ?7",
			 numbers, 7, blobs, 2);
	free((void *)state.data);
}

static void group_edit(struct seed *seed)
{
	const struct seed_group *seeded = &seed->groups[random_below(seed->group_count)];
	uint64_t id = seeded->id, page_count = seeded->page_count, what = random_below(8);
	size_t raw_bytes = (size_t)(seeded->page_count * TRACE_PAGE_BYTES);
	struct trace_bytes indexes = {seeded->indexes, (size_t)(seeded->page_count * 4)}, data = {NULL, 0};
	if (what < 2)
		field_edit(random_below(2) ? &id : &page_count);
	else if (what < 5)
		indexes = list_edit(seeded->indexes, indexes.count);
	else
		data = packed_edit(seeded->pages, raw_bytes, true);
	if (what < 5 && random_below(4) == 0)
		page_count = indexes.count / 4;
	if (!data.data)
		data.data = trace_zstd_compress(seeded->pages, raw_bytes, TRACE_LEVEL_PAGES, &data.count);
	const uint64_t numbers[] = {id, page_count,
				    trace_group_checksum(id, page_count, indexes) + (random_below(32) == 0),
				    trace_group_checksum(id, page_count, data) + (random_below(32) == 0), seeded->id};
	const struct trace_bytes blobs[] = {indexes, data};
	trace_mutate_put(seed->db,
			 "UPDATE OR REPLACE page_group SET id = ?1, page_count = ?2, indexes_checksum = ?3, "
			 "data_checksum = ?4, indexes = ?6, data = ?7 WHERE id = ?5",
			 numbers, 5, blobs, 2);
	free((void *)data.data);
}

static void table_edit(sqlite3 *db)
{
	static const char *const statements[] = {
		"UPDATE OR REPLACE keyframe SET n = ?1 WHERE n = (SELECT max(n) FROM keyframe)",
		"UPDATE OR REPLACE keyframe SET n = ?1 WHERE n = (SELECT min(n) FROM keyframe)",
		"UPDATE keyframe SET next_event = ?1",
		"UPDATE keyframe SET first_group = ?1",
		"UPDATE keyframe SET group_count = ?1",
		"UPDATE keyframe SET state_bytes = ?1",
		"UPDATE keyframe SET checksum = ?1",
		"UPDATE keyframe SET state = ?1",
		"UPDATE keyframe SET same = ?1",
		"UPDATE OR REPLACE page_group SET id = ?1 WHERE id = (SELECT max(id) FROM page_group)",
		"UPDATE OR REPLACE page_group SET id = ?1 WHERE id = (SELECT min(id) FROM page_group)",
		"UPDATE page_group SET page_count = ?1",
		"UPDATE page_group SET indexes_checksum = ?1",
		"UPDATE page_group SET data_checksum = ?1",
		"UPDATE page_group SET indexes = ?1",
		"UPDATE page_group SET data = ?1",
		"INSERT OR REPLACE INTO meta VALUES('start_n', ?1)",
		"INSERT OR REPLACE INTO meta SELECT 'start_n', max(n) FROM keyframe",
		"INSERT OR REPLACE INTO meta SELECT 'start_n', min(n) FROM keyframe",
		"DELETE FROM meta WHERE key = 'start_n'",
		"DELETE FROM keyframe WHERE n = (SELECT min(n) FROM keyframe)",
		"DELETE FROM keyframe",
		"DELETE FROM page_group WHERE id = (SELECT max(id) FROM page_group)",
		"DELETE FROM page_group",
		"DELETE FROM chunk WHERE first_event = (SELECT max(first_event) FROM chunk)",
		("INSERT OR REPLACE INTO keyframe SELECT n + 1, next_event, first_group, group_count, state_bytes, "
		 "checksum, state, same FROM keyframe"),
		("INSERT OR REPLACE INTO page_group SELECT id + 1000, page_count, indexes_checksum, data_checksum, "
		 "indexes, data FROM page_group"),
		"DROP TABLE keyframe",
		"DROP TABLE page_group",
		"ALTER TABLE keyframe ADD COLUMN more DEFAULT 1",
		"ALTER TABLE page_group RENAME COLUMN id TO number",
	};
	trace_mutate_value(db, statements[random_below(sizeof(statements) / sizeof(statements[0]))]);
}

void trace_mutate_keyframes(struct seed *seed)
{
	for (uint64_t left = 1 + random_below(3); left > 0; left--) {
		uint64_t what = random_below(8);
		if (what < 3)
			keyframe_edit(seed);
		else if (what < 6 && seed->group_count > 0)
			group_edit(seed);
		else
			table_edit(seed->db);
	}
}
