"""Random walks in a guest that does everything in random order (tests/guest/chaos.c), across its events: where a step, a
step back and a seek from elsewhere come to the same position, they find one guest.

A vector may share its position with the place before, so only places where a seek comes to the same pc are compared.
"""
import contextlib
import os
import shutil
import time

import session
from session import SOAK, check, harness, rng, test

TRACES, PLACES = (30, 40) if SOAK else (2, 12)
TURNS = (300, 900)
SYSREG_READ, INPUT = 4, 11  # kinds of events


def recorded():
    """A trace with input at random moments. Returns its events."""
    arguments = ["--keyframe-every", rng.choice(("none", "2ms")), harness.payload("chaos"), str(rng.randrange(10 ** 9)),
                 str(rng.choice(TURNS))]
    process = harness.start("record", "-o", "trace", "--quiet", "--input", "-", *arguments,
                            stdin=session.subprocess.PIPE)
    with contextlib.suppress(BrokenPipeError):  # it ends by itself
        while process.poll() is None:
            os.write(process.stdin.fileno(), b"k")
            time.sleep(0.0005)
    result = harness.finish(process)
    check(result.status == 0, f"record: {result}")
    return harness.events("trace")


def here(client):
    text, good = client.monitor("hash")
    check(good, f"hash: {text}")
    return client.n, client.pc, client.registers(), text.lstrip(".")


def steps(client, n):
    """Some steps on from `n`, and as many back. Returns the places."""
    client.seek(n)
    path = [here(client)]
    for _ in range(rng.randrange(1, 7)):
        if client.step().kind == "end":
            break
        path.append(here(client))
    for place in reversed(path[:-1]):
        client.reverse_step()
        check(here(client) == place, f"from {path[-1][0]} back to {client.n}, {client.pc:#x}: another guest than at "
              f"{place[0]}, {place[1]:#x}")
    return path


def near_events(events):
    """Positions at and right before events, each kind as often as any other."""
    kinds = {}
    for event in events:
        kinds.setdefault(event.kind, []).append(event)
    for _ in range(PLACES):
        event = rng.choice(kinds[rng.choice(list(kinds))])
        yield max(event.n - rng.randrange(4), 0)


def compare(client, places):
    """Seeks each place again, in another order."""
    found = 0
    rng.shuffle(places)
    for place in places:
        client.seek(place[0])
        if client.pc == place[1]:
            check(here(client) == place, f"at {place[0]} a seek finds another guest than a step")
            found += 1
    check(found > len(places) // 2, f"only {found} of {len(places)} places were compared")


@test
def a_walk_across_events_meets_one_guest_at_each_position():
    for _ in range(TRACES):
        events, places = recorded(), []
        with session.Server("trace", "--at", "start") as server, server.client() as client:
            client.expect_ok("Qqemu.sstep=1")  # into interrupts too
            for n in near_events(events):
                places += steps(client, n)
        with session.Server("trace", "--at", f"{rng.randrange(100)}%") as server, server.client() as client:
            compare(client, places)
            text, good = client.monitor("verify")
            check(good, f"verify: {text}")


@test
def steps_back_pass_a_read_that_was_over_counted():
    """Of a debug register: op0 is 2 (Arm ARM D17.1)."""
    reads = [event.n for event in recorded() if event.kind == SYSREG_READ and event.address >> 14 == 2]
    check(reads, "the guest read no debug register")
    with session.Server("trace", "--at", "start") as server, server.client() as client:
        client.expect_ok("Qqemu.sstep=1")
        for n in reads:
            client.seek(n - 3)
            start = here(client)
            while client.n <= n:
                client.step()
            for _ in range(n):
                if client.n <= start[0]:
                    break
                before = client.n
                client.reverse_step()
                check(client.n < before, f"a step back from {before} to {client.n}")
            check(here(client) == start, f"back at {start[0]} another guest than before")


@test
def a_trace_that_begins_with_input_can_be_travelled():
    """Recorded before input waited until the guest asks for it."""
    shutil.copy(os.path.join(harness.TOP, "tests", "golden", "v3-m1-input_first.trace"), "trace")
    first = harness.events("trace")[0]
    check(first.kind == INPUT and first.n == 0, "no input came before the first instruction")
    with session.Server("trace", "--at", "start") as server, server.client() as client:
        start = here(client)
        client.seek(1000)
        client.seek(0)
        check(here(client) == start, "position 0 is another guest the second time")


if __name__ == "__main__":
    harness.main()
