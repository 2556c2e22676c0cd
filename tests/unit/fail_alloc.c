/* Every allocation that can be wrapped goes through fails_now. What is live is kept in a table, because some of it is
 * taken by the C library for us (strdup, asprintf) and given back by our own free. */
#include "tests/unit/fail_alloc.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <lz4hc.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { LIVE_SLOTS = 1 << 16, ROUNDS_MAX = 20000, SQLITE_ROUNDS_ALL = 50 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static bool armed, with_sqlite;
static size_t countdown; /* allocations until the one that fails */
static bool failed;
static void *failed_at[8];     /* the calls that led there */
static void *live[LIVE_SLOTS]; /* open addressing; NULL: free */
static size_t live_count;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_reallocarray(void *old, size_t count, size_t bytes);
void __real_free(void *memory);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t bytes);
FILE *__real_open_memstream(char **text, size_t *bytes);
char *__real_realpath(const char *path, char *resolved);
FILE *__real_fopen(const char *path, const char *mode);
XXH3_state_t *__real_XXH3_createState(void);
XXH_errorcode __real_XXH3_freeState(XXH3_state_t *state);
size_t __real_ZSTD_compress(void *to, size_t room, const void *from, size_t bytes, int level);
size_t __real_ZSTD_decompress(void *to, size_t room, const void *from, size_t bytes);
int __real_LZ4_compress_HC(const char *from, char *to, int bytes, int room, int level);
int __real_inflateInit2_(z_stream *stream, int bits, const char *version, int stream_bytes);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_reallocarray(void *old, size_t count, size_t bytes);
void __wrap_free(void *memory);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t bytes);
int __wrap_asprintf(char **text, const char *format, ...);
FILE *__wrap_open_memstream(char **text, size_t *bytes);
char *__wrap_realpath(const char *path, char *resolved);
FILE *__wrap_fopen(const char *path, const char *mode);
XXH3_state_t *__wrap_XXH3_createState(void);
XXH_errorcode __wrap_XXH3_freeState(XXH3_state_t *state);
size_t __wrap_ZSTD_compress(void *to, size_t room, const void *from, size_t bytes, int level);
size_t __wrap_ZSTD_decompress(void *to, size_t room, const void *from, size_t bytes);
int __wrap_LZ4_compress_HC(const char *from, char *to, int bytes, int room, int level);
int __wrap_inflateInit2_(z_stream *stream, int bits, const char *version, int stream_bytes);

/* ---- counting ---- */

static bool fails_now(void)
{
	pthread_mutex_lock(&mutex);
	bool fails = armed && !failed && --countdown == 0;
	failed |= fails;
	pthread_mutex_unlock(&mutex);
	if (!fails)
		return false;
	memset(failed_at, 0, sizeof(failed_at));
	backtrace(failed_at, sizeof(failed_at) / sizeof(failed_at[0]));
	errno = ENOMEM;
	return true;
}

static size_t slot_of(const void *memory)
{
	size_t slot = (uintptr_t)memory / 16 * 0x9e3779b1U % LIVE_SLOTS;
	while (live[slot] && live[slot] != memory)
		slot = (slot + 1) % LIVE_SLOTS;
	return slot;
}

static void *taken(void *memory)
{
	pthread_mutex_lock(&mutex);
	if (memory && live_count < LIVE_SLOTS / 2) {
		size_t slot = slot_of(memory);
		live_count += live[slot] == NULL;
		live[slot] = memory;
	}
	pthread_mutex_unlock(&mutex);
	return memory;
}

/* What follows in the table must still be found. */
static void given(const void *memory)
{
	pthread_mutex_lock(&mutex);
	size_t slot = slot_of(memory);
	if (memory && live[slot]) {
		live[slot] = NULL;
		live_count--;
		for (size_t next = (slot + 1) % LIVE_SLOTS; live[next]; next = (next + 1) % LIVE_SLOTS) {
			void *moved = live[next];
			live[next] = NULL;
			live[slot_of(moved)] = moved;
		}
	}
	pthread_mutex_unlock(&mutex);
}

/* ---- what our objects call ---- */

void *__wrap_malloc(size_t bytes)
{
	return fails_now() ? NULL : taken(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return fails_now() ? NULL : taken(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *old, size_t bytes)
{
	if (fails_now())
		return NULL;
	given(old);
	return taken(__real_realloc(old, bytes));
}

void *__wrap_reallocarray(void *old, size_t count, size_t bytes)
{
	if (fails_now())
		return NULL;
	given(old);
	return taken(__real_reallocarray(old, count, bytes));
}

void __wrap_free(void *memory)
{
	given(memory);
	__real_free(memory);
}

char *__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : taken(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t bytes)
{
	return fails_now() ? NULL : taken(__real_strndup(text, bytes));
}

/* After a failure *text is undefined (asprintf(3)). */
int __wrap_asprintf(char **text, const char *format, ...)
{
	va_list arguments;
	*text = (char *)(uintptr_t)UINT64_C(0xdead0000dead);
	if (fails_now())
		return -1;
	va_start(arguments, format);
	int length = vasprintf(text, format, arguments);
	va_end(arguments);
	taken(*text);
	return length;
}

FILE *__wrap_open_memstream(char **text, size_t *bytes)
{
	return fails_now() ? NULL : __real_open_memstream(text, bytes);
}

char *__wrap_realpath(const char *path, char *resolved)
{
	return fails_now() ? NULL : taken(__real_realpath(path, resolved));
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	return fails_now() ? NULL : __real_fopen(path, mode);
}

XXH3_state_t *__wrap_XXH3_createState(void)
{
	return fails_now() ? NULL : taken(__real_XXH3_createState());
}

XXH_errorcode __wrap_XXH3_freeState(XXH3_state_t *state)
{
	given(state);
	return __real_XXH3_freeState(state);
}

size_t __wrap_ZSTD_compress(void *to, size_t room, const void *from, size_t bytes, int level)
{
	return fails_now() ? (size_t)-ZSTD_error_memory_allocation : __real_ZSTD_compress(to, room, from, bytes, level);
}

size_t __wrap_ZSTD_decompress(void *to, size_t room, const void *from, size_t bytes)
{
	return fails_now() ? (size_t)-ZSTD_error_memory_allocation : __real_ZSTD_decompress(to, room, from, bytes);
}

int __wrap_LZ4_compress_HC(const char *from, char *to, int bytes, int room, int level)
{
	return fails_now() ? 0 : __real_LZ4_compress_HC(from, to, bytes, room, level);
}

int __wrap_inflateInit2_(z_stream *stream, int bits, const char *version, int stream_bytes)
{
	return fails_now() ? Z_MEM_ERROR : __real_inflateInit2_(stream, bits, version, stream_bytes);
}

/* ---- sqlite ---- */

static sqlite3_mem_methods sqlite_usual;

static void *sqlite_malloc(int bytes)
{
	return with_sqlite && fails_now() ? NULL : sqlite_usual.xMalloc(bytes);
}

static void *sqlite_realloc(void *old, int bytes)
{
	return with_sqlite && fails_now() ? NULL : sqlite_usual.xRealloc(old, bytes);
}

/* Before the first round with sqlite's allocations, where no database is open in this process. */
static void sqlite_take_over(void)
{
	sqlite3_mem_methods ours;
	cr_assert_eq(sqlite3_shutdown(), SQLITE_OK);
	cr_assert_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_usual), SQLITE_OK);
	ours = sqlite_usual;
	ours.xMalloc = sqlite_malloc;
	ours.xRealloc = sqlite_realloc;
	cr_assert_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours), SQLITE_OK);
	cr_assert_eq(sqlite3_initialize(), SQLITE_OK);
}

/* ---- rounds ---- */

static size_t descriptors_count(void)
{
	size_t count = 0;
	DIR *folder = opendir("/proc/self/fd");
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

bool fail_alloc_next(struct fail_alloc *f)
{
	static bool taken_over;
	if (f->sqlite && !taken_over)
		sqlite_take_over();
	taken_over |= f->sqlite;
	if (f->round > 0) {
		cr_assert_eq(live_count, f->live, "round %zu leaves %zd allocations more than there were", f->round,
			     (ssize_t)(live_count - f->live));
		cr_assert(!f->sqlite || (size_t)sqlite3_memory_used() == f->sqlite_bytes,
			  "round %zu leaves %zd bytes of sqlite's", f->round,
			  (ssize_t)sqlite3_memory_used() - (ssize_t)f->sqlite_bytes);
		cr_assert_eq(descriptors_count(), f->descriptors, "round %zu leaves a file descriptor", f->round);
		if (!f->injected)
			return false;
	}
	cr_assert_lt(f->round, (size_t)ROUNDS_MAX, "it does not end");
	f->round += f->sqlite ? 1 + f->round / SQLITE_ROUNDS_ALL : 1;
	f->live = live_count;
	f->sqlite_bytes = (size_t)sqlite3_memory_used();
	f->descriptors = descriptors_count();
	f->error = (struct error){.status = STATUS_OK};
	return true;
}

void fail_alloc_arm(struct fail_alloc *f)
{
	pthread_mutex_lock(&mutex);
	armed = true;
	failed = false;
	with_sqlite = f->sqlite;
	countdown = f->round;
	pthread_mutex_unlock(&mutex);
}

/* Where the allocation failed, for addr2line -e build/unit-tests. */
static const char *place(void)
{
	static char text[1024];
	size_t used = 0;
	char **calls = backtrace_symbols(failed_at, sizeof(failed_at) / sizeof(failed_at[0]));
	for (size_t i = 2; calls && i < sizeof(failed_at) / sizeof(failed_at[0]) && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", calls[i]);
	return text;
}

void fail_alloc_judge(struct fail_alloc *f, bool good)
{
	pthread_mutex_lock(&mutex);
	armed = false;
	f->injected = failed;
	pthread_mutex_unlock(&mutex);
	if (!f->injected)
		cr_assert(good, "it fails where no allocation did: %s", f->error.text);
	if (!good && !f->silent) {
		cr_assert_neq(f->error.status, STATUS_OK, "round %zu: it fails without an error:%s", f->round, place());
		cr_assert_neq(f->error.text[0], 0, "round %zu: it says nothing:%s", f->round, place());
		cr_assert_null(strstr(f->error.text, "damaged"), "round %zu: it says %s:%s", f->round, f->error.text,
			       place());
	}
	if (good && !f->silent)
		cr_assert_eq(f->error.status, STATUS_OK, "round %zu: it succeeds, and says %s:%s", f->round,
			     f->error.text, place());
	cr_assert(!good || !f->injected || f->tolerates,
		  "round %zu: it succeeds without an allocation that it needs:%s", f->round, place());
}
