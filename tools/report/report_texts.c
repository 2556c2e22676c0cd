/* Open addressing over XXH3, in a table at most half full. */
#include "tools/report/report_texts.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct report_texts {
	char **at; /* by number */
	size_t count, max;
	uint32_t *slots; /* number + 1; 0: free */
	size_t slot_count;
};

struct report_texts *report_texts_new(size_t max, struct error *error)
{
	struct report_texts *texts = calloc(1, sizeof(*texts));
	size_t slot_count = 2;
	while (slot_count < 2 * max)
		slot_count *= 2;
	if (texts) {
		texts->at = calloc(max + 1, sizeof(*texts->at));
		texts->slots = calloc(slot_count, sizeof(*texts->slots));
	}
	if (!texts || !texts->at || !texts->slots) {
		report_texts_free(texts);
		error_set(error, STATUS_FAILED, "out of memory");
		return NULL;
	}
	texts->max = max;
	texts->slot_count = slot_count;
	return texts;
}

void report_texts_free(struct report_texts *texts)
{
	if (!texts)
		return;
	for (size_t i = 0; i < texts->count; i++)
		free(texts->at[i]);
	free(texts->at);
	free(texts->slots);
	free(texts);
}

bool report_texts_add(struct report_texts *texts, const char *text, uint32_t *number, struct error *error)
{
	size_t slot = (size_t)XXH3_64bits(text, strlen(text)) & (texts->slot_count - 1);
	while (texts->slots[slot] != 0 && strcmp(texts->at[texts->slots[slot] - 1], text) != 0)
		slot = (slot + 1) & (texts->slot_count - 1);
	if (texts->slots[slot] == 0) {
		if (texts->count == texts->max)
			return error_set(error, STATUS_FAILED, "more than %zu different texts", texts->max);
		char *copy = strdup(text);
		if (!copy)
			return error_set(error, STATUS_FAILED, "out of memory");
		texts->at[texts->count++] = copy;
		texts->slots[slot] = (uint32_t)texts->count;
	}
	*number = texts->slots[slot] - 1;
	return true;
}

void report_texts_json(const struct report_texts *texts, const char *key, struct json *json)
{
	json_array(json, key);
	for (size_t i = 0; i < texts->count; i++)
		json_text(json, NULL, texts->at[i]);
	json_array_end(json);
}
