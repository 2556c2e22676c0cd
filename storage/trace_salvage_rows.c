/* The rows of the tables of devices, all of one form: a key, further numbers, a checksum over them and the data, the
 * data. Which table a row is of, its number of columns says: a page group has as many as a row of payloads, but two
 * blobs. */
#include "storage/trace_salvage.h"

#include <errno.h>
#include <stdlib.h>

static const size_t number_counts[TRACE_SALVAGE_TABLE_COUNT] = {
	[TRACE_SALVAGE_BLOCK_GROUPS] = 2, [TRACE_SALVAGE_VERSIONS] = 3, [TRACE_SALVAGE_PAYLOADS] = 4};

/* The row's numbers, its checksum behind them. False: it is none of a device's. */
static bool numbers_get(const struct trace_record *record, size_t count, uint64_t *numbers)
{
	if (!record->has_rowid || record->column_count != count + 2 || record->columns[0].type != TRACE_COLUMN_NULL ||
	    record->columns[count + 1].type != TRACE_COLUMN_BLOB)
		return false;
	numbers[0] = (uint64_t)record->rowid;
	for (size_t i = 1; i <= count; i++) {
		if (record->columns[i].type != TRACE_COLUMN_INTEGER)
			return false;
		numbers[i] = (uint64_t)record->columns[i].integer;
	}
	return true;
}

static bool row_add(struct trace_salvage *s, struct trace_salvage_rows *rows, const struct trace_salvage_row *row)
{
	if ((rows->count & (rows->count - 1)) == 0) { /* full at each power of two */
		struct trace_salvage_row *larger =
			realloc(rows->at, (rows->count == 0 ? 1 : rows->count * 2) * sizeof(*larger));
		s->no_memory |= !larger;
		if (!larger)
			return false;
		rows->at = larger;
	}
	rows->at[rows->count++] = *row;
	return true;
}

bool trace_salvage_rows_take(struct trace_salvage *s, struct trace_cell cell, bool *taken)
{
	for (size_t table = 0; table < TRACE_SALVAGE_TABLE_COUNT; table++) {
		size_t count = number_counts[table];
		uint64_t numbers[TRACE_SALVAGE_NUMBERS_MAX + 1];
		if (!numbers_get(&s->record, count, numbers))
			continue;
		const struct trace_column *data = &s->record.columns[count + 1];
		struct trace_bytes bytes = {data->bytes, data->byte_count};
		struct trace_salvage_row row = {.cell = cell};
		for (size_t i = 0; i < count; i++)
			row.numbers[i] = numbers[i];
		row.sound = trace_row_checksum(numbers, count, bytes) == numbers[count];
		*taken = row_add(s, &s->rows[table], &row);
		return *taken;
	}
	return true;
}

static int row_compare(const void *a, const void *b)
{
	const struct trace_salvage_row *x = a, *y = b;
	if (x->numbers[0] != y->numbers[0])
		return x->numbers[0] < y->numbers[0] ? -1 : 1;
	if (x->sound != y->sound)
		return y->sound - x->sound;
	return x->numbers[1] > y->numbers[1] ? -1 : x->numbers[1] < y->numbers[1];
}

void trace_salvage_rows_sort(struct trace_salvage *s)
{
	for (size_t table = 0; table < TRACE_SALVAGE_TABLE_COUNT; table++) {
		struct trace_salvage_rows *rows = &s->rows[table];
		if (rows->count > 0)
			qsort(rows->at, rows->count, sizeof(*rows->at), row_compare);
	}
}

uint8_t *trace_salvage_row_raw(struct trace_salvage *s, const struct trace_salvage_row *row, uint64_t raw_bytes,
			       uint64_t raw_bytes_max)
{
	if (!trace_salvage_record(s, row->cell) || s->record.column_count < 2)
		return NULL;
	const struct trace_column *data = &s->record.columns[s->record.column_count - 1];
	uint8_t *raw = trace_zstd_decompress(data->bytes, data->byte_count, raw_bytes, raw_bytes_max);
	s->no_memory |= !raw && errno == ENOMEM;
	return raw;
}
