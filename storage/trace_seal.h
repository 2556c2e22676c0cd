/* The seal: a checksum over all metadata and the table of files, in the metadata's own TRACE_META_CHECKSUM. Contents,
 * events, keyframes and pages have checksums of their own. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sealing, item by item: metadata by ascending keys, without the seal itself, then files by ascending names. */
struct trace_sealing;

/* NULL: out of memory. */
struct trace_sealing *trace_sealing_begin(void);
/* `type` is sqlite's (SQLITE_TEXT, SQLITE_INTEGER); of an integer the value are its 8 bytes, little-endian. */
void trace_sealing_add(struct trace_sealing *sealing, const char *name, int type, const void *value, size_t bytes);
uint64_t trace_sealing_end(struct trace_sealing *sealing);

struct trace_seal {
	uint64_t computed, stored;
	bool empty;  /* there is nothing to seal, as in a trace that was just created */
	bool sealed; /* `stored` is there */
	bool wrong;  /* rows that no trace has */
};

/* Computes the seal of the trace in `db`, and reads the one that it has. `limited`: under trace_limit_set's bound. Two
 * statements: what is committed between them makes the two differ. Returns sqlite's result code. */
int trace_seal_read(sqlite3 *db, bool limited, struct trace_seal *seal);
bool trace_seal_holds(const struct trace_seal *seal);

/* Puts the right seal. Returns sqlite's result code. */
int trace_seal_write(sqlite3 *db);
