/* The trace of tests/unit/device_sample.h, in a test's own folder. */
#pragma once
#include "tests/unit/device_sample.h"
#include "tests/unit/trace_fixture.h"

static inline struct trace_reader *device_open(void)
{
	struct error error = {0};
	cr_assert(device_write(path, &error), "%s", error.text);
	struct trace_reader *trace = trace_open(path, &error);
	cr_assert(trace, "%s", error.text);
	return trace;
}
