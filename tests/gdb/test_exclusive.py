"""A LDXR/STXR loop looked at from inside: what is seen is what was recorded, and the guest does not notice."""
import rsp
import session
from session import SOAK, check, harness, test

TURNS = 1000 if SOAK else 20
HITS = 1000 if SOAK else 110
LDXR, STXR, MASK = 0x08400000, 0x08000000, 0x3fc00000
EXIT = 9  # the number of EVENT_EXIT
INTERRUPT_INSNS = 400  # and more than an interrupt takes
WATCHED_INSNS = 30


def sequence(client, start):
    """Addresses of the first LDXR from `start` on, and of its STXR; and the STXR's status register."""
    words = [client.u64(start + 4 * i) & 0xffffffff for i in range(64)]
    first = next(i for i, word in enumerate(words) if word & MASK == LDXR)
    last = next(i for i in range(first, 64) if words[i] & MASK == STXR)
    return start + 4 * first, start + 4 * last, words[last] >> 16 & 31


class Loop:
    """The loop of guest_main, some turns after its start, with the client before its LDXR. The same sequence is in the
    interrupt handler."""

    def __init__(self, client):
        symbols = session.symbols("exclusives")
        self.client, self.sum = client, symbols["sum"]
        self.ldxr, self.stxr, status = sequence(client, symbols["guest_main"])
        handler_ldxr, handler_stxr, handler_status = sequence(client, symbols["add_exclusive"])
        self.status = {self.stxr: status, handler_stxr: handler_status}
        self.loads = self.ldxr, handler_ldxr
        client.expect_ok("Qqemu.sstep=1")  # into interrupts too: the handler's stores count
        client.insert(rsp.SOFTWARE, self.ldxr)
        for _ in range(3):
            check(client.go_on().kind == "swbreak", "the loop is not reached")
        client.remove(rsp.SOFTWARE, self.ldxr)


def state(loop):
    return loop.client.n, loop.client.registers(), loop.client.u64(loop.sum)


def step_through(loop, turns):
    """Steps until so many stores have succeeded. Answers the states on the way."""
    client, before = loop.client, loop.client.u64(loop.sum)
    exits = {event.n for event in harness.events("trace") if event.kind == EXIT}
    visited, done = [state(loop)], 0
    while done < turns:
        at = client.pc
        check(client.step().signal == 5, "a step did not end")
        visited.append(state(loop))
        n = visited[-1][0]
        if client.pc != at + 4 or at not in loop.status:
            continue
        if client.register(loop.status[at]) == 0:
            done += 1
        else:
            check(exits & set(range(n - INTERRUPT_INSNS, n)), f"a store failed at {n} without an interrupt")
        check(visited[-1][2] == before + done, f"{done} stores made {visited[-1][2] - before} of the sum")
    return visited


@test
def steps_through_an_exclusive_loop_show_what_happened():
    with session.served("exclusives") as server, server.client() as client:
        loop = Loop(client)
        for before in (0, INTERRUPT_INSNS // 4):
            if before:  # with an interrupt on the way
                exits = [event.n for event in harness.events("trace") if event.kind == EXIT]
                client.seek(exits[3] - before)
            visited = step_through(loop, TURNS)
            for expected in reversed(visited[:-1]):
                client.reverse_step()
                here = state(loop)
                same = [what for what, now, before in zip(("n", "registers", "sum"), here, expected) if now == before]
                check(here == expected, f"at {expected[0]} backwards is not what it was forwards: only {same} are",
                      "trace")
            for expected in (visited[0], visited[len(visited) // 2], visited[-1]):
                client.seek(0)
                client.seek(expected[0])
                check(state(loop) == expected, f"at {expected[0]}: coming from the start is not what stepping shows")


@test
def breakpoint_inside_an_exclusive_loop_is_not_noticed():
    with session.served("exclusives") as server, server.client() as client:
        loop = Loop(client)
        client.insert(rsp.SOFTWARE, loop.stxr)
        hits = []
        for i in range(HITS):
            check(client.go_on().kind == "swbreak" and client.pc == loop.stxr, f"hit {i}: pc {client.pc:#x}")
            hits.append(state(loop))
        for earlier, later in zip(hits, hits[1:]):
            check(later[0] > earlier[0] and later[2] - earlier[2] in (0, 1, 2),
                  f"from {earlier[0]} to {later[0]} the sum goes from {earlier[2]} to {later[2]}")
        check(hits[-1][2] - hits[0][2] >= HITS - 5, f"{HITS} stores made {hits[-1][2] - hits[0][2]} of the sum")
        for expected in reversed(hits[:-1]):
            check(client.go_back().kind == "swbreak" and state(loop) == expected, f"backwards: not at {expected[0]}")
        client.remove(rsp.SOFTWARE, loop.stxr)
        check(client.go_on().kind == "end", "the recording does not go on to its end")
        check(client.n == harness.events("trace")[-1].n, f"the end is at {client.n}")


def accesses(loop, kind, start):
    """The positions of the accesses of the sum that follow `start`, as single steps show them."""
    client, found = loop.client, []
    client.seek(start)
    while client.n < start + WATCHED_INSNS:
        n, at = client.n, client.pc
        client.step()
        stored = at in loop.status and client.pc == at + 4 and client.register(loop.status[at]) == 0
        if (stored and kind != rsp.RWATCH) or (at in loop.loads and kind != rsp.WATCH):
            found.append(n)
    return found


def next_access(client, point, resume, step):
    """What stops there, and where the access is, which is passed as gdb does that."""
    stop = resume()
    while stop.kind == "signal":
        stop = resume()
    here = client.n
    client.remove(*point)
    step()
    client.insert(*point)
    return stop.kind, min(here, client.n)


@test
def watchpoints_see_all_accesses_of_a_sequence():
    with session.served("exclusives") as server, server.client() as client:
        loop = Loop(client)
        start = client.n
        inside = [event.n for event in harness.events("trace")
                  if event.kind == EXIT and loop.ldxr < event.pc <= loop.stxr]
        check(inside, "no interrupt came between a load and its store")
        for kind, name in ((rsp.WATCH, "watch"), (rsp.RWATCH, "rwatch"), (rsp.AWATCH, "awatch")):
            for begin in (start, start + 1, inside[0] - WATCHED_INSNS // 2):
                expected, point = [(name, n) for n in accesses(loop, kind, begin)], (kind, loop.sum, 8)
                client.seek(begin)
                client.insert(*point)
                for on, back in ((client.go_on, client.go_back), (client.step, client.reverse_step)):
                    client.seek(begin)
                    forward = [next_access(client, point, on, client.step) for _ in expected]
                    check(forward == expected, f"{on.__name__} from {begin}: {forward}, expected {expected}")
                    backward = [next_access(client, point, back, client.reverse_step) for _ in expected]
                    check(backward == expected[::-1], f"{back.__name__} to {begin}: {backward}, forwards {forward}")
                client.remove(*point)


if __name__ == "__main__":
    harness.main()
