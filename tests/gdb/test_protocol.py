"""The session: interrupts, several clients, the ends of the recording, bad addresses, monitor commands."""
import os
import re
import select
import time

import rsp
import session
from session import check, harness, rng, test

UNMAPPED = (0x10, 0x1234_5678_9ab8, 1 << 56, (1 << 63) + 8, 0xfff7_ffff_ffff_f000, 0xffff_ffff_ffff_f000)


def interrupted(client, resume, after):
    """Resumes, presses Ctrl-C after a while, and answers where that stopped."""
    client.send(resume)
    time.sleep(after)
    since = time.monotonic()
    client.interrupt()
    stop = client.wait_stop()
    seconds = time.monotonic() - since
    check(seconds < 20, f"Ctrl-C took {seconds:.1f} s")
    return stop, client.n


@test
def interrupt_stops_a_run_in_both_directions():
    with session.Server(session.debian_trace()) as server, server.client() as client:
        end = client.position()[1]
        for after in (0, 0, 0.001, 0.002, 0.003, rng.random() / 5, 0.3):
            client.seek(end // 3)
            before = client.n
            stop, n = interrupted(client, "vCont;c", after)
            check(stop.kind == "end" or stop.signal == 2 and before <= n < end, f"forwards: {stop} at {n} of {end}")
        client.seek("80%")
        for after in (0, rng.random() / 5, 0.3):
            before = client.n
            stop, n = interrupted(client, "bc", after)
            check(stop.kind == "begin" or stop.signal == 2 and 0 <= n <= before, f"back: {stop} at {n}, from {before}")
        registers = client.registers()
        where = client.n
        client.seek(where // 2)
        client.seek(where)
        check(client.registers() == registers, f"interrupted at {where}: other registers than coming there anew")


LONG_COMMANDS = ("seek end", "who-wrote 0x123456789a8 8", "verify", "next console workload", "back 100M")


def monitor_interrupted(client, command, after, interrupt):
    """Answers what it printed, whether it succeeded, and how long it took to end."""
    client.send("qRcmd," + command.encode().hex())
    time.sleep(after)
    since = time.monotonic()
    interrupt()
    text, good = client.monitor_answer()
    return text, good, time.monotonic() - since


@test
def interrupt_ends_a_monitor_command_where_it_began():
    """By the interrupt character, and by the packet that hvrec.py sends at Ctrl-C."""
    ended = 0
    for command in LONG_COMMANDS:
        with session.Server(session.debian_trace()) as server, server.client() as client:
            end = client.position()[1]
            client.seek(end * 2 // 3 if command[0] in "wb" else 1000)
            before = client.n, client.registers()
            interrupt = rng.choice((client.interrupt, lambda: client.send("Qhvrec.Interrupt")))
            text, good, seconds = monitor_interrupted(client, command, 0.1, interrupt)
            check(seconds < 5, f"monitor {command} ended {seconds:.1f} s after the interrupt")
            if good:
                continue  # it was faster
            ended += 1
            check(text.lstrip(".\n") == "interrupted\n", f"monitor {command}: {text!r}")
            check((client.n, client.registers()) == before, f"monitor {command} left {before[0]} for {client.n}")
            check(client.step().signal == 5 and client.n == before[0] + 1, f"no step after monitor {command}")
            text, good = client.monitor("seek 50%")
            check(good and client.n == end // 2, f"monitor seek after the interrupt: {text}")
    check(ended >= 3, f"only {ended} of the commands took long enough")


@test
def client_that_vanishes_in_a_monitor_command_can_come_back():
    with session.Server(session.debian_trace()) as server:
        with server.client() as client:
            client.send("qRcmd," + b"verify".hex())
            time.sleep(0.1)
        with reconnected(server) as client:
            check(client.n == 0 and client.step().signal == 5, "no step after reconnecting")


@test
def interrupt_while_nothing_runs_stops_the_next_resume():
    """It may have crossed a stop after which gdb goes on by itself."""
    with session.served("corruption") as server, server.client() as client:
        client.interrupt()
        client.send("vCont;c")
        check(client.wait_stop().signal == 2 and client.n == 0, f"at {client.n}")
        check(client.step().signal == 5 and client.n == 1, f"at {client.n}")


@test
def second_client_is_refused():
    with session.served("corruption") as server, server.client() as client:
        client.step()
        try:
            server.client()
            refused = False
        except rsp.Gone:
            refused = True
        check(refused, "a second client was served")
        check(client.step().signal == 5 and client.n == 2, "the first client is not served any more")


@test
def others_that_knock_do_not_hold_up_a_search():
    with session.Server(session.debian_trace(), "-j", "1") as server, server.client() as client:
        client.seek("end")
        client.send("bc")
        knocks = 0
        while not select.select([client.socket], [], [], 0.05)[0]:
            try:
                server.client()
                raise session.Failed("another client was served")
            except rsp.Gone:
                knocks += 1
            check(knocks < 1000, "the search does not end")
        check(client.wait_stop().kind == "begin" and client.n == 0, f"back to {client.n}")


def gone(client):
    try:
        client.request("?")
    except rsp.Gone:
        return True
    return False


@test
def detach_and_reconnect_keeps_the_place():
    with session.served("corruption") as server:
        with server.client() as client:
            client.seek(1000)
            registers = client.registers()
            client.insert(rsp.SOFTWARE, session.symbols("corruption")["job_add"])
            client.expect_ok("D")
            check(gone(client), "still connected after D")
        with server.client() as client:
            check(client.n == 1000 and client.registers() == registers, f"after reconnecting at {client.n}")
            check(client.go_on().kind == "end", "a breakpoint of the client before is still there")


@test
def client_that_vanishes_in_a_run_can_come_back():
    with session.Server(session.debian_trace()) as server:
        for resume in ("vCont;c", "bc"):
            with server.client() as client:
                client.seek("50%")
                client.send(resume)
                time.sleep(0.1)
            with reconnected(server) as client:
                n = client.n
                client.monitor("steps interrupts on")
                stop = client.step()
                check(stop.signal == 5 and client.n == n + 1, f"a step from {n} after reconnecting: {stop} at {client.n}")


def reconnected(server, seconds=300):
    """The server has to notice first that its client is gone."""
    end = time.monotonic() + seconds
    while True:
        try:
            return server.client()
        except (rsp.Gone, ConnectionRefusedError):
            check(time.monotonic() < end, "no new client is served")
            time.sleep(0.02)


@test
def kill_ends_the_session_and_not_the_server():
    with session.served("corruption") as server:
        for packet in ("k", "vKill;1"):
            with server.client() as client:
                client.send(packet)
                if packet != "k":
                    check(client.receive() == "OK", "vKill is refused")
                check(gone(client), f"still connected after {packet}")
        with server.client() as client:
            check(client.step().signal == 5, "no step after a kill")


@test
def ends_of_the_recording_are_told():
    with session.served("corruption") as server, server.client() as client:
        end = client.position()[1]
        for resume in (client.go_back, client.reverse_step, client.go_back):
            check(resume().kind == "begin" and client.n == 0, f"at the beginning: {client.n}")
        for resume in (client.go_on, client.step, client.go_on):
            stop = resume()
            check(stop.kind == "end" and client.n == end, f"at the end: {stop} at {client.n} of {end}")
        check(client.reverse_step().kind == "signal" and client.n == end - 1, f"before the end: {client.n}")
        check(client.step().kind == "signal" and client.n == end, f"at the end again: {client.n}")
        check(client.go_back().kind == "begin", "back to the beginning")


@test
def end_is_one_place_however_one_comes_there():
    """Right before the END event; of several events at one position all are next there."""
    with session.served("corruption") as server, server.client() as client:
        events = harness.events("trace")
        last, places = events[-1], []
        for go in (lambda: client.seek("end"), client.go_on, lambda: client.seek("100%"), lambda: client.seek(last.n),
                   lambda: client.seek(f"event {last.index}")):
            client.seek(0)
            go()
            text, _ = client.monitor("events")
            marks = re.findall(r"^=> +(\d+)", text, re.MULTILINE)
            check(len(marks) == 1 and events[int(marks[0])].n == last.n, f"next at the end: {marks} of {last.index}")
            places.append((client.n, client.registers(), marks))
        check(all(place == places[0] for place in places) and places[0][0] == last.n, f"{[place[0] for place in places]}")
        for event in rng.sample(events, 10):
            client.seek(f"event {event.index}")
            text, _ = client.monitor("events")
            mark = int(re.search(r"^=> +(\d+)", text, re.MULTILINE).group(1))
            check(client.n == event.n and mark <= event.index + 1, f"event {event.index} is at {event.n}: {text}")


@test
def range_step_runs_through_a_loop():
    """As stepping does, but in one packet: until pc leaves the range."""
    with session.served("corruption") as server, server.client() as client:
        pcs = []
        client.seek(30)
        for _ in range(200):
            pcs.append(client.pc)
            client.step()
        loops = [i for i in range(len(pcs) - 1) if pcs[i + 1] < pcs[i] and pcs[i] - pcs[i + 1] < 64]
        check(loops, "no loop was found at the start of the payload")
        low, high = pcs[loops[0] + 1], pcs[loops[0]] + 4
        client.insert(rsp.SOFTWARE, high)
        check(client.go_on().kind == "swbreak", "the loop has no end")
        client.remove(rsp.SOFTWARE, high)
        end = client.n
        client.seek(end - 50)  # some turns before
        check(low <= client.pc < high, f"{client.pc:#x} is not in the loop")
        stop = client.resume(f"vCont;r{low:x},{high:x}:1")
        check(stop.kind == "signal" and stop.signal == 5 and client.n == end, f"{stop} at {client.n} instead of {end}")


@test
def unmapped_memory_is_an_error_reply():
    with session.Server(session.debian_trace()) as server, server.client() as client:
        client.seek("70%")
        good = client.register(rsp.SP_EL0)
        for address in UNMAPPED:
            for packet in (f"m{address:x},8", f"x{address:x},8"):
                reply = client.request(packet)
                check(re.fullmatch(r"E..", reply), f"{packet}: {reply!r}")
        check(client.request(f"m{(1 << 64) - 4:x},10")[:1] == "E", "a read over the end of memory")
        check(client.request("mzz,4")[:1] == "E" and client.request("m0")[:1] == "E", "nonsense is read")
        check(client.memory(good, 64) is not None, f"{good:#x} cannot be read")


@test
def unknown_and_broken_packets_do_not_end_the_session():
    with session.served("corruption") as server, server.client() as client:
        check(client.request("vNonsense") == "" and client.request("qWhat") == "", "an unknown packet is answered")
        for packet in ("Z9,0,0", "Z0", "p", "pffff", "vCont;q", "Hg77", "qXfer:features:read:none:0,100", "qRcmd,4"):
            client.request(packet)
        client.socket.sendall(b"$$$###$m#00\x03\x03+-$#")
        client.socket.settimeout(1)
        try:
            while True:
                client.receive()
        except rsp.ProtocolError:
            pass
        client.close()
        with reconnected(server) as again:
            check(again.step().signal == 5, "no step afterwards")


@test
def monitor_commands_go_there_and_say_where():
    with session.served("corruption") as server, server.client() as client:
        end = client.position()[1]
        words = set(re.findall(r"^monitor (\w+)", client.monitor("help")[0], re.MULTILINE))
        check({"when", "seek", "back", "forward", "help"} <= words, f"monitor help names {sorted(words)}")
        event = rng.choice(harness.events("trace"))
        for command, n in (("seek end", end), ("seek start", 0), ("seek 1234", 1234), ("back 34", 1200), ("back", 1199),
                           ("forward", 1200), ("forward 0x10", 1216), ("seek 50%", end // 2), ("back 999999999", 0),
                           ("forward 999999999", end), (f"seek event {event.index}", event.n)):
            text, good = client.monitor(command)
            check(good and client.n == n, f"monitor {command}: {text!r}, at {client.n} instead of {n}")
        for command in ("seek", "seek nowhere", "seek 200%", "seek event 99999999", "nonsense", ""):
            text, good = client.monitor(command)
            check(not good and text and client.n == event.n, f"monitor {command}: {text!r}, {good}, at {client.n}")


@test
def manual_lists_the_monitor_commands_as_they_are():
    with open(os.path.join(harness.TOP, "docs", "GDB.md"), encoding="utf-8") as file:
        manual = [line.strip() for line in file]
    with session.served("corruption") as server, server.client() as client:
        missing = [line for line in client.monitor("help")[0].splitlines() if line.strip() not in manual]
    check(not missing, f"docs/GDB.md does not say: {missing}")


@test
def gdb_starts_the_server_itself():
    with session.served("corruption"):
        pass  # for the recording
    output = session.gdb_at(f"| {harness.HVREC} replay trace --gdb=- --quiet",
                            "stepi\nmonitor when\nreverse-stepi\nmonitor when\ndetach\n", "corruption")
    check(re.findall(r"^instruction (\d+) ", output, re.MULTILINE) == ["1", "0"], f"{output[-300:]}")


@test
def monitor_seek_is_seen_after_the_register_cache_is_flushed():
    script = "monitor seek end\nmaintenance flush register-cache\nprintf \"@pc=%lx\\n\", $pc\n"
    with session.served("corruption") as server:
        found = session.marked(session.gdb(server, script, "corruption"))
        with server.client() as client:
            client.seek("end")
            check(found.get("pc") == [f"{client.pc:x}"], f"gdb shows {found}, hvrec {client.pc:x}")


REGISTERS = r'''
break jobs_cost
continue
info registers system
info registers mmu
printf "@sp=%lx %lx\n", $sp, $SP_EL1
printf "@ttbr=%lx %lx\n", $TTBR0_EL1, &level1
printf "@v=%d\n", $v0.d.u[0] == $v0.d.u[0]
'''


@test
def registers_have_names_in_gdb():
    with session.served("corruption") as server:
        output = session.gdb(server, REGISTERS, "corruption")
        found = session.marked(output)
        for name in ("SP_EL0", "TPIDR_EL1", "TTBR1_EL1", "SCTLR_EL1", "TCR_EL1"):
            check(re.search(rf"^{name} +0x", output, re.MULTILINE), f"{name} is not shown: {output[-400:]}")
        for name in ("sp", "ttbr"):
            pair = found.get(name, [""])[0].split()
            check(len(pair) == 2 and pair[0] == pair[1] != "0", f"{name}: {pair}")
        check(found.get("v") == ["1"], "SIMD registers cannot be read")


@test
def false_conditions_are_decided_by_the_stub():
    """Hundreds of times, and gdb hears of the true one only."""
    script = ("set breakpoint condition-evaluation target\nbreak job_is_valid if timer_irq_count == 4\n"
              "set debug remote 1\ncontinue\nset debug remote 0\nprintf \"@count=%d\\n\", timer_irq_count\n")
    with session.served("corruption") as server:
        output = session.gdb(server, script, "corruption")
    check(session.marked(output).get("count") == ["4"], f"stopped elsewhere: {output[-300:]}")
    resumes = len(re.findall(r"Sending packet: \$(vCont;c|c#)", output))
    check(resumes == 1, f"{resumes} continues were sent for one stop")


if __name__ == "__main__":
    harness.main()
