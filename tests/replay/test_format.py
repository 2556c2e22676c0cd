"""docs/TRACE-FORMAT.md is enough to read traces of every version: a reader that knows nothing else finds what hvrec
finds in them."""
import glob
import json
import os

import harness
import trace_decode
from harness import check, hvrec, payload, record, test


def agree(path):
    try:
        trace = trace_decode.Trace(path)
    except (AssertionError, LookupError) as why:
        raise harness.Failed(f"{path} does not follow docs/TRACE-FORMAT.md: {why!r}") from None
    result = hvrec("events", path, "--format", "json")
    check(result.status == 0, f"events {path}: {result}")
    rows = [json.loads(line) for line in result.out.splitlines()]
    check(len(rows) == len(trace.events), f"{path}: {len(trace.events)} events, and hvrec has {len(rows)}")
    for index, (row, event) in enumerate(zip(rows, trace.events), trace.first_event):
        told = (row["event"], row["n"], row["guest_ns"], row["vcpu"], row["kind_id"],
                *(int(row[name], 16) for name in ("pc", "address", "value")), row["size"])
        check(told == (index, *event), f"{path}: hvrec tells {told}, and the file has {(index, *event)}")
    return trace


@test
def golden_traces_follow_the_document():
    versions = {agree(path).version for path in
                glob.glob(os.path.join(harness.TOP, "tests", "golden", "*.trace"))}
    check(versions == {1, 2, 3}, f"versions {versions}")


@test
def new_traces_follow_the_document():
    record("--memory", "16M", "--console", "none", "--keyframe-every", "1ms", payload("timer_physical"))
    check(len(agree("trace").events) > 2 * 65536, "timer_physical has less than three chunks")
    record("--memory", "16M", "--console", "none", payload("wfi"))
    check(any(event[3] == trace_decode.IDLE for event in agree("trace").events), "wfi does not idle")


@test
def parts_and_repaired_traces_follow_the_document():
    whole = os.path.join(harness.TOP, "tests", "golden", "v2-m1-timer_start_n.trace")
    start_n = agree(whole).keyframes[1][0]
    check(hvrec("trim", whole, "-o", "part", "--from", str(start_n)).status == 0, "trim")
    check(hvrec("repair", "part", "-o", "repaired").status == 0, "repair")
    part, repaired = agree("part"), agree("repaired")
    check(part.keyframes[0][0] == start_n and part.first_event == part.keyframes[0][1], "the part starts elsewhere")
    check((part.events, part.keyframes, part.files) == (repaired.events, repaired.keyframes, repaired.files),
          "the repaired part is another one")


@test
def debian_follows_the_document():
    record(*harness.debian("cloud"), "--console", "none", "--keyframe-every", "100ms")
    agree("trace")


if __name__ == "__main__":
    harness.main()
