"""Traces that were recorded once and are kept: each must replay on every later version (tests/golden/README.md)."""
import glob
import os

import harness
from harness import check, hvrec, replay, test

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")


@test
def every_golden_trace_replays_and_verifies():
    traces = sorted(glob.glob(os.path.join(GOLDEN, "*.trace")))
    check(len(traces) >= 5, "the golden traces are not there")
    for trace in traces:
        with open(trace.removesuffix(".trace") + ".console", "rb") as file:
            replay(os.path.abspath(trace), console=file.read())
        for jobs in ("1", "2"):
            result = hvrec("verify", "-j", jobs, os.path.abspath(trace))
            check(result.status == 0 and b"the final state hash agrees" in result.err, f"verify {trace}: {result}")


if __name__ == "__main__":
    harness.main()
