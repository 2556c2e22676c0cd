"""Diversions: what gdb writes and calls, how such a guest runs on by itself, how it ends, and that nothing of it stays."""
import re
import time

import rsp
import session
from session import SOAK, check, harness, rng, test

DIVERSIONS = 200 if SOAK else 6
V0, FPSR, FPCR, SYSTEM_FIRST = 34, 66, 67, 68
BRANCH_TO_SELF = bytes.fromhex("00000014")
VBAR_EL1 = 82
EXIT = 9  # the number of EVENT_EXIT
EL2H = 0x3c9
NEVER = bytes([0x22, 0, 0x27])  # an agent expression: 0
UNMAPPED = 0xffff000000000000


def when(client):
    """Where the diversion began (None: there is none), and the instruction count."""
    text, good = client.monitor("when")
    match = re.match(r"(?:\.+\n)?(?:diversion from (\d+): )?instruction (\d+)", text)
    check(good and match, f"monitor when: {text!r}")
    return int(match[1]) if match[1] else None, int(match[2])


def everything(client, symbols):
    """All that gdb sees of registers, and the payload's data."""
    system = [client.request(f"p{number:x}") for number in range(SYSTEM_FIRST, SYSTEM_FIRST + 56)]
    return client.registers(), system, client.memory(symbols["slots"], 1024)


def verify(client):
    text, good = client.monitor("verify")
    check(good and "the final state hash agrees" in text, f"verify: {text!r}")


def at_job_add(client, symbols, times=5):
    client.insert(rsp.SOFTWARE, symbols["job_add"])
    for _ in range(times):
        check(client.go_on().kind == "swbreak", "job_add is not reached")
    client.remove(rsp.SOFTWARE, symbols["job_add"])


HUNT = '''
break job_add if cost == 5
continue
printf "@cost=%d\\n", jobs->cost
set var jobs->cost = 4711
set var $x20 = 7
set var $v3.d.u[1] = 0x1234
set var $TPIDR_EL1 = 99
printf "@cost=%d\\n", jobs->cost
printf "@registers=%d %d %d\\n", $x20, $v3.d.u[1], $TPIDR_EL1
printf "@call=%d\\n", job_is_valid(jobs)
printf "@call=%d\\n", job_is_valid((struct job *)16)
printf "@slot=%d\\n", slot_get() == &slots[11] || 1
printf "@pc=%d\\n", $pc == job_add
tbreak jobs_cost
continue
printf "@frame=%d\\n", $pc >= jobs_cost && $pc < jobs_cost + 64
monitor back-to-replay
maintenance flush register-cache
maintenance flush dcache
printf "@cost=%d\\n", jobs->cost
printf "@registers=%d %d %d\\n", $x20 == 7, $v3.d.u[1] == 0x1234, $TPIDR_EL1 == 99
printf "@pc=%d\\n", $pc == job_add
set var jobs->cost = 1
reverse-stepi
printf "@function=%d\\n", $pc < job_add || $pc > job_add + 64
printf "@cost=%d\\n", jobs->cost
monitor verify
delete
set var jobs->cost = 1
continue
monitor when
'''


@test
def gdb_writes_calls_and_goes_back():
    with session.served("corruption") as server:
        output = session.gdb(server, HUNT, "corruption")
    found = session.marked(output)
    check(found["cost"] == ["4", "4711", "4", "4"], f"{found}: {output[-1500:]}")
    check(found["registers"] == ["7 4660 99", "0 0 0"], f"{found}")
    check(found["call"] == ["1", "0"] and found["slot"] == ["1"], f"{found}")
    check(found["pc"] == ["1", "1"] and found["frame"] == ["1"] and found["function"] == ["1"], f"{found}")
    check("the final state hash agrees" in output, f"{output[-600:]}")
    check("the diverted guest powered off" in output and "SIGTERM" in output, f"{output[-600:]}")
    check(re.search("(PASS|FAIL) corruption", output), "the diverted guest's console is not shown")


@test
def every_register_takes_a_value_or_refuses_it():
    symbols = session.symbols("corruption")
    with session.served("corruption") as server, server.client() as client:
        at_job_add(client, symbols)
        before = everything(client, symbols)
        for number in (*range(0, 31), rsp.SP):
            client.set_register(number, 0x1122334455667700 + number)
        for number in range(V0, V0 + 32):
            client.set_register(number, (number << 64) + 5, 16)
        client.set_register(FPSR, 0x08000000, 4)
        client.set_register(FPCR, 0x01000000, 4)
        check(client.register(3) == 0x1122334455667703 and client.register(V0 + 2) == (36 << 64) + 5, "not written")
        client.step()
        check(client.register(FPSR) == 0x08000000 and client.register(FPCR) == 0x01000000, "the CPU did not take them")
        refused = [number for number in range(SYSTEM_FIRST, SYSTEM_FIRST + 56)
                   if client.request(f"P{number:x}={'55' * 8}") != "OK"]
        check(len(refused) == 1, f"refused system registers: {refused}")
        check(client.request(f"P{rsp.CPSR:x}={EL2H.to_bytes(4, 'little').hex()}") == "E01", "PSTATE of EL2 was taken")
        client.expect_ok("G" + before[0])
        check(client.registers() == before[0], "G does not bring back what g gave")
        client.monitor("back-to-replay")
        check(everything(client, symbols) == before, "the recording has other registers")
        verify(client)


@test
def writes_that_cannot_be_are_refused_and_lose_nothing():
    with session.served("corruption") as server, server.client() as client:
        for address in (0x10, 0x09000000, 0x08000000, 1 << 56, (1 << 64) - 8):
            check(client.request(f"M{address:x},4:01020304")[:1] == "E", f"a write to {address:x} was taken")
        client.expect_ok(f"M{client.pc:x},4:{client.memory(client.pc, 4).hex()}")
        client.set_register(5, client.register(5))
        check(when(client)[0] is None, "what is there already is no change")
        text, good = client.monitor("back-to-replay")
        check(not good and "already" in text, f"{text!r}")
        client.set_register(5, 77)
        for command in ("checkpoint", "verify"):
            text, good = client.monitor(command)
            check(not good and "back-to-replay" in text and text.count("\n") == 1, f"{command}: {text!r}")
        check(client.register(5) == 77 and when(client)[0] == 0, "a refused command ended the diversion")
        text, good = client.monitor("seek 10")
        check(good and text.startswith("back to the recording, instruction 0\n"), f"{text!r}")
        check(when(client) == (None, 10), "seek does not lead back")


@test
def breakpoints_and_watchpoints_hit_while_they_last():
    symbols = session.symbols("corruption")
    with session.served("corruption") as server, server.client() as client:
        at_job_add(client, symbols)
        origin = client.n
        client.set_register(0, 1000)  # cost
        client.insert(rsp.WATCH, symbols["jobs"], 8)
        stop = client.go_on()
        check(stop.kind == "watch" and stop.address == symbols["jobs"], f"{stop.kind}")
        before = client.u64(symbols["jobs"])
        client.remove(rsp.WATCH, symbols["jobs"], 8)
        client.step()
        job = client.u64(symbols["jobs"])
        check(job != before and client.u64(job) == 1000, "the watched store did not store")
        client.insert(rsp.SOFTWARE, symbols["jobs_cost"])
        check(client.go_on().kind == "swbreak" and client.pc == symbols["jobs_cost"], "jobs_cost is not reached")
        there = when(client)[1]
        for i in range(6):
            client.insert(rsp.HARDWARE, symbols["guest_main"] + 4 * i)
        stop = client.go_on()
        check(stop.signal == 5 and "6 breakpoints" in client.console and client.console.count("\n") == 1,
              f"{stop.kind}: {client.console!r}")
        check(when(client) == (origin, there), "it moved")
        for i in range(6):
            client.remove(rsp.HARDWARE, symbols["guest_main"] + 4 * i)
        client.remove(rsp.SOFTWARE, symbols["jobs_cost"])
        check(client.go_on().signal == 15, "no power off")
        check(client.go_back().kind == "begin", "reverse-continue does not come to the start")
        verify(client)


@test
def a_second_diversion_may_begin_with_an_interrupt():
    """Positions go back from one to the next. The place: long after an event, and before one that is an EXIT."""
    with session.served("timer_virtual") as server, server.client() as client:
        listed = harness.events("trace")
        before, at = next((a, b) for a, b in zip(listed, listed[1:]) if b.kind == EXIT and b.n > a.n + 100000)
        for _ in range(2):
            client.seek((before.n + at.n) // 2)
            client.set_register(28, 0x1234567)
            stop = client.go_on()
            check(stop.signal == 15, f"no power off: {stop.kind} {client.console!r}")
            check(client.monitor("back-to-replay")[1], "there is no way back")
        verify(client)


@test
def interrupt_ends_an_endless_diversion():
    with session.served("corruption") as server, server.client() as client:
        client.seek("50%")
        pc, before = client.pc, client.registers()
        client.set_memory(pc, BRANCH_TO_SELF)
        for after in (0, 0.01, 0.3):
            client.send("vCont;c")
            time.sleep(after)
            client.interrupt()
            stop = client.wait_stop()
            check(stop.kind == "signal" and stop.signal == 2, f"{stop.kind}")
        client.monitor("back-to-replay")
        check(client.registers() == before and client.memory(pc, 4) != BRANCH_TO_SELF, "not what it was")
        verify(client)


@test
def interrupt_ends_a_step_that_never_ends():
    with session.served("corruption") as server, server.client() as client:
        client.seek("50%")
        before = client.registers()
        # No vector can be fetched: exceptions without end, and no instruction retires.
        client.set_register(VBAR_EL1, UNMAPPED)
        client.set_register(rsp.PC, UNMAPPED)
        client.send("vCont;s:1")
        time.sleep(0.1)
        client.interrupt()
        stop = client.wait_stop()
        check(stop.kind == "signal" and stop.signal == 2, f"{stop.kind}")
        client.monitor("back-to-replay")
        check(client.registers() == before, "not what it was")
        verify(client)


def expect_end(client, text):
    stop = client.go_on()
    check(stop.signal == 15 and text in client.console, f"{stop.kind}: {client.console!r}")


@test
def a_guest_that_ends_stays_in_the_session():
    symbols = session.symbols("corruption")
    with session.served("corruption") as server, server.client() as client:
        at_job_add(client, symbols)
        origin, before = client.n, everything(client, symbols)
        client.set_register(0, 9)
        expect_end(client, "powered off")
        expect_end(client, "powered off")
        stop = client.reverse_step()
        check(when(client) == (None, origin - 1), f"{stop.kind}, at {when(client)}")
        client.step()
        check(everything(client, symbols) == before, "not what it was")
        verify(client)
    with session.served("wfi_forever", status=3) as server, server.client() as client:
        client.set_register(9, 9)
        expect_end(client, "waits for an interrupt that cannot come")
        check("sleeping" in client.console, f"{client.console!r}")
        expect_end(client, "waits for an interrupt that cannot come")
    with session.served("unsupported", status=3) as server, server.client() as client:
        client.set_register(9, 9)
        expect_end(client, "does not emulate")
    with session.served("reset") as server, server.client() as client:
        client.set_register(9, 9)
        expect_end(client, "reset")


@test
def clients_that_leave_take_their_diversion_along():
    symbols = session.symbols("corruption")
    with session.served("corruption") as server:
        for leave in ("D", "k", None):
            with server.client() as client:
                client.seek(0)
                at_job_add(client, symbols)
                origin, before = client.n, client.registers()
                client.set_register(0, 9)
                client.step()
                if leave:
                    client.send(leave)
                else:
                    client.set_memory(client.pc, BRANCH_TO_SELF)
                    client.send("vCont;c")
            with reconnect(server) as client:
                check(when(client) == (None, origin) and client.registers() == before, f"after {leave}")
                verify(client)


def reconnect(server):
    for _ in range(100):
        try:
            return server.client()
        except rsp.Gone:
            time.sleep(0.02)
    return server.client()


@test
def stepping_passes_an_exclusive_sequence():
    symbols = session.symbols("exclusives")
    with session.served("exclusives") as server, server.client() as client:
        client.insert(rsp.WATCH, symbols["sum"], 8)
        for _ in range(4):
            check(client.go_on().kind == "watch", "the sum is not reached")
            client.remove(rsp.WATCH, symbols["sum"], 8)
            client.step()
            client.insert(rsp.WATCH, symbols["sum"], 8)
        client.remove(rsp.WATCH, symbols["sum"], 8)
        client.set_memory(symbols["sum"], (1000).to_bytes(8, "little"))
        steps = 0
        while client.u64(symbols["sum"]) < 1050:
            check(client.step().signal == 5, "a step did not end")
            steps += 1
            check(steps < 5000, f"{steps} steps, and the sum is {client.u64(symbols['sum'])}")
        text, _ = client.monitor("back-to-replay")
        check(text.startswith("back"), text)
        check(client.u64(symbols["sum"]) < 50, "the recording's sum was changed")
        verify(client)


@test
def steps_pass_an_access_whose_condition_is_false():
    symbols = session.symbols("corruption")
    with session.served("corruption") as server, server.client() as client:
        point = rsp.WATCH, symbols["jobs"], 8
        client.insert(*point)
        check(client.go_on().kind == "watch", "jobs is not written")
        client.remove(*point)
        client.insert(*point, condition=NEVER)
        start = client.pc
        for resume in ("vCont;s:1", f"vCont;r{start:x},{start + 4:x}:1"):
            client.monitor("back-to-replay")
            client.set_register(rsp.X0 + 28, 1)
            stop = client.resume(resume)
            check(stop.kind == "signal" and client.pc == start + 4, f"{resume}: {stop} at {client.pc:#x} from {start:#x}")


def divert(client, place):
    """One random diversion at `place`; whatever becomes of the guest."""
    client.seek(place)
    for _ in range(rng.randrange(1, 4)):
        if rng.random() < 0.5:
            client.set_register(rng.randrange(31), rng.getrandbits(64))
        else:
            client.request(f"M{client.register(rsp.SP):x},8:{rng.randbytes(8).hex()}")
            client.set_register(rng.randrange(31), rng.getrandbits(64))
    for _ in range(rng.randrange(4)):
        client.step()
    if rng.random() < 0.7:
        client.resume("vCont;c", rng.random() / 5)


@test
def nothing_of_a_diversion_stays_in_a_kernel():
    with session.Server(session.debian_trace()) as server, server.client() as client:
        end = client.position()[1]
        for _ in range(DIVERSIONS):
            place = rng.randrange(end)
            client.seek(place)
            before = client.registers(), client.memory(client.register(rsp.SP), 512)
            divert(client, place)
            if rng.random() < 0.5:
                check(client.monitor("back-to-replay")[1], "back-to-replay failed")
            else:
                client.reverse_step()
                client.step()
            check(when(client) == (None, place), f"left {place}, came back to {when(client)}")
            check((client.registers(), client.memory(client.register(rsp.SP), 512)) == before, f"another guest at {place}")
        verify(client)


if __name__ == "__main__":
    harness.main()
