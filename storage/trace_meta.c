/* storage/trace_meta.def as a table: texts first or not, a key is found by its enum, and its writer by its key. */
#include "storage/trace_meta.h"

#include <stddef.h>
#include <string.h>

static const struct row {
	const char *key;
	enum trace_meta_writer writer;
} rows[] = {
#define TRACE_META_TEXT(NAME, key, writer, words)   {key, TRACE_META_BY_##writer},
#define TRACE_META_NUMBER(NAME, key, writer, words) {key, TRACE_META_BY_##writer},
#include "storage/trace_meta.def"
#undef TRACE_META_TEXT
#undef TRACE_META_NUMBER
};

const char *trace_meta_text_key(enum trace_meta_text text)
{
	static const char *const keys[TRACE_META_TEXT_COUNT] = {
#define TRACE_META_TEXT(NAME, key, writer, words) key,
#define TRACE_META_NUMBER(NAME, key, writer, words)
#include "storage/trace_meta.def"
#undef TRACE_META_TEXT
#undef TRACE_META_NUMBER
	};
	return keys[text];
}

const char *trace_meta_number_key(enum trace_meta_number number)
{
	static const char *const keys[TRACE_META_NUMBER_COUNT] = {
#define TRACE_META_TEXT(NAME, key, writer, words)
#define TRACE_META_NUMBER(NAME, key, writer, words) key,
#include "storage/trace_meta.def"
#undef TRACE_META_TEXT
#undef TRACE_META_NUMBER
	};
	return keys[number];
}

enum trace_meta_writer trace_meta_writer(const char *key)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].key, key) == 0)
			return rows[i].writer;
	}
	return TRACE_META_BY_OTHER;
}
