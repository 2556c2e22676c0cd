/* A plan is a text with two characters for each value: the field ('0' to '2', or 'k' for the kind) and the comparison
 * ('=', '<', 'l' for <=, '>', 'g' for >=). */
#include "tools/sql/sql_range.h"
#include "replay/trace/event_text.h"
#include "storage/chunk.h"

#include <string.h>

enum {
	PLAN_CHARS_MAX = 64,               /* further constraints are left to sqlite */
	CHUNK_COST = CHUNK_EVENTS_MAX / 8, /* to decode an event is much less than to hand a row to sqlite */
	IN_VERSION = 3038000,              /* the first sqlite with sqlite3_vtab_in */
};

static char comparison(int op)
{
	switch (op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		return '=';
	case SQLITE_INDEX_CONSTRAINT_LT:
		return '<';
	case SQLITE_INDEX_CONSTRAINT_LE:
		return 'l';
	case SQLITE_INDEX_CONSTRAINT_GT:
		return '>';
	case SQLITE_INDEX_CONSTRAINT_GE:
		return 'g';
	default:
		return 0;
	}
}

/* A list of kinds would become one scan for each of them. */
static bool kind_useful(sqlite3_index_info *info, int i)
{
	return sqlite3_libversion_number() >= IN_VERSION && !sqlite3_vtab_in(info, i, -1) &&
	       strcmp(sqlite3_vtab_collation(info, i), "BINARY") == 0;
}

/* The field that column `column` is, -1 being the rowid. SQL_RANGE_FIELD_COUNT: none. */
static int field_of(const struct sql_range_columns *columns, int column)
{
	if (column < 0)
		return (int)columns->rowid;
	int field = SQL_RANGE_EVENT;
	while (field < SQL_RANGE_FIELD_COUNT && columns->fields[field] != column)
		field++;
	return field;
}

/* The first character of constraint `i` in the plan; 0: it is not used. */
static char constraint_letter(sqlite3_index_info *info, int i, const struct sql_range_columns *columns)
{
	const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
	if (!constraint->usable || !comparison(constraint->op))
		return 0;
	if (columns->kind >= 0 && constraint->iColumn == columns->kind)
		return constraint->op == SQLITE_INDEX_CONSTRAINT_EQ && kind_useful(info, i) ? 'k' : 0;
	static const char letters[SQL_RANGE_FIELD_COUNT + 1] = "012"; /* and 0 for no field */
	return letters[field_of(columns, constraint->iColumn)];
}

/* Events are in the order of each of the fields; by event, which has no equals, further terms do not matter. */
static bool ordered(const sqlite3_index_info *info, const struct sql_range_columns *columns)
{
	for (int i = 0; i < info->nOrderBy; i++) {
		int field = field_of(columns, info->aOrderBy[i].iColumn);
		if (field == SQL_RANGE_FIELD_COUNT || info->aOrderBy[i].desc)
			return false;
		if (field == SQL_RANGE_EVENT)
			return true;
	}
	return true;
}

/* Rough, but right in what matters for the order of a join: one event, a few, a part, all. */
static void estimate(sqlite3_index_info *info, const char *plan, uint64_t event_count)
{
	double chunk = event_count < CHUNK_EVENTS_MAX ? (double)event_count / 8 : CHUNK_COST;
	double rows = (double)event_count;
	for (const char *at = plan; *at; at += 2) {
		if (at[0] == '0' + SQL_RANGE_EVENT && at[1] == '=')
			rows = 1;
		else if (at[0] != 'k' && at[1] == '=')
			rows = rows < 4 ? rows : 4;
		else
			rows /= 4;
	}
	info->estimatedRows = rows < 1 ? 1 : (sqlite3_int64)rows;
	info->estimatedCost = chunk + rows;
	if (strstr(plan, "0="))
		info->idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
}

int sql_range_plan(sqlite3_index_info *info, const struct sql_range_columns *columns, uint64_t event_count)
{
	char plan[PLAN_CHARS_MAX + 1];
	int chars = 0;
	for (int i = 0; i < info->nConstraint && chars < PLAN_CHARS_MAX; i++) {
		char letter = constraint_letter(info, i, columns);
		if (!letter)
			continue;
		plan[chars++] = letter;
		plan[chars++] = comparison(info->aConstraint[i].op);
		info->aConstraintUsage[i].argvIndex = chars / 2;
	}
	plan[chars] = 0;
	info->idxStr = sqlite3_mprintf("%s", plan);
	info->needToFreeIdxStr = 1;
	info->orderByConsumed = ordered(info, columns);
	estimate(info, plan, event_count);
	return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

/* A number as the largest integer that is not above it, and whether that is less than it. False: no number. */
static bool whole(sqlite3_value *value, int64_t *integer, bool *fraction)
{
	*fraction = false;
	if (sqlite3_value_type(value) == SQLITE_INTEGER) {
		*integer = sqlite3_value_int64(value);
		return true;
	}
	double real = sqlite3_value_double(value);
	if (sqlite3_value_type(value) != SQLITE_FLOAT || real >= 9.2e18 || real < 0)
		return false;
	*integer = (int64_t)real;
	*fraction = (double)*integer < real;
	return true;
}

static void limit(struct sql_range *range, int field, char op, sqlite3_value *value)
{
	int64_t integer;
	bool fraction;
	/* from 2^63 on SQL's order is not that of events, so a negative limit is none */
	if (!whole(value, &integer, &fraction) || integer < 0)
		return;
	uint64_t first = (uint64_t)integer + (op == '>' || fraction);
	uint64_t last = (uint64_t)integer - (op == '<' && !fraction && integer > 0);
	if ((op == '=' || op == '>' || op == 'g') && first > range->first[field])
		range->first[field] = first;
	if ((op == '=' || op == '<' || op == 'l') && last < range->last[field])
		range->last[field] = last;
}

static int kind_of(sqlite3_value *value)
{
	const char *text = sqlite3_value_type(value) == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
	for (uint16_t kind = 1; text && kind <= EVENT_KIND_MAX; kind++) {
		const char *name = event_text_kind(kind);
		if (name && strcmp(name, text) == 0)
			return kind;
	}
	return 0;
}

void sql_range_get(struct sql_range *range, const char *plan, int value_count, sqlite3_value **values)
{
	*range = (struct sql_range){.last = {UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	for (int i = 0; i < value_count; i++, plan += 2) {
		if (plan[0] == 'k')
			range->kind = kind_of(values[i]);
		else
			limit(range, plan[0] - '0', plan[1], values[i]);
	}
}
