/* What YAJL leaves to its caller: the stream, UTF-8, and the two bytes that must be escaped although JSON does not ask
 * for it. Neither DEL nor '<' can stand outside a string, so flush() finds them without knowing JSON.
 *
 * YAJL prints in pieces of a few bytes, which are gathered here. They go to the stream when a document is whole, and
 * when an array begins, since the caller may write its elements by another struct json. */
#include "tools/json.h"
#include "hv/error/check.h"
#include "replay/trace/utf8_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

enum { DEL = 0x7f, BUFFER_BYTES = 1 << 14 };

struct json {
	yajl_gen gen;
	FILE *to;
	struct error *error;
	bool in_script;
	unsigned depth; /* of objects and arrays that have begun */
	size_t used;
	char buffer[BUFFER_BYTES];
};

static void put_escaped(const struct json *json, const char *text, size_t bytes)
{
	size_t plain = 0;
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] != DEL && (text[i] != '<' || !json->in_script))
			continue;
		fwrite(text + plain, 1, i - plain, json->to);
		fprintf(json->to, "\\u%04x", (unsigned)text[i]);
		plain = i + 1;
	}
	fwrite(text + plain, 1, bytes - plain, json->to);
}

static void put(const struct json *json, const char *text, size_t bytes)
{
	if (memchr(text, DEL, bytes) || (json->in_script && memchr(text, '<', bytes)))
		put_escaped(json, text, bytes);
	else
		fwrite(text, 1, bytes, json->to);
}

static void flush(struct json *json)
{
	put(json, json->buffer, json->used);
	json->used = 0;
}

static void print(void *context, const char *text, size_t bytes)
{
	struct json *json = context;
	if (bytes > BUFFER_BYTES - json->used)
		flush(json);
	if (bytes > BUFFER_BYTES) {
		put(json, text, bytes);
		return;
	}
	memcpy(json->buffer + json->used, text, bytes);
	json->used += bytes;
}

struct json *json_new(FILE *to, enum json_form form, struct error *error)
{
	struct json *json = calloc(1, sizeof(*json));
	if (json)
		json->gen = yajl_gen_alloc(NULL);
	if (!json || !json->gen) {
		free(json);
		error_set(error, STATUS_FAILED, "out of memory");
		return NULL;
	}
	json->to = to;
	json->error = error;
	json->in_script = form == JSON_SCRIPT;
	yajl_gen_config(json->gen, yajl_gen_print_callback, print, json);
	yajl_gen_config(json->gen, yajl_gen_beautify, form == JSON_INDENTED);
	yajl_gen_config(json->gen, yajl_gen_indent_string, "  ");
	return json;
}

void json_free(struct json *json)
{
	if (!json)
		return;
	flush(json);
	yajl_gen_free(json->gen);
	free(json);
}

/* YAJL refuses only what is no JSON, such as a member without a name: our own bug. */
static void check(yajl_gen_status status)
{
	CHECK(status == yajl_gen_status_ok);
}

static bool is_utf8(const char *text, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		size_t length = (signed char)text[at] >= 0 ? 1 : utf8_text_length(text + at, bytes - at);
		if (length == 0)
			return false;
		at += length;
	}
	return true;
}

static void put_cleaned(struct json *json, const char *text, size_t bytes)
{
	char *clean = malloc(bytes * UTF8_TEXT_REPLACEMENT_BYTES), *to = clean;
	for (size_t at = 0; clean && at < bytes;) {
		size_t length = utf8_text_length(text + at, bytes - at);
		to = mempcpy(to, length > 0 ? text + at : UTF8_TEXT_REPLACEMENT,
			     length > 0 ? length : UTF8_TEXT_REPLACEMENT_BYTES);
		at += length > 0 ? length : 1;
	}
	if (!clean)
		error_set(json->error, STATUS_FAILED, "out of memory");
	check(yajl_gen_string(json->gen, (const unsigned char *)(clean ? clean : ""), (size_t)(to - clean)));
	free(clean);
}

static void put_string(struct json *json, const char *text, size_t bytes)
{
	if (is_utf8(text, bytes))
		check(yajl_gen_string(json->gen, (const unsigned char *)text, bytes));
	else
		put_cleaned(json, text, bytes);
}

/* Whether there is something to write; if so, the member's name has been written. */
static bool begin(struct json *json, const char *key)
{
	if (json && key)
		put_string(json, key, strlen(key));
	return json;
}

void json_next(struct json *json, const char *between)
{
	if (json)
		yajl_gen_reset(json->gen, between);
}

void json_object(struct json *json, const char *key)
{
	if (!begin(json, key))
		return;
	check(yajl_gen_map_open(json->gen));
	json->depth++;
}

static void end(struct json *json, yajl_gen_status (*close)(yajl_gen))
{
	if (!json)
		return;
	check(close(json->gen));
	if (--json->depth == 0)
		flush(json);
}

void json_object_end(struct json *json)
{
	end(json, yajl_gen_map_close);
}

void json_array(struct json *json, const char *key)
{
	if (!begin(json, key))
		return;
	check(yajl_gen_array_open(json->gen));
	json->depth++;
	flush(json);
}

void json_array_end(struct json *json)
{
	end(json, yajl_gen_array_close);
}

void json_text(struct json *json, const char *key, const char *text)
{
	if (text)
		json_bytes(json, key, text, strlen(text));
	else
		json_null(json, key);
}

void json_bytes(struct json *json, const char *key, const char *text, size_t bytes)
{
	if (begin(json, key))
		put_string(json, text, bytes);
}

void json_hex(struct json *json, const char *key, uint64_t value)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_bytes(json, key, text, (size_t)length);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
	json_spelled(json, key, "%" PRIu64, value);
}

void json_spelled(struct json *json, const char *key, const char *format, ...)
{
	char text[JSON_SPELLED_BYTES];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (begin(json, key))
		check(yajl_gen_number(json->gen, text, (size_t)length));
}

void json_bool(struct json *json, const char *key, bool value)
{
	if (begin(json, key))
		check(yajl_gen_bool(json->gen, value));
}

void json_null(struct json *json, const char *key)
{
	if (begin(json, key))
		check(yajl_gen_null(json->gen));
}

void json_break(struct json *json)
{
	if (!json)
		return;
	print(json, "\n", 1);
	if (json->depth == 0)
		flush(json);
}
