"""Steps pass over interrupts, in both directions, and what still stops in a handler; the payload lines is interrupted all
the time."""
import rsp
import session
from session import SOAK, check, harness, rng, test

PLACES = 100 if SOAK else 6
STEPS = 300 if SOAK else 40
EXIT = 9  # the number of EVENT_EXIT
VBAR_EL1 = 82
VECTOR_BYTES, VECTORS_BYTES = 0x80, 0x800

WHERE = '''
python
import gdb
def where(name):
    gdb.execute("monitor when")
    print("@%s=%d" % (name, gdb.selected_frame().find_sal().line))
end
'''


def source_line(text):
    with open(f"{harness.TOP}/tests/guest/lines.c", encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if text in line)


def lines_of(server, script):
    """The lines where `where` was called, by name."""
    output = session.gdb(server, f"source {harness.TOP}/tools/gdb/hvrec.py\n" + WHERE + script, "lines")
    found = {name: [int(value) for value in values] for name, values in session.marked(output).items()}
    return found, output


def commands(name, command, times):
    return f"{command}\npython where('{name}')\n" * times


FIRST, LAST = "uint64_t a = work(SHORT);", "timer_storm_stop();"


@test
def next_goes_from_line_to_line_and_back():
    first, last = source_line(FIRST), source_line(LAST)
    texts = ("for (uint64_t i = 0; i < LOOPS", "sum += i;", "sum += a;", "a = work(LONG);", "svc #1")
    loop, body, *rest = map(source_line, texts)
    with session.served("lines") as server:
        found, output = lines_of(server, f"tbreak lines.c:{first}\ncontinue\n" + commands("on", "next", 3) +
                                 f"until {rest[0]}\npython where('until')\n" + commands("on", "next", 4) +
                                 commands("back", "reverse-next", 5))
    check(found.get("on") == [loop, body, loop, rest[1], rest[2], rest[2] + 1, last], f"{found}: {output[-1500:]}")
    check(found["until"] == [rest[0]], f"{found}")
    check(found["back"] == [rest[2] + 1, rest[2], rest[1], rest[0], loop], f"backwards: {found}: {output[-1500:]}")


@test
def step_goes_into_a_call_and_no_handler():
    work = source_line("uint64_t result = 0;")
    call = source_line("a = work(LONG);")
    with session.served("lines") as server:
        found, output = lines_of(server, f"tbreak lines.c:{call}\ncontinue\n" + commands("on", "step", 30) +
                                 "monitor when\n" + commands("back", "reverse-step", 26))
    check(set(found["on"]) == {work, work + 1, work + 2} and found["on"][0] == work, f"{found}: {output[-600:]}")
    check(set(found["back"]) == {work + 1, work + 2}, f"{found}: {output[-600:]}")


def interrupted_places(trace, client, count):
    """Positions at which an interrupt is taken."""
    exits = sorted({event.n for event in harness.events(trace) if event.kind == EXIT})
    found = []
    while len(found) < count:
        n = rng.choice(exits)
        client.seek(n)
        before = client.pc
        client.monitor("steps interrupts on")
        client.step()
        vector = client.named("VBAR_EL1") <= client.pc < client.named("VBAR_EL1") + VECTORS_BYTES
        client.monitor("steps interrupts off")
        if vector and client.named("ELR_EL1") == before:
            found.append(n)
    return found


@test
def a_step_passes_over_an_interrupt_and_back():
    with session.served("lines") as server, server.client() as client:
        for n in interrupted_places("trace", client, PLACES):
            client.seek(n)
            before = client.registers()
            stop = client.step()
            after, pc, behind = client.n, client.pc, client.registers()
            check(stop.kind == "signal" and after > n + 1, f"a step from {n}: {stop} at {after}")
            check(not client.named("VBAR_EL1") <= pc < client.named("VBAR_EL1") + VECTORS_BYTES,
                  f"a step from {n} ended in the vectors")
            client.seek(after - 1)
            check(client.registers() == before, f"the handler returned to another place than {n}")
            client.seek(after)
            stop = client.reverse_step()
            check((stop.kind, client.n, client.registers()) == ("signal", n, before), f"back to {n}: {stop} at {client.n}")
            client.seek(after - 1)  # behind the handler: gdb may stand there, too
            stop = client.step()
            check((client.n, client.registers()) == (after, behind), f"a step from {after - 1}: at {client.n}")
            client.seek(after - 1)
            stop = client.reverse_step()
            check(stop.kind == "signal" and client.n == n - 1, f"back from {after - 1}: {stop} at {client.n}, not {n - 1}")


@test
def breakpoints_and_watchpoints_in_a_handler_stop_a_step():
    names = session.symbols("lines")
    handler, counter = names["exception_take"], names["timer_irq_count"]
    with session.served("lines") as server, server.client() as client:
        for n in interrupted_places("trace", client, 3):
            client.seek(n)
            client.step()
            after = client.n
            for place in ((rsp.SOFTWARE, handler, 4), (rsp.WATCH, counter, 8), (rsp.SOFTWARE, client.named("VBAR_EL1") + 0x280, 4)):
                client.insert(*place)
                client.seek(n)
                on = client.step()
                there = client.n, client.pc
                client.seek(after)
                back = client.reverse_step()
                client.remove(*place)
                kind = "watch" if place[0] == rsp.WATCH else "swbreak"
                check((on.kind, back.kind) == (kind, kind), f"from {n} and {after}: {on}, {back}")
                check(n <= there[0] < after and client.n == there[0] + (kind == "watch"), f"{there}, back {client.n}")
                if kind == "swbreak":
                    check(there[1] == client.pc == place[1], f"{there}, back {client.pc:#x}")
            never = bytes([0x22, 0, 0x27])  # an agent expression: 0
            for address in (handler, client.named("VBAR_EL1") + 0x280):
                client.insert(rsp.SOFTWARE, address, condition=never)
                client.seek(n)
                on = client.step().kind, client.n
                back = client.reverse_step().kind, client.n
                client.remove(rsp.SOFTWARE, address)
                check((on, back) == (("signal", after), ("signal", n)), f"a false condition in the handler: {on}, {back}")


@test
def qemus_switch_shows_interrupts():
    with session.served("lines") as server, server.client() as client:
        check(client.request("qqemu.sstepbits") == "ENABLE=1,NOIRQ=2,NOTIMER=4", "qqemu.sstepbits")
        check(client.request("qqemu.sstep") == "0x7", "qqemu.sstep")
        n = interrupted_places("trace", client, 1)[0]
        for switch in ("Qqemu.sstep=0x5", "Qqemu.sstep=1"):
            client.expect_ok(switch)
            client.seek(n)
            client.step()
            check(client.n == n + 1, f"{switch}: a step from {n} goes to {client.n}")
        check("go into" in client.monitor("steps")[0], "monitor steps does not see it")
        check(client.request("Qqemu.sstep=8") == "E22" and client.request("Qqemu.sstep=") == "E22", "a bad value is taken")
        client.expect_ok("Qqemu.sstep=7")
        client.seek(n)
        client.step()
        check(client.n > n + 1, "the switch does not go back")
        for words in ("steps interrupts maybe", "steps on", "steps interrupts on off"):
            check("interrupts on, or" in client.monitor(words)[0], words)


def is_vector(client):
    offset = client.pc - client.register(VBAR_EL1)
    return 0 <= offset < VECTORS_BYTES and offset % VECTOR_BYTES == 0


def snapshot(client):
    return client.n, client.registers(), client.monitor("hash")[0]


def mirrored(client, trace, start):
    """Steps over interrupts there and back. An SVC's vector is a place only forwards."""
    client.seek(start)
    visited = [snapshot(client)]
    for i in range(STEPS):
        stop = client.step()
        check(stop.kind == "signal" and client.n > visited[-1][0], f"step {i} from {start}: {stop} at {client.n}")
        if is_vector(client):
            continue
        visited.append(snapshot(client))
    for expected in reversed(visited[:-1]):
        stop = client.reverse_step()
        check(snapshot(client) == expected, f"from {start}, backwards at {client.n} instead of {expected[0]}", trace)
    return visited[-1][0] - start


@test
def steps_over_interrupts_mirror_in_the_debian_kernel():
    trace = session.debian_trace()
    exits = sorted({event.n for event in harness.events(trace) if event.kind == EXIT})
    with session.Server(trace) as server, server.client() as client:
        ways = [mirrored(client, trace, max(0, rng.choice(exits[:-1]) - rng.randrange(STEPS // 2))) for _ in range(PLACES)]
    session.say(f"{PLACES} places, {STEPS} steps from each: {ways} instructions (SEED={harness.seed})")


DIVERTED = '''
tbreak WORK if count == 20000
continue
set var calls = 5
python
import gdb
start = int(gdb.execute("monitor when", to_string=True).split("instruction ")[1].split(",")[0])
lines = set()
for i in range(60):
    gdb.execute("next", to_string=True)
    lines.add(gdb.selected_frame().find_sal().line)
text = gdb.execute("monitor when", to_string=True)
print("@lines=%s" % sorted(lines))
print("@moved=%d" % (int(text.split("instruction ")[1].split(",")[0]) - start))
print("@irqs=%d" % int(gdb.parse_and_eval("timer_irq_count")))
end
'''


@test
def steps_of_a_diversion_pass_over_interrupts():
    work = source_line("uint64_t result = 0;")
    with session.served("lines") as server:
        output = session.gdb(server, DIVERTED.replace("WORK", f"lines.c:{work}"), "lines")
    found = session.marked(output)
    check(found.get("lines") == [str([work + 1, work + 2])] or found.get("lines") == [str([work + 1, work + 2, work + 3])],
          f"{found}: {output[-800:]}")


if __name__ == "__main__":
    harness.main()
