/* Rows may be found twice, in a page that is no longer used: one of several is taken. */
#include "storage/trace_repair_seal.h"
#include "storage/trace_seal.h"

#include <stdlib.h>
#include <string.h>

static int compare_metas(const void *a, const void *b)
{
	return strcmp(((const struct trace_salvage_meta *)a)->key, ((const struct trace_salvage_meta *)b)->key);
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct trace_salvage_file *)a)->name, ((const struct trace_salvage_file *)b)->name);
}

static void meta_add(struct trace_sealing *sealing, const struct trace_salvage_meta *meta)
{
	uint8_t number[8];
	for (unsigned i = 0; i < 8; i++)
		number[i] = (uint8_t)(meta->number >> 8 * i);
	if (meta->text)
		trace_sealing_add(sealing, meta->key, SQLITE_TEXT, meta->text, strlen(meta->text));
	else
		trace_sealing_add(sealing, meta->key, SQLITE_INTEGER, number, sizeof(number));
}

bool trace_repair_seal_is_broken(struct trace_salvage *found)
{
	const char *seal_key = trace_meta_number_key(TRACE_META_CHECKSUM);
	const struct trace_salvage_meta *seal = trace_salvage_meta_find(found, seal_key);
	if (!seal || seal->text)
		return false;
	struct trace_sealing *sealing = trace_sealing_begin();
	found->no_memory |= !sealing;
	if (!sealing)
		return false;
	uint64_t sealed = seal->number;
	qsort(found->metas, found->meta_count, sizeof(*found->metas), compare_metas);
	for (size_t i = 0; i < found->meta_count; i++) {
		const struct trace_salvage_meta *meta = &found->metas[i];
		bool again = i > 0 && strcmp(meta->key, meta[-1].key) == 0;
		if (!again && strcmp(meta->key, seal_key) != 0)
			meta_add(sealing, meta);
	}
	if (found->file_count > 0)
		qsort(found->files, found->file_count, sizeof(*found->files), compare_files);
	for (size_t i = 0; i < found->file_count; i++) {
		const struct trace_salvage_file *file = &found->files[i];
		if (i == 0 || strcmp(file->name, file[-1].name) != 0)
			trace_sealing_add(sealing, file->name, SQLITE_BLOB, file->hash, TRACE_HASH_BYTES);
	}
	return trace_sealing_end(sealing) != sealed;
}
