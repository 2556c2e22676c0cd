"""vCPUs as gdb's threads: their steps in both directions, registers, memory, stops, and what gdb says of them.

Whose turn it was is computed here a second time, from the trace's SWITCH events: at each position one vCPU executes, and
its thread's places are those positions.
"""
import bisect
import re

import rsp
import session
from session import SOAK, check, harness, rng, test

VCPUS = 4
PLACES = 50 if SOAK else 4
STEPS = 1000 if SOAK else 40
PAYLOAD_PLACES = 30 if SOAK else 3
HITS = 60 if SOAK else 12
RANGES = 200 if SOAK else 12
RANGE_BYTES = 256
IDLE, SWITCH, WAITS, OFF = 10, 14, 2, 3  # EVENT_IDLE, EVENT_SWITCH; enum switch_reason
NOWHERE = (1 << 64) - 1


class Turns:
    """[start, end) of each turn, and whose it was."""

    def __init__(self, trace, start=0):
        self.events = harness.events(trace)
        switches = [event for event in self.events if event.kind == SWITCH]
        ends = [event.n for event in switches] + [self.events[-1].n]
        starts = [start] + ends[:-1]
        whose = [self.events[0].vcpu] + [event.address for event in switches]
        self.all = [turn for turn in zip(starts, ends, whose) if turn[0] < turn[1]]
        self.starts = [turn[0] for turn in self.all]
        self.switches = switches

    def at(self, n):
        """Who executes at position n."""
        return self.all[bisect.bisect_right(self.starts, n) - 1][2]

    def next(self, vcpu, n):
        """Its first place from n on; None: it has none."""
        for start, end, whose in self.all[max(0, bisect.bisect_right(self.starts, n) - 1):]:
            if whose == vcpu and end > n:
                return max(start, n)
        return None

    def last(self, vcpu, n):
        """Its last place before n."""
        for start, end, whose in reversed(self.all[:bisect.bisect_left(self.starts, n)]):
            if whose == vcpu and start < n:
                return min(end, n) - 1
        return None


def smp(name):
    """A payload's trace, with VCPUS vCPUs."""
    harness.record("--smp", str(VCPUS), harness.payload(name))
    return "trace"


def snapshot(client):
    """Position, the registers of all threads, and a hash of all of memory."""
    memory, good = client.monitor("hash")
    check(good, f"monitor hash: {memory}")
    return client.n, client.registers_of_all(), memory


def expect_step(stop, thread, what):
    check(stop.kind == "signal" and stop.signal == 5, f"{what}: {stop}")
    check(stop.thread == thread, f"{what}: the stop is thread {stop.thread}'s")


def same(now, before, what, trace):
    for part, a, b in zip(("position", "registers", "memory"), now, before):
        if part == "registers":
            a, b = ({thread: text for thread, text in side.items() if now[1][thread] != before[1][thread]} for side in (a, b))
        check(a == b, f"{what}: other {part}: {a} instead of {b}", trace)


def mirrored(client, turns, start, thread, steps, trace):
    """Steps of one thread there and back. It begins at one of the thread's places, or else comes to one by a step."""
    client.seek(start)
    n = turns.next(thread - 1, start)
    if n is None:
        return 0
    visited = [snapshot(client)] if n == start else []
    for i in range(steps):
        after = turns.next(thread - 1, n + 1)
        stop = client.step(thread)
        expect_step(stop, thread, f"step {i} of thread {thread} from {start}")
        n = n + 1 if after is None else after
        visited.append(snapshot(client))
        check(visited[-1][0] == n, f"step {i} of thread {thread} from {start} led to {visited[-1][0]}, not {n}", trace)
        if after is None:
            break
    for before in reversed(visited[:-1]):
        expect_step(client.reverse_step(thread), thread, f"step back of thread {thread} to {before[0]}")
        same(snapshot(client), before, f"thread {thread} from {start}, backwards at {before[0]}", trace)
    return len(visited)


def starts(turns, count, steps):
    """Half of them anywhere, the others a little before another vCPU has its turn."""
    end = turns.all[-1][1]
    for i in range(count):
        n = rng.randrange(turns.switches[0].n, end) if i % 2 else rng.choice(turns.switches).n - rng.randrange(steps // 2)
        yield min(max(n, 0), end - 1)


@test
def steps_of_a_thread_mirror_in_debian():
    trace = session.debian_trace(vcpus=VCPUS)
    turns, done = Turns(trace), 0
    with session.Server(trace) as server, server.client() as client:
        client.monitor("steps interrupts on")
        for i, start in enumerate(starts(turns, PLACES, STEPS)):
            thread = turns.at(start) + 1 if i % 4 < 2 else rng.randint(1, VCPUS)
            done += mirrored(client, turns, start, thread, STEPS, trace)
    session.say(f"{PLACES} places, {done} steps there and back (SEED={harness.seed})")
    check(done >= PLACES * STEPS // 2, f"only {done} steps")


@test
def steps_of_a_thread_mirror_in_payloads():
    for name in ("smp_start", "smp_pingpong", "smp_timers"):
        trace = smp(name)
        turns = Turns(trace)
        with session.Server(trace) as server, server.client() as client:
            client.monitor("steps interrupts on")
            for start in starts(turns, PAYLOAD_PLACES, STEPS):
                mirrored(client, turns, start, rng.randint(1, VCPUS), STEPS, trace)


@test
def a_thread_that_executes_nothing_any_more_is_stepped_to_the_end():
    turns = Turns(smp("smp_start"))
    with session.Server() as server, server.client() as client:
        end = client.position()[1]
        lasts = {vcpu: turns.last(vcpu, end) for vcpu in range(VCPUS)}
        quiet = [vcpu for vcpu in lasts if lasts[vcpu] < end - 1]
        check(quiet, f"all vCPUs run to the end: {lasts}")
        for vcpu in quiet:
            client.seek(lasts[vcpu])
            expect_step(client.step(vcpu + 1), vcpu + 1, "its last step")
            check(client.n == lasts[vcpu] + 1, f"its last step led to {client.n}, not behind {lasts[vcpu]}")
            stop = client.step(vcpu + 1)
            check((stop.kind, stop.thread, client.n) == ("end", vcpu + 1, end), f"{stop} of {stop.thread} at {client.n}")
            expect_step(client.reverse_step(vcpu + 1), vcpu + 1, "back to its last instruction")
            check(client.n == lasts[vcpu], f"back to {client.n}, not {lasts[vcpu]}")
        first = {vcpu: turns.next(vcpu, 0) for vcpu in range(VCPUS)}
        late = max(first, key=first.get)
        client.seek(first[late])
        stop = client.reverse_step(late + 1)
        check((stop.kind, client.n) == ("begin", 0), f"before its first instruction: {stop} at {client.n}")


@test
def threads_say_what_they_do():
    trace = session.debian_trace(vcpus=VCPUS)
    turns = Turns(trace)
    seen = set()
    with session.Server(trace) as server, server.client() as client:
        for _ in range(30):
            n = rng.randrange(turns.all[-1][1]) if rng.random() < 0.8 else rng.randrange(turns.switches[0].n)
            client.seek(n)
            when = client.monitor("when")[0]
            check(f", vcpu {turns.at(n)}, " in when, f"{when!r} where vCPU {turns.at(n)} executes")
            for thread, text in client.threads().items():
                left = [event for event in turns.switches if event.n <= n and event.vcpu == thread - 1]
                came = [event for event in turns.switches if event.n <= n and event.address == thread - 1]
                expected = "running" if turns.at(n) == thread - 1 else "off" if not left and not came else \
                    {WAITS: "waiting in WFI", OFF: "off"}.get(left[-1].value, "ready")
                client.select(thread)
                level = client.register(rsp.CPSR) >> 2 & 3
                check(text == (expected if expected == "off" else f"{expected}, EL{level}"),
                      f"thread {thread} at {n}: {text!r} instead of {expected!r} at EL{level}")
                seen.add(text)
    check({"off", "waiting in WFI, EL1", "running, EL1"} <= seen, f"only {seen}")


def hits(client, back, count):
    """The next `count`; or HITS and more, until two threads were among them."""
    found = []
    while len(found) < (count or HITS) or (not count and len({thread for _, thread, _, _ in found}) < 2):
        stop = client.go_back() if back else client.go_on()
        if stop.kind in ("begin", "end"):
            break
        client.select(stop.thread)
        found.append((client.n, stop.thread, client.pc, stop.kind))
    return found


@test
def breakpoints_see_every_vcpu():
    turns = Turns(smp("smp_timers"))
    take = session.symbols("smp_timers")["exception_take"]
    with session.Server() as server, server.client() as client:
        client.seek(f"{rng.randint(5, 20)}%")
        client.insert(rsp.SOFTWARE, take)
        on = hits(client, False, None)
        for n, thread, pc, kind in on:
            check(kind == "swbreak" and turns.at(n) == thread - 1 and pc == take, f"{kind} of {thread} at {n}")
        check(len({thread for _, thread, _, _ in on}) > 1, f"only of {on[0][1]}")
        back = hits(client, True, len(on) - 1)
        check(back == on[-2::-1], f"backwards {back[:3]}, not {on[-2:-5:-1]}")


@test
def watchpoints_name_who_accesses():
    turns = Turns(smp("smp_race"))
    jobs = session.symbols("smp_race")["jobs"]
    with session.Server() as server, server.client() as client:
        def written(back):
            client.insert(rsp.WATCH, jobs, 8)
            stop = client.go_back() if back else client.go_on()
            client.remove(rsp.WATCH, jobs, 8)
            n = client.n
            if stop.kind != "watch":
                return None
            check(turns.at(n - 1 if back else n) == stop.thread - 1, f"{stop} of thread {stop.thread} at {n}")
            expect_step(client.reverse_step(stop.thread) if back else client.step(stop.thread), stop.thread, "over it")
            return n - 1 if back else n, stop.thread
        client.seek("50%")
        on = [written(False) for _ in range(HITS)]
        check(len({thread for _, thread in on}) == 2, f"only one vCPU writes: {on}")
        back = [written(True) for _ in range(HITS)]
        check(back == on[::-1], f"backwards {back[:3]}, not {on[:-4:-1]}")


STORE, STORE_MASK = 0xf9000000, 0xffc00000  # str xT, [xN, #offset]


@test
def an_access_that_ends_a_turn_is_of_the_one_who_leaves():
    harness.record("--smp", str(VCPUS), "--turns", "random:5", "--console", "none", harness.payload("smp_atomics"))
    turns, found = Turns("trace"), 0
    with session.Server() as server, server.client() as client:
        for event in rng.sample(turns.switches, len(turns.switches)):
            if found == 3:
                break
            if event.value in (WAITS, OFF) or turns.at(event.n - 1) == turns.at(event.n):
                continue
            client.seek(event.n - 1)
            client.select(event.vcpu + 1)
            word = int.from_bytes(client.memory(client.pc, 4) or bytes(4), "little")
            if word & STORE_MASK != STORE:
                continue
            base = word >> 5 & 31
            address = client.register(rsp.SP if base == 31 else base) + (word >> 10 & 0xfff) * 8
            client.seek(event.n + 1)
            client.insert(rsp.WATCH, address, 8)
            stop = client.go_back()
            client.remove(rsp.WATCH, address, 8)
            check(stop.kind == "watch" and client.n == event.n, f"{stop} at {client.n}, not {event.n}")
            check(stop.thread == event.vcpu + 1, f"the store of vCPU {event.vcpu} is told for thread {stop.thread}'s")
            expect_step(client.reverse_step(stop.thread), stop.thread, "back over it")
            check(client.n == event.n - 1, f"back over it to {client.n}, not {event.n - 1}")
            found += 1
    check(found, f"none of {len(turns.switches)} turns ends with a store")


@test
def at_the_end_of_idle_time_it_is_the_turn_of_who_goes_on():
    """The view stands before the SWITCH there."""
    turns, found = Turns(smp("smp_timers")), 0
    with session.Server() as server, server.client() as client:
        for event in turns.events:
            later = [one for one in turns.events[event.index:event.index + 6] if one.n == event.n and one.kind == SWITCH]
            if event.kind != IDLE or not later or found == 5:
                continue
            client.seek(event.n)
            expected = later[-1].address
            when = client.monitor("when")[0]
            check(f", vcpu {expected}, " in when, f"{when!r}, where vCPU {expected} goes on")
            threads = client.threads()
            check(threads[expected + 1].startswith("running"), f"{threads} at {event.n}")
            check(event.vcpu == expected or threads[event.vcpu + 1].startswith("waiting"), f"{threads} at {event.n}")
            client.select(expected + 1)
            pc = client.pc
            client.insert(rsp.SOFTWARE, pc)
            client.seek(event.n - 1)
            stop = client.go_on()
            client.remove(rsp.SOFTWARE, pc)
            check((client.n, stop.thread) != (event.n, event.vcpu + 1) or event.vcpu == expected, f"{stop} of {stop.thread}")
            found += 1
    check(found, "there is no such place")


@test
def a_range_is_of_one_thread():
    """Others come through the same code meanwhile. It ends at the first place of the thread that is outside: the one
    before is inside, and so are those between. With interrupts passed over, a step back would pass over one, too."""
    long = 0
    for name in ("smp_pingpong", "smp_race"):
        turns = Turns(smp(name))
        with session.Server() as server, server.client() as client:
            client.monitor("steps interrupts on")
            for _ in range(RANGES):
                start = rng.randrange(turns.switches[2].n, turns.all[-1][1] - 1000)
                thread = turns.at(start) + 1

                def is_inside(n):
                    client.seek(n)
                    client.select(thread)
                    return low <= client.pc < low + RANGE_BYTES

                client.seek(start)
                client.select(thread)
                low = client.pc & -RANGE_BYTES
                stop = client.resume(f"vCont;r{low:x},{low + RANGE_BYTES:x}:{thread:x};c")
                if stop.kind == "end":
                    continue
                expect_step(stop, thread, f"a range from {start}")
                at = client.n
                check(not is_inside(at), f"the range from {start} ended inside of it, at {client.pc:#x}")
                between = [turns.next(thread - 1, rng.randrange(start, at)) for _ in range(5)]
                for n in [turns.last(thread - 1, at)] + [n for n in between if n < at]:
                    check(is_inside(n), f"the range of {name} from {start} ran on from {n} to {at}, thread {thread}")
                long += at - start > 1000
    check(long > 0, "no range was run through")


@test
def each_thread_has_its_own_tables():
    trace = session.debian_trace(vcpus=VCPUS)
    turns, compared = Turns(trace), 0
    with session.Server(trace) as server, server.client() as client:
        for _ in range(200):
            if compared == 3:
                break
            client.seek(rng.randrange(turns.all[-1][1] * 9 // 10, turns.all[-1][1]))
            stacks = {}
            for thread in client.threads():
                client.select(thread)
                stack = client.register(rsp.SP_EL0)
                if client.register(rsp.CPSR) & 0xc == 0 and client.memory(stack & -16, 64):
                    stacks[thread] = stack & -16, client.memory(stack & -16, 64)
            others = [(a, b) for a in stacks for b in client.threads() if a != b]
            for a, b in others:
                client.select(b)
                other = client.memory(stacks[a][0], 64)
                client.select(a)
                check(client.memory(*stacks[a][:1], 64) == stacks[a][1], "its memory is another one now")
                compared += other != stacks[a][1]
    check(compared, "no place with two address spaces was found")


@test
def switches_are_places_to_go_to():
    turns = Turns(smp("smp_timers"))
    ns = sorted({event.n for event in turns.switches})
    with session.Server() as server, server.client() as client:
        for _ in range(5):
            n = rng.randrange(client.position()[1])
            after = [at for at in ns if at > n]
            before = [at for at in ns if at < n]
            for word, expected in (("next", after[:1]), ("prev", before[-1:])):
                client.seek(n)
                text, good = client.monitor(f"{word} switch")
                check(good == bool(expected) and (not good or client.n == expected[0]), f"{word} switch from {n}: {text}")
                check(not good or "SWITCH to vCPU" in text, text)
            vcpu = rng.randrange(VCPUS)
            mine = [event.n for event in turns.switches if event.n > n and vcpu in (event.vcpu, event.address)]
            client.seek(n)
            text, good = client.monitor(f"next switch {vcpu}")
            check(good == bool(mine) and (not good or client.n == mine[0]), f"next switch {vcpu} from {n}: {text}")
        for wrong in (str(VCPUS), "x", "-1"):
            text, good = client.monitor(f"next switch {wrong}")
            check(not good and "vCPU" in text, f"next switch {wrong}: {text}")


@test
def a_diversion_has_all_vcpus():
    turns = Turns(smp("smp_timers"))
    with session.Server() as server, server.client() as client:
        start = turns.switches[len(turns.switches) // 2].n + 3
        client.seek(start)
        before = snapshot(client)
        waiting = next(iter(thread for thread, text in client.threads().items() if text.startswith("waiting")), None)
        check(waiting, f"nobody waits at {start}: {client.threads()}")
        running = turns.at(start) + 1
        client.select(waiting)
        client.set_register(7, 0x1234567)
        check(client.register(7) == 0x1234567, "what was written is not there")
        check("diversion from" in client.monitor("when")[0], "no diversion began")
        client.select(running)
        check(client.registers() == before[1][running], "another thread's registers changed")
        for thread in (running, waiting):
            client.select(thread)
            pc = client.pc
            expect_step(client.step(thread), thread, f"a step of thread {thread} in a diversion")
            client.select(thread)
            check(client.pc != pc, f"thread {thread} did not move in a diversion, {client.threads()}")
        client.insert(rsp.SOFTWARE, session.symbols("smp_timers")["smp_print"])
        stop = client.go_on()
        check(stop.kind == "swbreak", f"the diverted guest does not go on: {stop}")
        text, good = client.monitor("back-to-replay")
        check(good, text)
        same(snapshot(client), before, "back from the diversion", "trace")


@test
def a_race_is_hunted():
    """As in docs/GDB.md: from the fault to the store, to what the other vCPU did before it."""
    with session.served("smp_race", options=("--smp", "2")) as server:
        script = """
break fault_taken
continue
printf "@FAULT=%d\\n", $_thread
set $job = jobs
printf "@GONE=%#lx\\n", $job->work
watch -l jobs
reverse-continue
printf "@STORE=%d %lx\\n", $_thread, $job == next
frame function jobs_cancel_first
delete 2
watch -l $job->work
reverse-continue
printf "@DONE=%d\\n", $_thread
frame function jobs_do
thread 2
frame function jobs_cancel_first
printf "@READ=%d\\n", 1
"""
        out = session.gdb(server, script, "smp_race")
    found = session.marked(out)
    check(found.get("FAULT") == ["1"] and found.get("GONE") == ["0xdead000000000100"], f"the fault: {found}, {out[-1500:]}")
    check(found.get("STORE") == ["2 1"], f"the store: {found}, {out[-1500:]}")
    check(found.get("DONE") == ["1"] and "READ" in found, f"the job was done: {found}, {out[-1500:]}")


@test
def gdb_tells_of_threads():
    trace = session.debian_trace(vcpus=VCPUS)
    n = 2 * Turns(trace).all[-1][1] // 3
    with session.Server(trace) as server:
        script = f"""
monitor seek {n}
maintenance flush register-cache
info threads
thread 2
set $before = $pc
stepi
reverse-stepi
printf "@BACK=%d\\n", $pc == $before
thread apply all printf "@PC=%#lx\\n", $pc
thread apply all -s backtrace 2
reverse-stepi
printf "@THREAD=%d\\n", $_thread
"""
        out = session.gdb(server, script, "smp_race")
    threads = re.findall(r'^[* ] +(\d) +Thread \d+ "vcpu(\d)" \(([^)]*)\)', out, re.MULTILINE)
    check([(int(number), int(vcpu)) for number, vcpu, _ in threads] == [(i + 1, i) for i in range(VCPUS)], out[-2000:])
    check(sum(text.startswith("running") for _, _, text in threads) == 1, f"{threads}")
    found = session.marked(out)
    check(found["BACK"] == ["1"] and len(found["PC"]) == VCPUS and found["THREAD"] == ["2"], f"{found}, {out[-2000:]}")


if __name__ == "__main__":
    harness.main()
