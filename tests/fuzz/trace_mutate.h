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

/* Changes rows of seed->db and writes it as a file into `data`, which has room for MUTATE_BYTES_MAX. Returns its bytes.
 * The seed is afterwards as it was before. */
size_t trace_mutate_rows(struct seed *seed, uint8_t *data);
