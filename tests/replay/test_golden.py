"""Traces that were recorded once and are kept: each must replay on every later version (tests/golden/README.md)."""
import glob
import os

import harness
from harness import check, replay, test

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")


@test
def every_golden_trace_replays():
    traces = sorted(glob.glob(os.path.join(GOLDEN, "*.trace")))
    check(len(traces) >= 2, "the golden traces are not there")
    for trace in traces:
        with open(trace.removesuffix(".trace") + ".console", "rb") as file:
            replay(os.path.abspath(trace), console=file.read())


if __name__ == "__main__":
    harness.main()
