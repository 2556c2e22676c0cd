/* What two recordings began with: files, the device tree with its seeds apart, and the facts of the metadata. */
#include "replay/trace/trace_diff.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const seeds[] = {"kaslr-seed", "rng-seed"};
enum { SEED_COUNT = sizeof(seeds) / sizeof(seeds[0]), TEXT_BYTES = 64 };

static const struct fact {
	const char *name; /* NULL: it is not compared */
	bool is_text;
	enum trace_meta_text text;
	enum trace_meta_number number;
} facts[] = {
#define TRACE_META_TEXT(NAME, key, writer, words)   {.name = words, .is_text = true, .text = TRACE_META_##NAME},
#define TRACE_META_NUMBER(NAME, key, writer, words) {.name = words, .number = TRACE_META_##NAME},
#include "storage/trace_meta.def"
#undef TRACE_META_TEXT
#undef TRACE_META_NUMBER
};

struct pair {
	struct trace_reader *a, *b;
	trace_diff_fn *each;
	void *context;
};

struct file {
	void *data; /* malloc; NULL: the trace has none */
	size_t bytes;
};

static bool file_get(struct trace_reader *trace, const char *name, struct file *file, struct error *error)
{
	*file = (struct file){0};
	return trace_get_file(trace, name, &file->data, &file->bytes, error) != TRACE_FAILED;
}

static bool same(const struct file *a, const struct file *b)
{
	if (!a->data || !b->data)
		return a->data == b->data;
	return a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

static void report_files(const struct pair *pair, const char *name, const struct file *a, const struct file *b)
{
	char texts[2][TEXT_BYTES] = {"none", "none"};
	const struct file *files[] = {a, b};
	for (int i = 0; i < 2; i++) {
		if (files[i]->data)
			snprintf(texts[i], TEXT_BYTES, "%zu bytes", files[i]->bytes);
	}
	bool equal_words = strcmp(texts[0], texts[1]) == 0;
	pair->each(name, equal_words ? NULL : texts[0], equal_words ? NULL : texts[1], pair->context);
}

static bool is_tree(const struct file *file)
{
	return file->data && fdt_check_full(file->data, file->bytes) == 0;
}

static void seed_text(const struct file *tree, const char *seed, char *text, size_t text_bytes)
{
	int bytes = 0, chosen = fdt_path_offset(tree->data, "/chosen");
	const uint8_t *value = chosen >= 0 ? fdt_getprop(tree->data, chosen, seed, &bytes) : NULL;
	snprintf(text, text_bytes, "%s", value ? "" : "none");
	for (size_t i = 0; value && i < (size_t)bytes && i * 2 + 2 < text_bytes; i++)
		snprintf(text + i * 2, 3, "%02x", value[i]);
}

static bool is_seed(const char *name)
{
	for (int i = 0; i < SEED_COUNT; i++) {
		if (strcmp(name, seeds[i]) == 0)
			return true;
	}
	return false;
}

static bool properties_same(const void *a, const void *b, int offset_a, int offset_b)
{
	const char *name_a = NULL, *name_b = NULL;
	int bytes_a = 0, bytes_b = 0;
	const void *value_a = fdt_getprop_by_offset(a, offset_a, &name_a, &bytes_a);
	const void *value_b = fdt_getprop_by_offset(b, offset_b, &name_b, &bytes_b);
	if (!value_a || !value_b || strcmp(name_a, name_b) != 0)
		return false;
	return is_seed(name_a) || (bytes_a == bytes_b && memcmp(value_a, value_b, (size_t)bytes_a) == 0);
}

/* Whether the trees are the same but for seeds. They are compared tag by tag, because libfdt leaves what it likes in
 * the padding between them. */
static bool trees_same(const void *a, const void *b)
{
	int offset_a = 0, offset_b = 0, next_a = 0, next_b = 0;
	for (uint32_t tag = FDT_NOP; tag != FDT_END; offset_a = next_a, offset_b = next_b) {
		tag = fdt_next_tag(a, offset_a, &next_a);
		if (fdt_next_tag(b, offset_b, &next_b) != tag)
			return false;
		if (tag == FDT_PROP && !properties_same(a, b, offset_a, offset_b))
			return false;
		if (tag == FDT_BEGIN_NODE &&
		    strcmp(fdt_get_name(a, offset_a, NULL), fdt_get_name(b, offset_b, NULL)) != 0)
			return false;
	}
	return true;
}

static void trees_compare(const struct pair *pair, const struct file *a, const struct file *b)
{
	char in_a[2 * TEXT_BYTES + 1], in_b[2 * TEXT_BYTES + 1];
	if (!is_tree(a) || !is_tree(b)) {
		report_files(pair, "device tree", a, b);
		return;
	}
	for (int i = 0; i < SEED_COUNT; i++) {
		seed_text(a, seeds[i], in_a, sizeof(in_a));
		seed_text(b, seeds[i], in_b, sizeof(in_b));
		if (strcmp(in_a, in_b) != 0)
			pair->each(seeds[i], in_a, in_b, pair->context);
	}
	if (!trees_same(a->data, b->data))
		report_files(pair, "device tree", a, b);
}

static bool files_compare(const struct pair *pair, const char *name, struct error *error)
{
	struct file a, b = {0};
	bool good = file_get(pair->a, name, &a, error) && file_get(pair->b, name, &b, error);
	if (good && !same(&a, &b)) {
		if (strcmp(name, "dtb") == 0)
			trees_compare(pair, &a, &b);
		else
			report_files(pair, name, &a, &b);
	}
	free(a.data);
	free(b.data);
	return good;
}

/* The fact as words; NULL at TRACE_ABSENT. */
static enum trace_found fact_get(struct trace_reader *trace, const struct fact *fact, char **text, struct error *error)
{
	uint64_t number = 0;
	*text = NULL;
	if (fact->is_text)
		return trace_get_text(trace, fact->text, text, error);
	enum trace_found found = trace_get_u64(trace, fact->number, &number, error);
	if (found == TRACE_FOUND && asprintf(text, "%" PRIu64, number) < 0) {
		*text = NULL;
		error_set(error, STATUS_FAILED, "out of memory");
		found = TRACE_FAILED;
	}
	return found;
}

static bool facts_compare(const struct pair *pair, const struct fact *fact, struct error *error)
{
	char *a = NULL, *b = NULL;
	bool good = fact_get(pair->a, fact, &a, error) != TRACE_FAILED &&
		    fact_get(pair->b, fact, &b, error) != TRACE_FAILED;
	if (good && (a || b) && (!a || !b || strcmp(a, b) != 0))
		pair->each(fact->name, a ? a : "unknown", b ? b : "unknown", pair->context);
	free(a);
	free(b);
	return good;
}

bool trace_diff_inputs(struct trace_reader *a, struct trace_reader *b, trace_diff_fn *each, void *context,
		       struct error *error)
{
	struct pair pair = {a, b, each, context};
	bool good = files_compare(&pair, "kernel", error) && files_compare(&pair, "firmware", error) &&
		    files_compare(&pair, "initrd", error);
	for (size_t i = 0; good && i < sizeof(facts) / sizeof(facts[0]); i++)
		good = !facts[i].name || facts_compare(&pair, &facts[i], error);
	return good && files_compare(&pair, "dtb", error);
}
