/* The rows on a page, read without sqlite and without the tree above it, so that a row is found though the way to it is
 * lost. Which table a row is of is for the caller to see. Nothing is trusted.
 * Source: https://www.sqlite.org/fileformat2.html, sections 1.6 and 2.1. */
#pragma once
#include "storage/trace_pages.h"

enum { TRACE_RECORD_COLUMNS_MAX = 8 };

enum trace_column_type {
	TRACE_COLUMN_NULL,
	TRACE_COLUMN_INTEGER,
	TRACE_COLUMN_REAL,
	TRACE_COLUMN_TEXT,
	TRACE_COLUMN_BLOB
};

struct trace_column {
	enum trace_column_type type;
	int64_t integer;
	const uint8_t *bytes; /* of TEXT and BLOB; into the record's payload */
	size_t byte_count;
};

/* Where a row is. */
struct trace_cell {
	uint32_t page;
	uint16_t index;
};

struct trace_record {
	bool has_rowid; /* else it is a row of a table without, or of an index */
	int64_t rowid;
	size_t column_count;
	struct trace_column columns[TRACE_RECORD_COLUMNS_MAX];
	uint8_t *payload; /* malloc, reused from record to record */
	size_t payload_room;
};

/* How many rows the page may hold; 0 if it is no page of rows. */
uint16_t trace_records_count(struct trace_pages *pages, uint32_t page);

/* Reads the row into *record, which starts as zeroes. False: there is none, it is damaged, it has more columns than
 * any of a trace, or there is no memory for it (errno is ENOMEM then). */
bool trace_records_get(struct trace_pages *pages, struct trace_cell cell, struct trace_record *record);

/* Frees what a record holds. */
void trace_record_free(struct trace_record *record);
