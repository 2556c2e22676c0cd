/* See trace_block_cache.h. */
#include "storage/trace_block_cache.h"

#include <stdlib.h>

struct trace_cached_group *trace_block_cache_get(struct trace_block_cache *cache, uint64_t id, size_t content_count)
{
	struct trace_cached_group *chosen = &cache->groups[0];
	for (size_t i = 0; i < TRACE_BLOCK_CACHE_GROUPS; i++) {
		struct trace_cached_group *group = &cache->groups[i];
		if (group->raw && group->id == id) {
			chosen = group;
			break;
		}
		if (group->used < chosen->used)
			chosen = group;
	}
	if (!chosen->raw || chosen->id != id || chosen->content_count < content_count) {
		free(chosen->raw);
		*chosen = (struct trace_cached_group){.id = id};
	}
	chosen->used = ++cache->use_count;
	return chosen;
}

void trace_block_cache_free(struct trace_block_cache *cache)
{
	for (size_t i = 0; i < TRACE_BLOCK_CACHE_GROUPS; i++)
		free(cache->groups[i].raw);
}
