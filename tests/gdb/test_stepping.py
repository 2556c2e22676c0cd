"""Stepping through the Debian kernel: backwards it visits what it visited forwards, and QEMU's own test of that."""
import rsp
import session
from session import SOAK, check, harness, rng, test

PLACES = 50 if SOAK else 3
STEPS = 1000 if SOAK else 30
SEEKS = 50 if SOAK else 4
RANGES = 300 if SOAK else 25
RANGE_STEPS_MAX = 1500
QEMU_STEPS = 1000 if SOAK else 50
HARDWARE_BREAKPOINTS = 6  # beyond that hvrec needs several runs
EXIT = 9  # the number of EVENT_EXIT


def snapshot(client):
    """Position, registers, and a hash of all of memory."""
    memory, good = client.monitor("hash")
    check(good, f"monitor hash: {memory}")
    return client.n, client.registers(), memory


def places(trace, end, count):
    """Half of them anywhere, a quarter with an interrupt on the way, a quarter with any event."""
    events = harness.events(trace)
    exits = [event for event in events if event.kind == EXIT]
    for i in range(count):
        n = rng.randrange(end) if i % 2 == 0 else rng.choice(exits if i % 4 == 1 else events).n - rng.randrange(STEPS // 2)
        yield max(0, min(n, end - STEPS - 1))


def mirrored(client, trace, start):
    """Steps there and back, each instruction: interrupts too."""
    client.monitor("steps interrupts on")
    client.seek(start)
    visited = [snapshot(client)]
    check(visited[0][0] == start, f"seek {start} went to {visited[0][0]}")
    for i in range(STEPS):
        stop = client.step()
        check(stop.kind == "signal" and stop.signal == 5, f"step {i} from {start}: {stop}")
        visited.append(snapshot(client))
        check(visited[-1][0] == start + i + 1, f"step {i} from {start} led to {visited[-1][0]}")
    for i in reversed(range(STEPS)):
        stop = client.reverse_step()
        check(stop.kind == "signal" and stop.signal == 5, f"reverse step to {start + i}: {stop}")
        for what, now, before in zip(("position", "registers", "memory"), snapshot(client), visited[i]):
            check(now == before, f"from {start}, backwards at {start + i}: other {what} than forwards", trace)
    return len({memory for _, _, memory in visited})


@test
def seeks_in_any_order_never_lose_the_guest():
    """A checkpoint taken between two others once gave the later one its pages: the guest then ran into a BUG."""
    with session.Server(session.debian_trace()) as server, server.client() as client:
        end = client.position()[1]
        for _ in range(SEEKS):
            around = rng.randrange(end)
            for n in [max(0, min(end, around + rng.randrange(-3000000, 3000000))) for _ in range(4)] + [end]:
                client.seek(n)
                check(client.n == n, f"seek {n} went to {client.n}")


def mirrored_places(trace):
    with session.Server(trace) as server, server.client() as client:
        end = client.position()[1]
        hashes = [mirrored(client, trace, start) for start in places(trace, end, PLACES)]
    session.say(f"{PLACES} places of {end} instructions, {STEPS} steps there and back, "
                f"{sum(hashes)} different memories (SEED={harness.seed})")
    check(sum(hashes) > PLACES, "memory hardly changes: is it hashed?")


@test
def steps_back_mirror_steps_forward():
    mirrored_places(session.debian_trace("1G" if SOAK else None))


@test
def steps_back_mirror_steps_forward_in_a_long_trace():
    if not SOAK:
        raise harness.Skipped("a soak test")
    mirrored_places(session.debian_trace("5G"))


def single_steps(client, low, high):
    """Steps until pc is outside, or a watched place was accessed. None: that takes too long."""
    for _ in range(RANGE_STEPS_MAX):
        stop = client.step()
        if stop.kind != "signal" or not low <= client.pc < high:
            return stop.kind, client.n, client.pc
    return None


@test
def steps_of_a_range_end_where_single_steps_do():
    """Long ones are not done by single steps (replay/guest/range_exits.c). Half of them may meet an interrupt."""
    ranges, long_ones, trace = 0, 0, session.debian_trace()
    exits = [event.n for event in harness.events(trace) if event.kind == EXIT]
    with session.Server(trace) as server, server.client() as client:
        end = client.position()[1]
        while ranges < RANGES:
            client.monitor(f"steps interrupts {rng.choice(('on', 'off'))}")
            start = max(0, rng.choice((rng.randrange(end), rng.choice(exits) - rng.randrange(100, 1000))))
            client.seek(start)
            low, high = client.pc - 4 * rng.randrange(40), client.pc + 4 * rng.randrange(1, 60)
            watch = (rng.choice((rsp.WATCH, rsp.AWATCH)), client.register(rsp.SP) & -8, 8) if rng.random() < 0.3 else None
            if watch:
                client.insert(*watch)
            expected = single_steps(client, low, high)
            if expected:
                client.seek(start)
                stop = client.resume(f"vCont;r{low:x},{high:x}:1")
                found = stop.kind, client.n, client.pc
                check(found == expected, f"from {start} over {low:#x}-{high:#x}, {watch}: {found}, single steps {expected}")
                ranges += 1
                long_ones += expected[1] - start > 100
            if watch:
                client.remove(*watch)
    session.say(f"{RANGES} ranges, {long_ones} of more than 100 instructions (SEED={harness.seed})")


def walk(client, start, count):
    """Steps, and answers the pcs on the way; the last is where it ends."""
    client.seek(start)
    pcs = [client.pc]
    for _ in range(count):
        client.step()
        pcs.append(client.pc)
    return pcs


def lands_on_last(client, start, place, pcs, chosen):
    """Breakpoints on some pcs of the walk from `start`, and reverse-continue from `place`, behind it."""
    last = max(i for i in range(len(pcs) - 1) if pcs[i] in chosen)
    client.seek(place)
    for pc in chosen:
        client.insert(rsp.SOFTWARE, pc)
    stop = client.go_back()
    for pc in chosen:
        client.remove(rsp.SOFTWARE, pc)
    check(stop.kind == "swbreak", f"reverse-continue to {start + last}: {stop}")
    check((client.n, client.pc) == (start + last, pcs[last]),
          f"reverse-continue landed at {client.n} pc {client.pc:#x} instead of {start + last} pc {pcs[last]:#x}")


def qemu_test(client, start):
    client.monitor("steps interrupts on")  # each position is to be seen
    pcs = walk(client, start, QEMU_STEPS)
    for expected in reversed(pcs[:-1]):
        client.reverse_step()
        check(client.pc == expected, f"reverse-stepi from {start}: pc {client.pc:#x} instead of {expected:#x}")
    check(client.n == start, f"reverse-stepi: back at {client.n} instead of {start}")
    distinct, end = list(dict.fromkeys(pcs[:-1])), start + QEMU_STEPS
    lands_on_last(client, start, end, pcs, distinct)
    lands_on_last(client, start, end, pcs, rng.sample(distinct, min(HARDWARE_BREAKPOINTS, len(distinct))))
    if start == 0:  # the very first instructions run once
        lands_on_last(client, start, "end", pcs, distinct[:HARDWARE_BREAKPOINTS])


@test
def qemus_reverse_debugging_test():
    """As QEMU's tests/avocado/reverse_debugging.py, at the start of the recording and with its end as the place to
    come back from; and anywhere."""
    trace = session.debian_trace()
    with session.Server(trace) as server, server.client() as client:
        qemu_test(client, 0)
        for start in places(trace, client.position()[1] - QEMU_STEPS, 10 if SOAK else 2):
            qemu_test(client, start)


@test
def steps_stop_at_vectors_with_a_breakpoint():
    """An interrupt's vector shares its position with the interrupted instruction."""
    with session.served("exclusives") as server, server.client() as client:
        vector = session.symbols("exclusives")["vectors"] + 0x280
        for _ in range(6):
            client.insert(rsp.SOFTWARE, vector)
            check(client.go_on().kind == "swbreak" and client.pc == vector, "no interrupt")
            n = client.n
            client.seek(n)
            place = client.pc
            check(place != vector, f"at {n} only the vector is seen")
            seen = [(client.step(), client.n, client.pc) for _ in range(2)]
            seen += [(client.reverse_step(), client.n, client.pc) for _ in range(2)]
            expected = [("swbreak", n, vector), ("signal", n + 1, vector + 4), ("swbreak", n, vector), ("signal", n, place)]
            found = [(stop.kind, at, pc) for stop, at, pc in seen]
            check(found == expected, f"{found}, expected {expected}")
            stop = client.resume(f"vCont;r{place:x},{place + 4:x}:1")
            check((stop.kind, client.n, client.pc) == expected[0], f"a range step from {n}: {stop} at {client.n}")
            client.remove(rsp.SOFTWARE, vector)
            client.monitor("steps interrupts on")
            check(client.step().kind == "signal" and client.n == n + 1, "the breakpoint is gone, and a step stops")
            client.monitor("steps interrupts off")


if __name__ == "__main__":
    harness.main()
