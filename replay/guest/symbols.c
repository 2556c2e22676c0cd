/* The growing list of symbols, and the System.map reader. */
#include "replay/guest/symbols.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The larger buffer, or NULL; `room` counts elements of `element_bytes`. */
static void *grown(void *old, size_t needed, size_t *room, size_t element_bytes)
{
	size_t larger = *room * 2 > needed ? *room * 2 : needed + 64;
	void *data = reallocarray(old, larger, element_bytes);
	if (data)
		*room = larger;
	return data;
}

static bool room_make(struct symbols *symbols, size_t name_bytes)
{
	size_t names_needed = symbols->names_bytes + name_bytes + 2;
	if (symbols->count == symbols->room) {
		void *at = grown(symbols->at, symbols->count + 1, &symbols->room, sizeof(*symbols->at));
		if (!at)
			return false;
		symbols->at = at;
	}
	if (names_needed > symbols->names_room) {
		void *names = grown(symbols->names, names_needed, &symbols->names_room, 1);
		if (!names)
			return false;
		symbols->names = names;
	}
	return names_needed <= UINT32_MAX;
}

bool symbols_add(struct symbols *symbols, uint64_t va, char type, const char *name, size_t name_bytes,
		 struct error *error)
{
	if (name_bytes > SYMBOLS_NAME_BYTES_MAX)
		return error_set(error, STATUS_FAILED, "a symbol's name has %zu bytes: the table is damaged",
				 name_bytes);
	if (!room_make(symbols, name_bytes))
		return error_set(error, STATUS_FAILED, "out of memory for %zu symbols", symbols->count);
	if (symbols->names_bytes == 0)
		symbols->names[symbols->names_bytes++] = 0;
	symbols->at[symbols->count++] = (struct symbol){.va = va, .name = (uint32_t)symbols->names_bytes, .type = type};
	memcpy(symbols->names + symbols->names_bytes, name, name_bytes);
	symbols->names_bytes += name_bytes;
	symbols->names[symbols->names_bytes++] = 0;
	return true;
}

/* Names were appended in order, so their offsets make the sort a stable one. */
static int by_address(const void *left, const void *right)
{
	const struct symbol *a = left, *b = right;
	if (a->va != b->va)
		return a->va < b->va ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

void symbols_sort(struct symbols *symbols)
{
	if (symbols->count > 1)
		qsort(symbols->at, symbols->count, sizeof(*symbols->at), by_address);
}

static bool line_parse(const char *line, uint64_t *address, char *type, const char **name, size_t *name_bytes)
{
	char *end;
	size_t digits = strspn(line, "0123456789abcdefABCDEF");
	if (digits == 0 || digits > 16)
		return false;
	*address = strtoull(line, &end, 16);
	if (end[0] != ' ' || end[1] <= ' ' || end[2] != ' ')
		return false;
	*type = end[1];
	*name = end + 3;
	*name_bytes = strcspn(*name, " \t\r\n");
	return *name_bytes > 0;
}

bool symbols_add_system_map(struct symbols *symbols, const char *text, uint64_t text_va, const char *path,
			    struct error *error)
{
	size_t first = symbols->count;
	uint64_t linked_va = 0, address;
	bool anchored = false;
	unsigned line = 1;
	char type;
	const char *name;
	size_t name_bytes;
	for (const char *at = text; *at; line++) {
		if (!line_parse(at, &address, &type, &name, &name_bytes))
			return error_set(error, STATUS_FAILED,
					 "%s: line %u is not `ADDRESS TYPE NAME`: not a System.map", path, line);
		if (!symbols_add(symbols, address, type, name, name_bytes, error))
			return false;
		if (name_bytes == 5 && memcmp(name, "_text", 5) == 0) {
			linked_va = address;
			anchored = true;
		}
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	if (!anchored)
		return error_set(error, STATUS_FAILED, "%s has no symbol _text: not a kernel's System.map", path);
	for (size_t i = first; i < symbols->count; i++) {
		if (!strchr("aA", symbols->at[i].type))
			symbols->at[i].va += text_va - linked_va;
	}
	return true;
}

void symbols_free(struct symbols *symbols)
{
	free(symbols->at);
	free(symbols->names);
	*symbols = (struct symbols){0};
}
