/* Which conditions a target that decides them itself is given: those of one breakpoint or watchpoint, or none. */
#include "gdbstub/gdb_breakpoints.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static bool insert(void *context, const struct target_breakpoint *at)
{
	(void)context;
	(void)at;
	return true;
}

static void remove_it(void *context, const struct target_breakpoint *at)
{
	(void)context;
	(void)at;
}

static const struct target_ops ops = {.breakpoint_insert = insert, .breakpoint_remove = remove_it};
static struct gdb_breakpoints breakpoints;

static void add(enum target_break_kind kind, uint64_t address, uint64_t bytes, const char *text)
{
	struct target_breakpoint at = {kind, {address}, bytes};
	uint8_t *conditions = text ? (uint8_t *)strdup(text) : NULL;
	cr_assert(gdb_breakpoints_insert(&breakpoints, &ops, NULL, &at, conditions, text ? strlen(text) : 0));
}

static void expect(enum target_break_kind kind, uint64_t address, const char *text)
{
	size_t bytes = 77;
	const uint8_t *found = gdb_breakpoints_conditions(&breakpoints, kind, address, &bytes);
	cr_assert_eq(found != NULL, text != NULL, "%llx", (unsigned long long)address);
	if (text)
		cr_assert(bytes == strlen(text) && memcmp(found, text, bytes) == 0, "%llx",
			  (unsigned long long)address);
}

static void clear(void)
{
	gdb_breakpoints_clear(&breakpoints, &ops, NULL);
}

TestSuite(gdb_breakpoints, .fini = clear);

Test(gdb_breakpoints, a_breakpoint_has_its_own_conditions)
{
	add(TARGET_BREAK_SOFTWARE, 0x1000, 4, "one");
	add(TARGET_BREAK_HARDWARE, 0x1000, 4, NULL);
	add(TARGET_BREAK_SOFTWARE, 0x1004, 4, "two");
	expect(TARGET_BREAK_SOFTWARE, 0x1000, "one");
	expect(TARGET_BREAK_HARDWARE, 0x1000, NULL);
	expect(TARGET_BREAK_SOFTWARE, 0x1004, "two");
	expect(TARGET_BREAK_SOFTWARE, 0x1002, NULL);
	add(TARGET_BREAK_SOFTWARE, 0x1000, 4, "new");
	expect(TARGET_BREAK_SOFTWARE, 0x1000, "new");
	add(TARGET_BREAK_SOFTWARE, 0x1000, 4, NULL);
	expect(TARGET_BREAK_SOFTWARE, 0x1000, NULL);
}

/* Where two are, whichever of them wants the stop gets it, so neither may be passed over for the other. */
Test(gdb_breakpoints, watched_ranges_that_overlap_have_none)
{
	add(TARGET_WATCH_WRITE, 0x2000, 16, "one");
	add(TARGET_WATCH_WRITE, 0x2008, 16, "two");
	add(TARGET_WATCH_READ, 0x2000, 8, NULL);
	expect(TARGET_WATCH_WRITE, 0x2007, "one");
	expect(TARGET_WATCH_WRITE, 0x2008, NULL);
	expect(TARGET_WATCH_WRITE, 0x2010, "two");
	expect(TARGET_WATCH_WRITE, 0x2018, NULL);
	expect(TARGET_WATCH_READ, 0x2000, NULL);
}
