"""Conditions that hv decides, and searches back over many hits: what they find is what looking at every hit finds.

Every hit is found forwards without conditions first, and the conditions are decided here, by registers and memory there.
"""
import session
import rsp
from points import Points, hits
from session import SOAK, check, harness, rng, test

HITS = 400 if SOAK else 60
TURNS = 20 if SOAK else 3
END, EQUAL, BIT_AND, ADD, LOG_NOT, REF8, ZERO_EXT = 0x27, 0x13, 0x0f, 0x02, 0x0e, 0x17, 0x2a
V0 = 34


def const(value):
    return bytes((0x23,)) + value.to_bytes(2, "big")


def reg(number):
    return bytes((0x26,)) + number.to_bytes(2, "big")


class Condition:
    """`code`, and what it is at the place where the client stands."""

    def __init__(self, kind):
        mask, value = rng.choice(((1, 0), (1, 1), (3, 2), (7, 5)))
        self.kind, self.mask, self.value = kind, mask, value
        self.number, self.offset = rng.randrange(31), rng.randrange(64)
        first = {"register": reg(self.number), "pc": reg(rsp.PC), "vector": reg(V0),
                 "memory": reg(rsp.SP) + const(self.offset) + bytes((ADD, REF8)),
                 "unreadable": const(0x10) + bytes((REF8,))}[kind]
        self.code = first + const(mask) + bytes((BIT_AND,)) + const(value) + bytes((EQUAL, END))

    def is_true(self, client):
        if self.kind == "unreadable":
            return True
        if self.kind == "memory":
            data = client.memory(client.register(rsp.SP) + self.offset, 1)
            return not data or data[0] & self.mask == self.value
        number = {"register": self.number, "pc": rsp.PC, "vector": V0}[self.kind]
        return client.register(number) & self.mask == self.value

    def __repr__(self):
        return f"{self.kind} {self.number} {self.offset} & {self.mask} == {self.value}"


def some_points(client, end):
    """Addresses that are executed here and there, and a watched place of the stack."""
    addresses, sps = set(), set()
    for _ in range(4):
        client.seek(rng.randrange(1000, end))
        for _ in range(rng.randint(1, 6)):
            client.step()
        addresses.add(client.pc)
        sps.add(client.register(rsp.SP) & -8)
    watched = [(rng.choice((rsp.WATCH, rsp.RWATCH, rsp.AWATCH)), rng.choice(sorted(sps)), 8)]
    return sorted(addresses), watched if rng.random() < 0.5 else []


def search(server):
    with server.client() as client:
        end = client.position()[1]
        found = 0
        for _ in range(TURNS):
            breakpoints, watched = some_points(client, end)
            start = rng.randrange(1000, end)
            kinds = ("register", "memory", "pc", "vector", "unreadable")
            conditions = {at: Condition(rng.choice(kinds)) for at in breakpoints if rng.random() < 0.8}
            client.seek(start)
            points = Points(client, breakpoints, watched)
            every = hits(points, False, HITS)
            points.clear()
            expected = []
            for n, kind, address in every:
                client.seek(n)
                if client.pc != address and kind == "break":
                    expected = None  # a vector, which a seek does not come to
                    break
                if kind != "break" or address not in conditions or conditions[address].is_true(client):
                    expected.append((n, kind, address))
            if not expected:
                continue
            points = Points(client, breakpoints, watched, {at: one.code for at, one in conditions.items()})
            client.seek(start)
            forward = hits(points, False, len(expected))
            check(forward == expected, f"on from {start} with {conditions}: {forward}, expected {expected}")
            last = expected[-1][0] + 1
            client.seek(last)
            backward = hits(points, True, len(expected))
            check(backward[::-1] == expected, f"back from {last} with {conditions}: {backward}, expected {expected}")
            # Again, now that it is known; and from the middle.
            client.seek(last)
            check(hits(points, True, len(expected)) == backward, f"back from {last}, the second time")
            middle = rng.choice(expected)[0]
            client.seek(middle)
            if client.pc not in breakpoints:
                before = [hit for hit in expected[::-1] if hit[0] < middle]
                check(hits(points, True, len(before)) == before, f"back from {middle}")
            points.clear()
            found += len(expected)
        session.say(f"{found} hits with conditions (SEED={harness.seed})")


@test
def conditions_are_decided_as_at_every_hit_in_a_payload():
    for name in ("el0", "exclusives", "corruption", "hot"):
        with session.served(name) as server:
            search(server)


@test
def conditions_are_decided_as_at_every_hit_in_linux():
    with session.Server(session.debian_trace()) as server:
        search(server)


@test
def stops_back_over_many_hits_are_those_forwards():
    """More hits in a stretch than are kept at once, with a breakpoint, a watchpoint, and more points than the CPU has."""
    names = session.symbols("hot")
    with session.served("hot") as server, server.client() as client:
        for breakpoints, watched in (([names["step"]], []), ([], [(rsp.WATCH, names["sum"], 8)]),
                                     ([names["step"]], [(rsp.AWATCH, names["sum"], 8)]),
                                     ([names["step"], *range(0x1000, 0x1020, 4)], [])):
            points = Points(client, breakpoints, watched)
            client.seek("end")
            backward = hits(points, True, 700)
            client.seek(backward[-1][0])
            forward = hits(points, False, 700)
            if backward[-1][1] == "break":
                forward.insert(0, backward[-1])
            check(forward[:700] == backward[::-1], f"{breakpoints} {watched}: on {forward[:5]}, back {backward[-5:]}")
            points.clear()


@test
def a_condition_that_is_never_true_is_searched_for_to_both_ends():
    names = session.symbols("hot")
    never = reg(0) + const(12345) + bytes((EQUAL, END))
    once = reg(0) + const(777) + bytes((EQUAL, END))
    with session.served("hot") as server, server.client() as client:
        client.insert(rsp.SOFTWARE, names["step"], condition=never)
        check(client.go_on().kind == "end", "forwards it stopped")
        check(client.go_back().kind == "begin" and client.n == 0, "backwards it stopped")
        client.remove(rsp.SOFTWARE, names["step"])
        client.insert(rsp.SOFTWARE, names["step"], condition=once)
        check(client.go_on().kind == "swbreak" and client.register(rsp.X0) == 777, "forwards")
        n = client.n
        check(client.go_on().kind == "end", "a second time")
        check(client.go_back().kind == "swbreak" and client.n == n, f"backwards to {client.n}, not {n}")
        check(client.go_back().kind == "begin", "a second time, backwards")


if __name__ == "__main__":
    harness.main()
