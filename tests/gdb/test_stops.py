"""Breakpoints and watchpoints in the Debian kernel and its processes: what a run forwards hits, and at which
instruction, a run backwards hits in mirrored order.
"""
import rsp
import session
from points import Points, hits
from session import SOAK, check, harness, rng, test

HITS = 250 if SOAK else 24
SAMPLES = 60 if SOAK else 20
BREAKPOINTS = 8  # more than the CPU has
WINDOW = 3_000_000  # instructions from which the places are taken


# Agent expressions: the register's lowest bit; its logical not; false.
X0_IS_ODD = bytes([0x26, 0, rsp.X0, 0x22, 1, 0x0f, 0x27])
X0_IS_EVEN = X0_IS_ODD[:-1] + bytes([0x0e, 0x27])
NEVER = bytes([0x22, 0, 0x27])


def compare(points, start, forward):
    """Goes back from where the forward run ended. Its last hit is where it stands. At `start` itself an access counts, a
    breakpoint does not."""
    client = points.client
    backward = hits(points, True, len(forward) + 1)
    within = [hit for hit in backward if hit[0] > start or (hit[0] == start and hit[1] != "break")]
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


def chosen(points, hit, count):
    """Without the point that nearly all hits are of: it is in a loop."""
    for kind, address in {found[1:] for found in hit}:
        if len([found for found in hit if found[1:] == (kind, address)]) > count // 3:
            points.breakpoints = [at for at in points.breakpoints if (kind, at) != ("break", address)]
            points.watchpoints = [point for point in points.watchpoints if point[1] != address or kind == "break"]
    return points


def mixed_points(client):
    """Breakpoints and watchpoints in code and data of both levels; a place before them, and what they hit from there."""
    for _ in range(100):
        start, samples = user_window(client)
        user = pick([pc for pc, level, _, _ in samples if level == 0], BREAKPOINTS // 2)
        kernel = pick([pc for pc, level, _, _ in samples if level == 1], BREAKPOINTS - len(user))
        stacks = pick([sp & -16 for _, level, sp, _ in samples if level == 1], 2)
        stacks += pick([(sp & -16) - 16 for _, level, sp, _ in samples if level == 0], 2)
        watched = [(kind, address, 8) for kind, address in zip((rsp.WATCH, rsp.RWATCH, rsp.AWATCH, rsp.WATCH), stacks)]
        points = Points(client, user + kernel, watched)
        for _ in range(6):
            client.seek(start)
            hit = hits(points, False, HITS)
            points.clear()
            before = len(points.breakpoints) + len(points.watchpoints)
            points = chosen(points, hit, HITS)
            if len(points.breakpoints) + len(points.watchpoints) == before:
                break
            points = Points(client, points.breakpoints, points.watchpoints)
        else:
            points.clear()
            continue
        kinds = {kind for _, kind, _ in hit}
        broken = {address for _, kind, address in hit if kind == "break"}
        if len(hit) == HITS and len(kinds) > 1 and broken & set(user) and broken & set(kernel):
            return start, points, hit
    raise harness.Failed("no place with hits of all sorts was found")


@test
def mixed_points_hit_the_same_in_both_directions():
    """Breakpoints, half of them with a condition, and watchpoints at once, in code and data of EL0 and EL1."""
    with session.Server(session.debian_trace("1G" if SOAK else None)) as server, server.client() as client:
        start, points, every = mixed_points(client)
        conditions = {at: rng.choice((X0_IS_ODD, X0_IS_EVEN)) for at in points.breakpoints[::2]}
        expected = []
        for hit in every:
            client.seek(hit[0])
            odd = client.register(rsp.X0) & 1
            if hit[1] != "break" or hit[2] not in conditions or odd == (conditions[hit[2]] == X0_IS_ODD):
                expected.append(hit)
        points = Points(client, points.breakpoints, points.watchpoints, conditions)
        client.seek(start)
        forward = hits(points, False, len(expected))
        check(forward == expected, f"from {start}: with conditions {forward}, expected {expected}")
        compare(points, start, forward)
        kinds = {kind: len([1 for hit in forward if hit[1] == kind]) for _, kind, _ in forward}
        session.say(f"{len(every)} hits of {len({hit[1:] for hit in every})} points, {len(forward)} with conditions "
                    f"({kinds}), mirrored (SEED={harness.seed})")


@test
def hits_at_one_position_come_in_order():
    """A fault, or an interrupt, and its vector are at one position; so are a breakpoint and the access of its
    instruction. More points than the CPU has at once must not lose one of them."""
    names = session.symbols("el0")
    with session.served("el0") as server, server.client() as client:
        vectors = names["vectors"]
        load, store = client.position()[1] - 8000, names["vectors"] + 0x400
        client.seek(load)
        client.insert(rsp.SOFTWARE, store)
        faults = []
        while client.go_on().kind != "end":
            n = client.n
            client.seek(n)
            if client.pc != store:
                faults.append((n, "break", client.pc))
            client.seek(n + 1)
        client.remove(rsp.SOFTWARE, store)
        check(len(faults) == 4, f"{faults}")
        points = Points(client, [vectors + 0x80 * i for i in range(16)] + sorted({pc for _, _, pc in faults}))
        client.seek(load)
        forward = hits(points, False, 100)
        for n, kind, pc in faults:
            at = forward.index((n, kind, pc)) if (n, kind, pc) in forward else -2
            check(forward[at + 1:at + 2] == [(n, "break", store)], f"the fault at {n}: {forward}")
        client.seek("end")
        backward = [hit for hit in hits(points, True, len(forward) + 1) if hit[0] > load]
        check(backward == forward[::-1], f"forwards {forward}, backwards {backward}")


@test
def steps_stop_at_a_vector_with_a_breakpoint():
    """Though it shares its position with the instruction that faults."""
    names = session.symbols("el0")
    with session.served("el0") as server, server.client() as client:
        vectors = [(rsp.SOFTWARE, names["vectors"] + 0x80 * i, 4) for i in range(16)]
        store = names["vectors"] + 0x400
        client.seek(client.position()[1] - 8000)
        seen = 0
        while True:
            for point in vectors:
                client.insert(*point)
            stop = client.go_on()
            n, pc = client.n, client.pc
            if stop.kind == "end":
                break
            for point in vectors:
                client.remove(*point)
            client.seek(n)
            fault = client.pc
            if fault == pc:
                client.step()
                continue
            seen += pc == store
            client.insert(rsp.SOFTWARE, pc)
            stop = client.step()
            check((stop.kind, client.n, client.pc) == ("swbreak", n, pc), f"from {fault:#x} at {n}: {stop}, {client.pc:#x}")
            check(client.step().kind == "signal" and client.n == n + 1, f"a step from the vector leads to {client.n}")
            behind = client.pc
            stop = client.reverse_step()
            check((stop.kind, client.n, client.pc) == ("swbreak", n, pc), f"back to {n}: {stop}, {client.pc:#x}")
            check(client.reverse_step().kind == "signal", "it is told twice")
            check((client.n, client.pc) == (n, fault), f"back from the vector at {client.n}, {client.pc:#x}")
            client.remove(rsp.SOFTWARE, pc)
            client.insert(rsp.SOFTWARE, pc, condition=NEVER)
            check(client.step().kind == "signal" and (client.n, client.pc) == (n + 1, behind), "a false condition stops")
            check(client.reverse_step().kind == "signal" and (client.n, client.pc) == (n, fault),
                  f"back, with a false condition: {client.n}, {client.pc:#x}")
            client.remove(rsp.SOFTWARE, pc)
            client.seek(n + 1)
        check(seen == 4, f"{seen} faults of EL0")


@test
def backwards_in_a_loop_without_an_exit():
    """Millions of hits, and no place between them where the recording stopped by itself."""
    harness.record("--max-instructions", "20M", harness.payload("hang"), status=3)
    with session.Server("trace", "--at", "end") as server, server.client() as client:
        end = client.n
        client.insert(rsp.HARDWARE, client.pc)
        for n in (end - 1, end - 2):
            check(client.go_back().kind == "hwbreak" and client.n == n, f"back to {client.n}, not {n}")


@test
def breakpoint_comes_before_the_access_of_its_instruction():
    with session.served("exclusives") as server, server.client() as client:
        names = session.symbols("exclusives")
        watch = (rsp.WATCH, names["timer_irq_count"], 8)
        points = Points(client, [], [watch])
        accesses = hits(points, False, 12)[4:]
        points.clear()
        client.seek(accesses[0][0])
        others = [names["vectors"] + 0x80 * i for i in range(16) if i not in (4, 5)]
        points = Points(client, others + [client.pc], [watch])
        client.seek(accesses[0][0] - 1)
        expected = [(n, kind, at) for n, _, _ in accesses for kind, at in (("break", points.breakpoints[-1]),
                                                                         ("watch", watch[1]))]
        forward = hits(points, False, len(expected))
        check(forward == expected, f"forwards {forward}, expected {expected}")
        compare(points, accesses[0][0] - 1, forward)


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


@test
def points_side_by_side_are_told_apart():
    """Watched words in one or two doublewords: each access is told for one that it really is of."""
    with session.Server(session.debian_trace()) as server, server.client() as client:
        told = set()
        while len(told) < 8:
            start, samples = user_window(client)
            base = pick([sp & -16 for _, level, sp, _ in samples if level == 1], 1)[0] - 8
            kinds = rng.choices((rsp.WATCH, rsp.RWATCH, rsp.AWATCH), k=4)
            watched = [(kind, base + offset, 4) for kind, offset in zip(kinds, rng.sample((0, 4, 8, 12), 4))]
            alone, last = set(), client.position()[1]
            for point in watched:
                client.seek(start)
                points = Points(client, [], [point])
                mine = hits(points, False, HITS)
                points.clear()
                alone |= set(mine)
                if len(mine) == HITS:
                    last = min(last, mine[-1][0])
            client.seek(start)
            points = Points(client, [], watched)
            together = [hit for hit in hits(points, False, HITS) if hit[0] <= last]
            points.clear()
            wrong = [hit for hit in together if hit not in alone]
            check(not wrong, f"from {start}, {watched}: {wrong[:3]} of {len(together)} are no hits of those points alone")
            missed = {hit[0] for hit in alone if together and hit[0] <= together[-1][0]} - {hit[0] for hit in together}
            check(not missed, f"from {start}, {watched}: missed at {sorted(missed)[:3]}")
            told |= {hit[1:] for hit in together}


@test
def a_store_over_several_watched_words_is_told_for_one_that_it_changes():
    """gdb looks at the value of the one that it is told, and goes on if it is the same."""
    with session.Server(session.debian_trace()) as server, server.client() as client:
        several = 0
        while several < 5:
            start, samples = user_window(client)
            base = pick([sp & -16 for _, level, sp, _ in samples if level == 1], 1)[0]
            watched = [(rsp.WATCH, base + offset, 4) for offset in rng.sample((0, 4, 8, 12), 4)]
            points = Points(client, [], watched)
            for back in (False, True):
                client.seek(start + back * WINDOW)
                for _ in range(HITS):
                    stop = client.go_back() if back else client.go_on()
                    if stop.kind != "watch":
                        break
                    n, before = client.n, client.memory(base, 16)
                    points.unwatch()
                    (client.reverse_step if back else client.step)()
                    after = client.memory(base, 16)
                    points.watch()
                    changed = {at for _, at, _ in watched if before[at - base:][:4] != after[at - base:][:4]}
                    several += 0 < len(changed) < 4
                    check(not changed or points.watched(stop.address) in changed,
                          f"{'back' if back else 'on'} to {n}: told {stop.address:#x}, changed {sorted(changed)}")
            points.clear()


@test
def breakpoints_are_at_halfwords_too():
    """In T32 code; and where no instruction begins, one is never hit."""
    user = 0x40600000  # MMU_USER of tests/guest/lib/mmu.h
    with session.served("thumb") as server, server.client() as client:
        code = [user + 2 * i for i in range(5)]
        never = [session.symbols("thumb")["guest_main"] + offset for offset in (1, 2, 3)] + [user + 1, user + 10]
        for places in [[at] for at in code] + [code, code + never]:
            points = Points(client, places)
            client.seek("start")
            forward = hits(points, False, 10)
            check([pc for _, _, pc in forward] == places[:len(code)], f"{[hex(at) for at in places]}: {forward}")
            client.seek("end")
            backward = hits(points, True, 10)
            check(backward == forward[::-1], f"forwards {forward}, backwards {backward}")
            points.clear()


@test
def a_false_condition_is_of_its_own_breakpoint_only():
    """`break` with a condition and `hbreak` without at one address are two breakpoints to gdb, and two here."""
    with session.served("exclusives") as server, server.client() as client:
        place = session.symbols("exclusives")["add_exclusive"]
        kinds = {rsp.SOFTWARE: "swbreak", rsp.HARDWARE: "hwbreak"}
        for false, true in ((rsp.SOFTWARE, rsp.HARDWARE), (rsp.HARDWARE, rsp.SOFTWARE)):
            for first in (false, true):
                client.seek("start")
                for kind in (first, false + true - first):
                    client.insert(kind, place, condition=NEVER if kind == false else None)
                stop = client.go_on()
                check(stop.kind == kinds[true] and client.pc == place, f"{stop} instead of {kinds[true]}")
                client.remove(false, place)
                client.remove(true, place)


@test
def points_that_overlap_are_removed_one_by_one():
    """Watched ranges of one kind, and breakpoints at neighbouring halfwords."""
    with session.served("exclusives") as server, server.client() as client:
        watched = session.symbols("exclusives")["timer_irq_count"] & -16
        place = session.symbols("exclusives")["add_exclusive"]
        for kept, gone, name in (((rsp.WATCH, watched, 16), (rsp.WATCH, watched - 16, 32), "watch"),
                                 ((rsp.WATCH, watched - 16, 32), (rsp.WATCH, watched, 16), "watch"),
                                 ((rsp.WATCH, watched + 1, 15), (rsp.WATCH, watched + 1, 7), "watch"),
                                 ((rsp.SOFTWARE, place, 4), (rsp.SOFTWARE, place - 2, 4), "swbreak")):
            client.seek("start")
            for point in (kept, gone):
                client.insert(*point)
            client.remove(*gone)
            stop = client.go_on()
            check(stop.kind == name, f"without {gone}, {kept} does not stop: {stop}")
            client.remove(*kept)
            client.seek("start")
            stop = client.go_on()
            check(stop.kind == "end", f"{stop} without any")


@test
def a_watched_range_of_too_many_pieces_is_refused():
    with session.served("console") as server, server.client() as client:
        for address, count in ((0, 0xffffffffffffffff), (1, 0xfffffffffffffffe)):
            reply = client.request(f"Z2,{address:x},{count:x}")
            check(reply[:1] == "E", f"{count} bytes: {reply}")
        stop = client.go_on()
        check(stop.kind == "end", f"{stop}")


if __name__ == "__main__":
    harness.main()
