"""Breakpoints and watchpoints in the Debian kernel and its processes: what a run forwards hits, and at which
instruction, a run backwards hits in mirrored order.

A hit is (position of the instruction that is or accesses it, kind, address). Forwards both stop before that
instruction; backwards a watchpoint stops right behind it. From either side gdb takes the watchpoints out, makes one
step, and puts them back: so does this.
"""
import rsp
import session
from session import SOAK, check, harness, rng, test

HITS = 250 if SOAK else 24
SAMPLES = 60 if SOAK else 20
BREAKPOINTS = 8  # more than the CPU has
WINDOW = 3_000_000  # instructions from which the places are taken


class Points:
    """What is inserted: {(kind, address): bytes}."""

    def __init__(self, client, breakpoints, watchpoints=()):
        self.client = client
        self.breakpoints, self.watchpoints = list(breakpoints), list(watchpoints)
        for address in self.breakpoints:
            client.insert(rsp.SOFTWARE, address)
        self.watch()

    def watch(self):
        for kind, address, count in self.watchpoints:
            self.client.insert(kind, address, count)

    def unwatch(self):
        for kind, address, count in self.watchpoints:
            self.client.remove(kind, address, count)

    def clear(self):
        self.unwatch()
        for address in self.breakpoints:
            self.client.remove(rsp.SOFTWARE, address)

    def watched(self, address):
        return next(at for _, at, count in self.watchpoints if at <= address < at + count)


def hits(points, back, count):
    """The next hits in one direction; fewer at its end."""
    client, found = points.client, []
    last = None
    while len(found) < count:
        stop = client.go_back() if back else client.go_on()
        if stop.kind in ("begin", "end"):
            break
        n = client.n
        check(n != last or stop.kind != found[-1][1], f"stopped twice at {n}: {stop}")
        last = n
        if stop.kind == "swbreak":
            found.append((n, "break", client.pc))
            continue
        check(stop.kind in ("watch", "rwatch", "awatch"), f"{stop} at {n}")
        found.append((n - 1 if back else n, stop.kind, points.watched(stop.address)))
        points.unwatch()
        stop = client.reverse_step() if back else client.step()
        points.watch()
        if stop.kind == "swbreak":
            found.append((client.n, "break", client.pc))
    return found


def compare(points, start, forward):
    """Goes back from where the forward run ended. Its last hit is where it stands."""
    client = points.client
    backward = hits(points, True, len(forward) + 1)
    within = [hit for hit in backward if hit[0] > start]
    expected = list(reversed(forward))
    if within[:1] != expected[:1]:
        expected = expected[1:]  # standing on a breakpoint, or before a watched access: not a hit again
    for i, (there, here) in enumerate(zip(expected, within)):
        check(there == here, f"from {start}, hit {i} backwards is {here}, forwards it was {there}")
    check(len(within) == len(expected), f"from {start}: {len(expected)} hits forwards, {len(within)} backwards "
                                        f"(first forwards {forward[0]}, backwards then {backward[-1:]})")


def look(client, n):
    """(pc, level, sp, SP_EL0)"""
    client.seek(n)
    return (client.pc, client.register(rsp.CPSR) >> 2 & 3, client.register(rsp.SP), client.register(rsp.SP_EL0))


def pick(values, count):
    values = sorted(set(values))
    return rng.sample(values, min(count, len(values)))


def user_window(client):
    """A place behind which there is code of both levels, and [(pc, level, sp, SP_EL0)] there."""
    end = client.position()[1]
    for _ in range(1000):
        n = rng.randrange(end // 4, end - WINDOW)
        found = [look(client, n)]
        if found[0][1] == 0:
            start = n - WINDOW // 2
            found += [look(client, at) for at in sorted(start + rng.randrange(WINDOW) for _ in range(SAMPLES))]
            if {level for _, level, _, _ in found} == {0, 1}:
                return start, found
    raise harness.Failed("no place with code of EL0 and EL1 was found")


def there_and_back(points, start):
    """Answers how many different points the run forwards hit."""
    points.client.seek(start)
    forward = hits(points, False, HITS)
    if forward:
        compare(points, start, forward)
    points.clear()
    return len({hit[1:] for hit in forward})


@test
def breakpoints_hit_the_same_in_both_directions():
    with session.Server(session.debian_trace()) as server, server.client() as client:
        different = 0
        while different < BREAKPOINTS // 2:
            start, samples = user_window(client)
            user = pick([pc for pc, level, _, _ in samples if level == 0], BREAKPOINTS // 2)
            kernel = pick([pc for pc, level, _, _ in samples if level == 1], BREAKPOINTS - len(user))
            different += there_and_back(Points(client, user + kernel), start)


@test
def watchpoints_hit_the_same_in_both_directions():
    """With one breakpoint; a breakpoint in a loop would be all that is hit."""
    with session.Server(session.debian_trace()) as server, server.client() as client:
        different = 0
        while different < 6:
            start, samples = user_window(client)
            places = [sp & -16 for _, level, sp, _ in samples if level == 1]
            places = pick(places, 3) + pick([task & -16 for _, level, _, task in samples if level == 1], 1)
            watched = [(rng.choice((rsp.WATCH, rsp.RWATCH, rsp.AWATCH)), address, 8) for address in places]
            watched.append((rsp.WATCH, pick([sp & -16 for _, level, sp, _ in samples if level == 0], 1)[0] - 8, 4))
            breakpoint_pc = pick([pc for pc, level, _, _ in samples if level == 0], 1)
            different += there_and_back(Points(client, breakpoint_pc, watched), start)


@test
def watchpoint_on_a_variable_hits_each_change():
    """Of a bare-metal guest, where the number of changes is known: sum is written once for each turn of a loop."""
    with session.served("exclusives") as server, server.client() as client:
        address = session.symbols("exclusives")["timer_irq_count"]
        points = Points(client, [], [(rsp.WATCH, address, 8)])
        forward = hits(points, False, 10 ** 6 if SOAK else 30)
        client.seek(forward[-1][0] + 1)
        backward = hits(points, True, len(forward) + 1)
        check(backward[:len(forward)] == forward[::-1],
              f"{forward[:3]}…{forward[-3:]} forwards, {backward[:3]}…{backward[-3:]} backwards")
        check(len(backward) == len(forward), f"one more backwards: {backward[-1]}")
        values = []
        for n, _, _ in forward[2:20]:  # behind the zeroes of start.S and of timer_storm_start
            client.seek(n)
            values.append(client.u64(address))
        check(values == list(range(len(values))), f"the interrupt count goes {values}")


if __name__ == "__main__":
    harness.main()
