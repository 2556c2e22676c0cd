/* The way of the most common exit, a device register that is polled, is compiled as one piece, across files; what it
 * seldom needs is kept apart, so that it costs no registers and no branches there. tests/replay/test_exits.py counts
 * the instructions. */
#pragma once

/* All that this function calls is compiled into it, and what that calls in turn, but for what is HV_APART. */
#define HV_WHOLE __attribute__((flatten))
#define HV_APART __attribute__((noinline, cold))
