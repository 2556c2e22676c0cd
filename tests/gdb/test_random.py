"""Random walks: whatever order a session seeks, steps, continues, diverts and interrupts in, a position is one guest.

1. What the guest is at a position comes from a session that only sought it, one that began elsewhere: all registers and
   a hash of all of RAM. A position that a walk comes to by itself is looked up there afterwards.
2. A vector may share its position with the place before (replay/travel/search.c), so only places where a seek comes to
   the same pc are compared.
"""
import contextlib
import os
import re
import time

import rsp
import session
from session import SOAK, check, harness, rng, test

TURNS = 2500 if SOAK else 45
HITS, WOKEN = (40, 10) if SOAK else (3, 2)
INSTRUCTIONS = "700M"
NOWHERE = range(0x1000, 0x1020, 4)  # more than the CPU has breakpoints: the others are looked for in a second run
FROM_N, TO_N = 250000000, 450000000
RUN_SECONDS_MAX = 0.3


def recorded():
    """A boot with many keyframes, and the part of it from FROM_N to TO_N: shared by the tests."""
    whole, part = (os.path.join(os.environ["TEST_FOLDER"], name) for name in ("walk.trace", "walk-part.trace"))
    if not os.path.exists(part):
        harness.record(*harness.debian("cloud"), "--console", "none", "--keyframe-every", "100ms", "--max-instructions",
                       INSTRUCTIONS, status=3, trace=whole)
        trimmed = harness.hvrec("trim", whole, "-o", part, "--from", str(FROM_N), "--to", str(TO_N), "--quiet")
        check(trimmed.status == 0, f"trim: {trimmed}")
    return whole, part


def hash_of(client):
    text, good = client.monitor("hash")
    check(good, f"hash: {text}")
    return text.lstrip(".")  # a slow command's signs of life


def registers_of(client):
    """Of all vCPUs. The one whose turn it is is looked at then."""
    if len(client.threads()) == 1:
        return client.registers()
    found = client.registers_of_all()
    client.select(int(re.search(r", vcpu (\d+), ", client.monitor("when")[0])[1]) + 1)
    return found


class Walk:
    """One client on its way. `seen`: {(n, pc): (registers, hash, the turns that led there)}."""

    def __init__(self, client, start, end):
        self.client, self.start, self.end = client, start, end
        self.seen, self.done, self.places = {}, [], []

    def look(self):
        """Keeps what is here, or compares it with what was."""
        client = self.client
        found = (registers_of(client), hash_of(client))
        key = client.n, client.pc
        here = self.seen.setdefault(key, (*found, tuple(self.done[-6:])))
        check(here[:2] == found, f"at {key} after {self.done[-6:]} another guest than after {here[2]}: "
              f"{'registers' if here[0] != found[0] else 'RAM'}")
        self.places.append(key)

    def somewhere(self):
        """A position: anywhere, near this one, or where the walk was."""
        near = self.client.n + rng.choice((-1, 1)) * rng.randrange(1 << rng.randrange(1, 26))
        was = rng.choice(self.places)[0] if self.places else near
        place = rng.choice((rng.randint(self.start, self.end), near, near, was))
        return min(max(place, self.start), self.end)

    def seek(self):
        n = self.somewhere()
        self.client.seek(n)
        check(self.client.n == n, f"seek {n} went to {self.client.n}")

    def step(self):
        for _ in range(rng.randint(1, 8)):
            n = self.client.n
            kind = self.client.step().kind
            check(self.client.n == n + 1 or kind == "end", f"a step from {n} to {self.client.n}: {kind}")

    def reverse_step(self):
        for _ in range(rng.randint(1, 8)):
            n, pc = self.client.n, self.client.pc
            kind = self.client.reverse_step().kind
            from_vector = self.client.n == n and self.client.pc != pc
            check(self.client.n == n - 1 or kind == "begin" or from_vector, f"a step back from {n} to {self.client.n}: {kind}")

    def points(self):
        """What code near here does: some addresses that it executes, and its stack."""
        client, pcs = self.client, set()
        for _ in range(rng.randint(1, 9)):
            pcs.add(client.pc)
            client.step()
        points = [(rsp.SOFTWARE, pc, 4) for pc in pcs]
        if rng.random() < 0.5:
            points = rng.sample(points, 1) if rng.random() < 0.5 else []
            points.append((rng.choice((rsp.WATCH, rsp.RWATCH, rsp.AWATCH)), client.register(rsp.SP) & -8, 8))
        return points

    def run(self, back, interrupt_s=RUN_SECONDS_MAX):
        """One continue in one direction, interrupted if it takes long. Answers the stop."""
        client = self.client
        n = client.n
        stop = client.resume("bc" if back else "vCont;c", interrupt_s)
        check(client.n <= n if back else client.n >= n, f"{'back' if back else 'on'} from {n} to {client.n}")
        check(stop.kind != "swbreak" or stop.signal == 5, f"{stop}")
        return stop

    @contextlib.contextmanager
    def inserted(self, points):
        for point in points:
            self.client.insert(*point)
        yield
        for point in points:
            self.client.remove(*point)

    def go_on(self):
        with self.inserted(self.points()):
            self.run(False)

    def go_back(self):
        with self.inserted(self.points()):
            self.run(True)

    def there_and_back(self):
        """On to two breakpoints, and back to the first."""
        client = self.client
        points = [point for point in self.points() if point[0] == rsp.SOFTWARE] or [(rsp.SOFTWARE, client.pc, 4)]
        with self.inserted(points):
            if self.run(False).kind != "swbreak":
                return
            first = client.n, client.pc
            if self.run(False).kind != "swbreak":
                return
            self.run(True, rsp.SECONDS_MAX)
            check((client.n, client.pc) == first, f"back to {client.n, client.pc} of {first}")

    def interrupt(self):
        self.run(rng.random() < 0.5, rng.random() * 0.05)

    def interrupt_command(self):
        """A monitor command that ends early leaves the place as it was."""
        client = self.client
        place = client.n, client.pc
        address = client.register(rsp.SP) & -8
        command = rng.choice((f"who-wrote {address}", f"seek {rng.randint(self.start, self.end)}", "verify"))
        client.send("qRcmd," + command.encode().hex())
        time.sleep(rng.random() * 0.1)
        client.interrupt()
        text, good = client.monitor_answer()
        check(good or (client.n, client.pc) == place, f"{command}: {text!r} left {place} for {client.n, client.pc}")

    def divert(self):
        """Writes, runs, and goes back in one of the ways that there are."""
        client = self.client
        place, elsewhere = (client.n, client.pc), self.somewhere()
        for _ in range(rng.randint(1, 3)):
            if rng.random() < 0.5:
                client.set_register(rng.randrange(1, 8), rng.getrandbits(64))
            elif client.memory(client.register(rsp.SP) & -4096, 4096):
                client.set_memory((client.register(rsp.SP) & -4096) + rng.randrange(4000), rng.randbytes(64))
        for _ in range(rng.randrange(3)):
            client.step()
        if rng.random() < 0.5:
            client.resume("vCont;c", rng.random() * 0.05)
        if not "diversion from" in client.monitor("when")[0]:
            return
        way = rng.choice(("back-to-replay", "step", "seek"))
        if way == "seek":
            client.seek(elsewhere)
            check(client.n == elsewhere, f"seek {elsewhere} from a diversion went to {client.n}")
        elif way == "step" and place[0] > self.start:
            client.reverse_step()
            check(client.n == place[0] - 1, f"a step back from a diversion of {place[0]} to {client.n}")
        else:
            client.monitor("back-to-replay")
            check((client.n, client.pc) == place, f"back to {client.n, client.pc}, not {place}")

    def turn(self):
        moves = (self.seek, self.seek, self.step, self.reverse_step, self.go_on, self.go_back, self.there_and_back,
                 self.interrupt, self.interrupt_command, self.divert, self.divert)
        move = rng.choice(moves)
        self.done.append(f"{move.__name__} at {self.client.n}")
        move()
        self.look()


class WalkOfMany(Walk):
    """Steps are of any vCPU: how far they lead, test_threads.py knows."""

    def step(self):
        for _ in range(rng.randint(1, 8)):
            n = self.client.n
            kind = self.client.step(rng.choice(list(self.client.threads()))).kind
            check(self.client.n > n or kind == "end", f"a step from {n} to {self.client.n}: {kind}")

    def reverse_step(self):
        for _ in range(rng.randint(1, 8)):
            n = self.client.n
            kind = self.client.reverse_step(rng.choice(list(self.client.threads()))).kind
            check(self.client.n <= n or kind == "begin", f"a step back from {n} to {self.client.n}: {kind}")

    def divert(self):
        """Writes to any vCPU, runs, and goes back."""
        client = self.client
        before = client.n, registers_of(client)
        client.select(rng.choice(list(client.threads())))
        for _ in range(rng.randint(1, 3)):
            client.set_register(rng.randrange(1, 8), rng.getrandbits(64))
        for _ in range(rng.randrange(3)):
            client.resume(f"vCont;s:{rng.choice(list(client.threads())):x};c", rng.random() * 0.2)
        client.resume("vCont;c", rng.random() * 0.05)
        client.monitor("back-to-replay")
        check((client.n, registers_of(client)) == before, f"back from a diversion at {before[0]}, not the guest of before")


def walk(trace, kind=Walk):
    with session.Server(trace, "--at", f"{rng.randrange(100)}%") as server, server.client() as client:
        client.expect_ok("Qqemu.sstep=1")  # into interrupts too
        start, end = limits(client)
        way = kind(client, start, end)
        for _ in range(TURNS):
            way.turn()
    looked = 0
    with session.Server(trace, "--at", "start") as server, server.client() as client:
        for (n, pc), (registers, memory, done) in sorted(way.seen.items()):
            client.seek(n)
            here = registers_of(client)
            if client.pc != pc:
                continue
            check(here == registers, f"at {n} after {done} registers are not those of a seek")
            check(hash_of(client) == memory, f"at {n} after {done} RAM is not that of a seek")
            looked += 1
        text, good = client.monitor("verify")
        check(good, f"verify: {text}")
    check(looked > TURNS // 6, f"only {looked} places of {TURNS} turns were compared")


def limits(client):
    ends = []
    for place in ("start", "end"):
        text, good = client.monitor(f"seek {place}")
        check(good, text)
        ends.append(int(re.search(r"instruction (\d+) ", text)[1]))
    return ends


def resumed(client, back, wake):
    """The next stop. `wake`: an acknowledgement that nobody waits for wakes the run meanwhile."""
    client.send("bc" if back else "vCont;c")
    if wake:
        time.sleep(rng.random() * 0.03)
        client.socket.sendall(b"+")
    return client.wait_stop()


def vectors(client):
    base = client.named("VBAR_EL1")
    return [base + 0x280, base + 0x480]  # an IRQ from EL1, from EL0


def hits(client, points, back, wake=False):
    """The next HITS in one direction. A watchpoint would make it minutes: QEMU runs slowly where a page has one."""
    found = []
    while len(found) < HITS:
        for point in points:
            client.insert(*point)
        stop = resumed(client, back, wake)
        found.append((client.n, client.pc, stop.kind))
        for point in points:
            client.remove(*point)
        if stop.kind in ("begin", "end"):
            break
    return found


@test
def a_run_that_is_woken_for_nothing_finds_every_hit():
    with session.Server(recorded()[1]) as server, server.client() as client:
        points = [(rsp.SOFTWARE, address, 4) for address in [*NOWHERE, *vectors(client)]]
        for back in (False, True):
            start = rng.randint(FROM_N + 20000000, TO_N - 20000000)
            client.seek(start)
            quiet = hits(client, points, back)
            for _ in range(WOKEN):
                client.seek(start)
                found = hits(client, points, back, True)
                check(found == quiet, f"{'back' if back else 'on'} from {start}: {found} instead of {quiet}")


@test
def a_walk_with_keyframes_meets_one_guest_at_each_position():
    walk(recorded()[0])


@test
def a_walk_in_a_part_meets_one_guest_at_each_position():
    walk(recorded()[1])


@test
def a_walk_among_several_vcpus_meets_one_guest_at_each_position():
    harness.record("--smp", "4", *harness.debian("cloud"), "--console", "none", "--keyframe-every", "200ms", trace="many.trace")
    walk("many.trace", WalkOfMany)


@test
def a_walk_among_a_hostile_drivers_requests_meets_one_guest_at_each_position():
    with open("disk", "wb") as file:
        file.write(rng.randbytes(4400 * 512))
    harness.record("--disk", "disk", harness.payload("virtio_hostile"), str(rng.randrange(1 << 40)), "400" if SOAK else "100",
                   "--console", "none", "--keyframe-every", "10ms", trace="hostile.trace")
    walk("hostile.trace")


if __name__ == "__main__":
    harness.main()
