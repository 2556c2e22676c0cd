/* A set of short texts, each with a number, from 0 in the order of their first appearance: a text that many events
 * share stands in the page once. */
#pragma once
#include "hv/error/error.h"
#include "tools/json.h"
#include <stddef.h>
#include <stdint.h>

struct report_texts;

/* For up to `max` texts. NULL: out of memory, error set. */
struct report_texts *report_texts_new(size_t max, struct error *error);
void report_texts_free(struct report_texts *texts);
/* The number of `text`, which is copied if it is new. False: out of memory, or more than `max`; error set. */
bool report_texts_add(struct report_texts *texts, const char *text, uint32_t *number, struct error *error);
/* Writes an array of strings, in the order of their numbers. */
void report_texts_json(const struct report_texts *texts, const char *key, struct json *json);
