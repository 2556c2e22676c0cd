/* How fuzz_trace.c damages a trace: as bytes without meaning, and as rows whose checksums are made right again. */
#pragma once
#include "tests/fuzz/trace_seeds.h"

/* Room for a mutated file. */
enum { MUTATE_BYTES_MAX = 1 << 18 };

/* Changes 1 to 8 places of data[*bytes], which has room for MUTATE_BYTES_MAX; may cut it short or make it longer.
 * `page_bytes`: where units begin, such as pages; at least 16. */
void trace_mutate_bytes(uint8_t *data, size_t *bytes, size_t page_bytes);

/* Makes the salts and checksums of a -wal with pages of `page_bytes` right again, so that sqlite takes its frames. */
void trace_mutate_wal_seal(uint8_t *wal, size_t bytes, size_t page_bytes);

/* Makes changes to seed->db and writes it as a file into `data`, which has room for MUTATE_BYTES_MAX. Returns its
 * bytes. The seed is afterwards as it was before. */
typedef void trace_mutate_fn(struct seed *seed);
size_t trace_mutate_db(struct seed *seed, trace_mutate_fn *change, uint8_t *data);

/* Changes one or two rows of any table; of keyframes and page groups, or of what devices brought, if the seed has such.
 */
void trace_mutate_rows(struct seed *seed);
void trace_mutate_keyframes(struct seed *seed);
void trace_mutate_devices(struct seed *seed);

/* A number at some limit, or any. */
uint64_t trace_mutate_number(void);

/* Runs `sql` with a value of any type for ?1 and a number below 16 for ?2; what sqlite refuses leaves the row as it is.
 */
void trace_mutate_value(sqlite3 *db, const char *sql);

/* Runs `sql` with numbers for ?1 on, and blobs behind them. */
void trace_mutate_put(sqlite3 *db, const char *sql, const uint64_t *numbers, int number_count,
		      const struct trace_bytes *blobs, int blob_count);
