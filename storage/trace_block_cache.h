/* Decompressed block groups, as many as were used last. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { TRACE_BLOCK_CACHE_GROUPS = 32 };

struct trace_cached_group {
	uint64_t id;
	uint64_t used; /* when: the largest is the one used last; 0: never */
	size_t content_count;
	uint8_t *raw; /* malloc; NULL: there is none */
};

struct trace_block_cache {
	struct trace_cached_group groups[TRACE_BLOCK_CACHE_GROUPS];
	uint64_t use_count;
};

/* The entry that has the group, with as many contents; or one without any, in place of the one not used for longest. It
 * is the one used last now. Cannot fail. */
struct trace_cached_group *trace_block_cache_get(struct trace_block_cache *cache, uint64_t id, size_t content_count);

/* Frees what the entries hold. */
void trace_block_cache_free(struct trace_block_cache *cache);
