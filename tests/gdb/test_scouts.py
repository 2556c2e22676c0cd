"""Long searches, which several machines share: they find what one machine finds, whatever happens on the way."""
import os
import signal
import time

import rsp
import session
from session import SOAK, check, harness, rng, test

SEARCHES, HITS = (40, 6) if SOAK else (3, 2)


def recorded():
    """A boot with so many keyframes that each search is divided."""
    path = os.path.join(os.environ["TEST_FOLDER"], "scouts.trace")
    if not os.path.exists(path):
        harness.record(*harness.debian("cloud"), "--console", "none", "--keyframe-every", "50ms",
                       "--max-instructions", "600M", status=3, trace=path)
    return path


def machines():
    """The machines that run, eldest first."""
    return sorted(pid for pid, command in harness.strays().items() if "-icount" in command)


def wait_for_machines(count, seconds=300):
    end = time.monotonic() + seconds
    while len(machines()) < count:
        check(time.monotonic() < end, f"{len(machines())} machines, not {count}")
        time.sleep(0.02)


def rare_points(client, end):
    """Code that was executed somewhere, and data that was used there: some of it hardly ever again."""
    points = []
    for _ in range(rng.choice((1, 3, 8))):
        client.seek(rng.randrange(end))
        points.append((rsp.HARDWARE, client.pc, 4))
        stack = client.register(rsp.SP) & -8
        if rng.random() < 0.3:
            points.append((rsp.WATCH, stack, 8))
    return points


def hits(client, points, start, back):
    """The first hits from `start` on, or back."""
    client.seek(start)
    found = []
    for point in points:
        client.insert(*point)
    while len(found) < HITS:
        stop = client.go_back() if back else client.go_on()
        found.append((stop.kind, client.n, client.pc))
        if stop.kind in ("begin", "end"):
            break
    for point in points:
        client.remove(*point)
    return found


@test
def several_machines_find_what_one_finds():
    trace = recorded()
    with session.Server(trace, "-j", "1") as server, server.client() as client:
        end = client.position()[1]
        wanted = []
        for _ in range(SEARCHES):
            points, back = rare_points(client, end), rng.random() < 0.5
            start = rng.choice((end if back else 0, rng.randrange(end)))
            wanted.append((points, start, back, hits(client, points, start, back)))
        check(len(machines()) == 1, f"-j 1: {len(machines())} machines")
    for jobs in (2, 3):
        with session.Server(trace, "--jobs", str(jobs)) as server, server.client() as client:
            client.seek("end")
            check(client.go_back().kind == "begin" and client.n == 0, "no point at all, and the start is not reached")
            wait_for_machines(jobs)
            check(client.go_on().kind == "end" and client.n == end, "no point at all, and the end is not reached")
            for points, start, back, expected in rng.sample(wanted, len(wanted)):
                found = hits(client, points, start, back)
                check(found == expected, f"-j {jobs}: {'back' if back else 'on'} from {start} with {points}: {found}, "
                      f"alone {expected}")


@test
def an_interrupted_search_loses_no_hit():
    trace = recorded()
    with session.Server(trace, "-j", "2") as server, server.client() as client:
        end = client.position()[1]
        client.seek(int(end * 0.97))
        point, there = (rsp.HARDWARE, client.pc, 4), client.n
        expected = hits(client, [point], 0, False)[:2]
        client.seek(0)
        client.insert(*point)
        found, places = [], [0]
        while len(found) < len(expected):
            stop = client.resume("vCont;c", rng.uniform(0, 1.5))
            places.append(client.n)
            if stop.kind in ("hwbreak", "end"):
                found.append((stop.kind, client.n, client.pc))
            check(places[-2] <= places[-1] <= expected[len(found) - 1 if found else 0][1] or found == expected,
                  f"interrupted at {places}, hits {expected}")
        check(found == expected, f"interrupted at {places}: {found}, not interrupted {expected}")
        # backwards an interrupt leaves it where it was
        client.remove(*point)
        client.seek("end")
        client.resume("bc", rng.uniform(0.3, 1))
        check(client.n in (0, end), f"interrupted backwards it is at {client.n}, neither {end} nor the start")
        client.seek("end")
        client.insert(*point)
        check(client.go_back().kind == "hwbreak" and client.n >= there, f"backwards a hit at {client.n}, not {there}")


@test
def a_scout_that_dies_leaves_its_part_to_others():
    with session.Server(recorded(), "-j", "2") as server, server.client() as client:
        end = client.position()[1]
        for turn in range(2):
            client.seek("end")
            client.send("bc")
            if turn == 0:
                wait_for_machines(2)
                time.sleep(rng.uniform(0, 1))
                os.kill(machines()[-1], signal.SIGKILL)
            check(client.wait_stop().kind == "begin" and client.n == 0, f"back from {end} to {client.n}")
            check(client.go_on().kind == "end" and client.n == end, f"on from 0 to {client.n}")


@test
def a_trace_recorded_anew_is_not_searched():
    """Who has the old one open goes on with it."""
    def last_hits():
        found = []
        for percent in (2, 8, 14):
            client.seek(f"{percent}%")
            found += hits(client, [(rsp.HARDWARE, client.pc, 4)], "end", True)
        return found

    with session.Server(recorded(), "-j", "1") as server, server.client() as client:
        expected = last_hits()
    os.link(recorded(), "trace")
    with session.Server("trace", "-j", "2") as server, server.client() as client:
        harness.record(harness.payload("console"))
        found = last_hits()
        check(found == expected, f"{found}, before {expected}")


@test
def bad_numbers_of_machines_are_refused():
    harness.record(harness.payload("console"))
    for value in ("0", "-1", "65", "x", ""):
        line = harness.error_line(harness.hvrec("replay", "trace", "--gdb=unix:s", "--jobs", value), "replay")
        check("--jobs" in line, line)
        line = harness.error_line(harness.hvrec("debug", "trace", "--jobs", value), "debug")
        check("--jobs" in line, line)
    harness.error_line(harness.hvrec("replay", "trace", "-j", "2"), "replay")


if __name__ == "__main__":
    harness.main()
