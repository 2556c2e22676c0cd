"""Exclusive sequences on which the guest's own debug events are, masked: gdb sees what was recorded, and the guest takes
no notice, whether its events come to hv on the way or had to make room for gdb's points."""
import rsp
import session
from points import Points, hits
from session import check, harness, test

EXIT = 9  # the number of EVENT_EXIT
NOWHERE = 0x12350000
WORDS = 0x40601000  # the doublewords of debug_exclusive.c
STATUS = 2  # its status register
HITS = 24
STEPS = 12


def exits():
    return {event.n for event in harness.events("trace") if event.kind == EXIT}


@test
def masked_events_are_not_missed_where_they_make_room_for_gdbs_points():
    """With six breakpoints and four watchpoints there is no room for the guest's. Up to the interrupts, and to the end
    without them."""
    storm = session.symbols("debug_exclusive")["gic_init"]
    with session.served("debug_exclusive") as server, server.client() as client:
        reached = []
        for count in (0, 5):
            points = Points(client, [storm] + [NOWHERE + 4 * i for i in range(count)],
                            [(rsp.AWATCH, NOWHERE + 0x100 + 8 * i, 8) for i in range(4 if count else 0)])
            client.seek("start")
            stop = client.go_on()
            check(stop.kind == "swbreak" and client.pc == storm, f"{stop} at {client.n}, with {count} more breakpoints")
            reached.append((client.n, client.registers()))
            points.clear()
        check(reached[0] == reached[1], "the guest comes to its interrupts in another way")
        check(client.go_on().kind == "end" and client.n == harness.events("trace")[-1].n, f"the end is at {client.n}")


def state(client):
    return client.n, client.registers(), client.u64(WORDS)


@test
def steps_through_masked_sequences_show_what_happened():
    names = session.symbols("debug_exclusive")
    load, store = names["add_doubleword_load"], names["add_doubleword_store"]
    with session.served("debug_exclusive") as server, server.client() as client:
        recorded, succeeded = exits(), 0
        client.insert(rsp.SOFTWARE, load)
        for turn in range(HITS):
            check(client.go_on().kind == "swbreak" and client.pc == load, f"turn {turn}: at {client.pc:#x}")
            visited = [state(client)]
            while client.pc != store + 4 and len(visited) < STEPS:
                client.step()
                visited.append(state(client))
            if client.pc == store + 4:
                failed = client.register(STATUS)
                check(not failed or recorded & set(range(visited[0][0], client.n + 1)),
                      f"turn {turn}: the store failed at {client.n}")
                check(visited[-1][2] - visited[0][2] == (0 if failed else 1), f"turn {turn}: the sum is {visited[-1][2]}")
                succeeded += not failed
            for expected in reversed(visited[:-1]):
                client.reverse_step()
                check(state(client) == expected, f"turn {turn}: backwards, not at {expected[0]}")
        check(succeeded >= HITS - 2, f"{succeeded} stores in {HITS} turns")


@test
def points_of_gdb_on_masked_sequences_are_hit():
    """Where the guest has its own, and where it has none: the same hits forwards and backwards."""
    names = session.symbols("debug_exclusive")
    places = [names["add_byte_" + part] for part in ("load", "between", "store")]
    with session.served("debug_exclusive") as server, server.client() as client:
        client.insert(rsp.SOFTWARE, places[0])
        check(client.go_on().kind == "swbreak", "the sequence is not reached")
        client.remove(rsp.SOFTWARE, places[0])
        start = client.n - 1
        for watchpoints in ([], [(rsp.WATCH, WORDS, 1)], [(rsp.AWATCH, WORDS, 1)]):
            client.seek(start)
            points = Points(client, places, watchpoints)
            forward = hits(points, False, HITS)
            check([at for _, kind, at in forward if kind == "break"][:6] == places * 2, f"hits {forward}")
            last = forward[-1][0]
            expected = [hit for hit in forward[::-1] if hit[0] < last]
            client.seek(last)
            backward = hits(points, True, len(expected))
            check(backward == expected, f"forwards {forward}, backwards {backward}")
            points.clear()


if __name__ == "__main__":
    harness.main()
