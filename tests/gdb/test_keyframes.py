"""Travelling in traces with keyframes: from any place that a session begins at, and where the trace itself begins late."""
import session
from session import check, harness, rng, test


def keyframed():
    """A boot with many keyframes."""
    harness.record(*harness.debian("cloud"), "--console", "none", "--keyframe-every", "100ms", "--max-instructions", "700M",
                   status=3)


def snapshot(client, n):
    client.seek(n)
    check(client.n == n, f"seek {n} went to {client.n}")
    return client.registers(), client.memory(client.register(session.rsp.SP) & -4096, 4096)


@test
def a_session_that_begins_anywhere_sees_the_same_guest():
    keyframed()
    places = [rng.randrange(700000000) for _ in range(6)]
    with session.Server() as server, server.client() as client:
        seen = {n: snapshot(client, n) for n in places}
    for at, n in (("end", 700000000), ("start", 0), ("50%", 350000000), ("event 100", None), (str(places[0]), places[0])):
        with session.Server("trace", "--at", at) as server, server.client() as client:
            check(n in (None, client.n), f"--at {at} began at {client.n}")
            for place in rng.sample(places, len(places)):
                check(snapshot(client, place) == seen[place], f"begun at {at}, {place} is not what it was")


@test
def backwards_over_keyframes_finds_what_is_found_forwards():
    keyframed()
    with session.Server("trace", "--at", "end") as server, server.client() as client:
        client.seek("event 25000")
        client.seek(client.n + 2)
        pc = client.pc
        client.insert(session.rsp.HARDWARE, pc)
        client.seek("start")
        forwards, kind = [], None
        while len(forwards) < 20 and kind != "end":
            kind = client.go_on().kind
            forwards.append(client.n)
        backwards = []
        client.seek(forwards[-1])
        while kind != "begin" and len(backwards) < len(forwards):
            kind = client.go_back().kind
            backwards.append(client.n)
        check(backwards[:-1] == forwards[-2::-1][:len(backwards) - 1], f"{backwards} is not {forwards} backwards")


@test
def a_trimmed_trace_is_travelled_from_its_start_to_its_end():
    keyframed()
    harness.check(harness.hvrec("trim", "trace", "-o", "part", "--from", "300M", "--to", "500M").status == 0, "trim")
    with session.Server() as server, server.client() as client:
        whole = {n: snapshot(client, n) for n in (310000000, 400000000, 499000000)}
    with session.Server("part") as server, server.client() as client:
        start, end = client.position()
        check(0 < start <= 300000000 and end >= 500000000, f"the part is {start} to {end}")
        check(client.reverse_step().kind == "begin", "a step before the start")
        text, good = client.monitor("events")
        check(good and "=>" in text, f"events at the start: {text}")
        for n in (400000000, 310000000, 499000000):
            check(snapshot(client, n) == whole[n], f"{n} is not what it was in the whole trace")
        check(client.go_back().kind == "begin" and client.n == start, f"backwards ends at {client.n}, not at {start}")
        check(client.go_on().kind == "end", "forwards does not end at the end")
        text, good = client.monitor(f"seek {start - 1}")
        check(not good and "starts at" in text, f"seek before the start: {text}")
        text, good = client.monitor("verify")
        check(good, f"verify: {text}")


@test
def places_that_are_none_are_refused():
    harness.record(harness.payload("console"))
    for at in ("", "nowhere", "event x", "event 999999", "101%", "999G", "time x"):
        result = harness.hvrec("replay", "trace", "--gdb=unix:s", "--at", at)
        harness.error_line(result, "replay")
    harness.error_line(harness.hvrec("replay", "trace", "--at", "end"), "replay")


if __name__ == "__main__":
    harness.main()
