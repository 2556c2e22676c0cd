/* The keys of a trace's metadata (trace_meta.def), as two types: a text cannot be asked for as a number. */
#pragma once

enum trace_meta_text {
#define TRACE_META_TEXT(NAME, key, writer, words) TRACE_META_##NAME,
#define TRACE_META_NUMBER(NAME, key, writer, words)
#include "storage/trace_meta.def"
#undef TRACE_META_TEXT
#undef TRACE_META_NUMBER
	TRACE_META_TEXT_COUNT,
};

enum trace_meta_number {
#define TRACE_META_TEXT(NAME, key, writer, words)
#define TRACE_META_NUMBER(NAME, key, writer, words) TRACE_META_##NAME,
#include "storage/trace_meta.def"
#undef TRACE_META_TEXT
#undef TRACE_META_NUMBER
	TRACE_META_NUMBER_COUNT,
};

/* Who writes a key, as in trace_meta.def; OTHER: it is not there, as a later hvrec's. */
enum trace_meta_writer {
	TRACE_META_BY_TRACE,
	TRACE_META_BY_START,
	TRACE_META_BY_END,
	TRACE_META_BY_REPAIR,
	TRACE_META_BY_OTHER,
};

/* The key as it is in the file. Cannot fail; static. */
const char *trace_meta_text_key(enum trace_meta_text text);
const char *trace_meta_number_key(enum trace_meta_number number);

/* Cannot fail. */
enum trace_meta_writer trace_meta_writer(const char *key);
