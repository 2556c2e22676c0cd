/* JSON (RFC 8259), written by YAJL's generator while the caller names one value after the other: commas, brackets,
 * quotes and escapes are YAJL's. Only a few KiB are kept, so output may be larger than memory. Whether the stream has
 * taken it is the caller's to ask, of the stream.
 *
 * 1. `key` is the name of a member; in an array, and for a document's outermost value, it is NULL.
 * 2. Texts may hold any bytes: each byte that belongs to no valid UTF-8 becomes U+FFFD.
 * 3. DEL is escaped, since terminals act upon it.
 * 4. When a document is whole, it is with the stream; so is what there is of it when an array begins: another
 * document's rows may then come in between. */
#pragma once
#include "hv/error/error.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum json_form {
	JSON_COMPACT,  /* without any space */
	JSON_INDENTED, /* each member on a line of its own, and a newline at the end */
	JSON_SCRIPT,   /* compact, and safe inside HTML's <script>: '<' is escaped */
};

struct json;

/* Starts a document on `to`; `error`, which must live as long, is set if memory runs out later. NULL: no memory, error
 * set; every function below then does nothing. */
struct json *json_new(FILE *to, enum json_form form, struct error *error);
void json_free(struct json *json);

/* Starts one more document, after `between` (which is not NULL) has been written: a row among rows. */
void json_next(struct json *json, const char *between);

void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);

/* A string; null for NULL. */
void json_text(struct json *json, const char *key, const char *text);
/* A string of `bytes` bytes, NULs included. */
void json_bytes(struct json *json, const char *key, const char *text, size_t bytes);
/* "0x…": many readers of JSON keep only 53 bits of a number. */
void json_hex(struct json *json, const char *key, uint64_t value);
void json_number(struct json *json, const char *key, uint64_t value);
/* A number as printf spells it; the caller sees to it that the result is one. At most JSON_SPELLED_BYTES. */
enum { JSON_SPELLED_BYTES = 400 };
__attribute__((format(printf, 3, 4))) void json_spelled(struct json *json, const char *key, const char *format, ...);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
/* A line break between two values of a compact document, or after its end, for people who look at it. */
void json_break(struct json *json);
