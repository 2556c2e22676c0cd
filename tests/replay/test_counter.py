"""A guest that polls CNTPCT_EL0: what is in the trace of it, and that a replay from anywhere comes to the same."""
import json

import harness
from harness import SOAK, check, hvrec, payload, record, replay, rng, test

STORED_BYTES_MAX = 1000


def info(trace="trace"):
    return json.loads(hvrec("info", trace, "--json").out)


@test
def polling_leaves_nothing_in_the_trace():
    console = record(payload("counter_wait"), "--keyframe-every", "none").out
    events = harness.events("trace")
    check(events[-1].n > 20000000, f"the wait took {events[-1].n} instructions")
    first, last = events[0], events[-1]
    check(len(events) < 100, f"{len(events)} events, from {first} to {last}")
    check(info()["stored_bytes"] < STORED_BYTES_MAX, f"{info()['stored_bytes']} bytes of events")
    replay(console=console)


@test
def the_counter_is_exact_before_and_after_its_read_is_replaced():
    console = record(payload("counter_polled")).out
    check(b"counter_polled: a tick every 16 instructions\n" in console, f"console {console!r}")
    replay(console=console)


@test
def a_trace_that_starts_among_replaced_reads_replays():
    for _ in range(20):
        record("--keyframe-every", "1ms", payload("counter_polled"))
        if info()["keyframe_count"] > 0:
            break
    else:
        raise harness.Skipped("counter_polled is over too soon for a keyframe")
    length = harness.events("trace")[-1].n
    for _ in range(20 if SOAK else 3):
        first = rng.randrange(length // 2, length)
        check(hvrec("trim", "trace", "-o", "part", "--from", str(first)).status == 0, f"trim --from {first}")
        replay("part")
        check(hvrec("verify", "part").status == 0, f"verify of the part from {first}", "part")


if __name__ == "__main__":
    harness.main()
