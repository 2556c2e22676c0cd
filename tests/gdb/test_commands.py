"""What gdb's own commands and hvrec's mean on a recording: calls, breakpoints on the guest's BRK, checkpoints, exceptions
that the guest takes; and what is said when something is refused, or the machine is gone."""
import os
import re
import signal
import time

import rsp
import session
from session import Failed, check, harness, test

HVREC_PY = f"source {harness.TOP}/tools/gdb/hvrec.py\n"


def brk_at_el1():
    """The address of the BRK #0x55 of the payload brk."""
    symbols = session.symbols("brk")
    with session.served("brk") as server, server.client() as client:
        code = client.memory(symbols["guest_main"] - 0x800, 0x1000)
    at = code.index((0xd4200000 | 0x55 << 5).to_bytes(4, "little"))
    return symbols["guest_main"] - 0x800 + at


@test
def a_breakpoint_on_the_guests_brk_does_not_skip_it():
    """gdb moves pc behind it before it resumes."""
    at = brk_at_el1()
    with session.Server() as server:
        output = session.gdb(server, f'break *{at}\ncontinue\nstepi\nprintf "@behind=%d\\n", $pc == {at} + 4\n'
                             'monitor when\nreverse-stepi\ndelete\nmonitor seek 0\nmaintenance flush register-cache\n'
                             f'break *{at}\ncontinue\ncontinue\nmonitor when\n', "brk")
    places = re.findall(r"instruction (\d+) of (\d+)", output)
    check(session.marked(output).get("behind") == ["1"], f"stepi over the BRK: {output[-1500:]}")
    check("diver" not in output and "FAIL" not in output, f"the guest was changed: {output[-1500:]}")
    check(len(places) == 3 and places[-1][0] == places[-1][1], f"continue goes to {places}: {output[-800:]}")
    check(0 < int(places[0][0]) < int(places[0][1]), f"stepi goes to {places}")


@test
def a_pc_that_the_user_sets_is_taken():
    at = brk_at_el1()
    with session.Server() as server, server.client() as client:
        client.insert(rsp.SOFTWARE, at)
        check(client.go_on().kind == "swbreak", "the BRK is not reached")
        client.remove(rsp.SOFTWARE, at)
        client.set_register(rsp.PC, at + 4)
        check(client.monitor("when")[0].startswith("diversion"), "without a breakpoint there it is no write of gdb's own")
        client.monitor("back-to-replay")
        client.insert(rsp.SOFTWARE, at)
        client.set_register(rsp.PC, at + 4)
        check(client.pc == at + 4, "what was written does not read back")
        client.set_register(0, 0x1234)
        check(client.pc == at + 4 and client.monitor("when")[0].startswith("diversion"), "another write follows: a what-if")


CALLS = HVREC_PY + '''
break job_add if cost == 5
continue
printf "@before=%d\\n", $hvrec_n()
printf "@call=%d\\n", job_is_valid(jobs)
printf "@after=%d\\n", $hvrec_n()
printf "@call=%d\\n", job_is_valid((struct job *)16)
next
monitor when
delete
break job_add if job_is_valid(jobs) && cost == 7
continue
printf "@cost=%d\\n", cost
monitor when
set var jobs->cost = 4711
printf "@kept=%d %d\\n", job_is_valid(jobs), jobs->cost
monitor when
monitor back-to-replay
monitor divert
printf "@call=%d\\n", job_is_valid(jobs)
monitor when
'''


@test
def a_call_is_a_diversion_that_ends_with_it():
    with session.served("corruption") as server:
        output = session.gdb(server, CALLS, "corruption")
    found = session.marked(output)
    told = re.findall(r"^diversion from instruction (\d+), pc (0x[0-9a-f]+)(.*)$", output, re.MULTILINE)
    whens = re.findall(r"^(diversion from \d+: )?instruction", output, re.MULTILINE)
    check(found.get("call") == ["1", "0", "1"] and found["before"] == found["after"], f"{found}: {output[-1500:]}")
    check(found.get("cost") == ["7"] and found.get("kept") == ["1 4711"], f"{found}: {output[-1500:]}")
    check([bool(when) for when in whens] == [False, False, True, True, True], f"{whens}: {output[-1500:]}")
    check(len(told) == 2 and told[0][0] == found["before"][0], f"diversions told: {told}")
    check("for a call" in told[0][2] and "back-to-replay" in told[1][2], f"diversions told: {told}")


CHECKPOINTS = HVREC_PY + '''
info checkpoints
tbreak job_add
run
printf "@run=%d\\n", $hvrec_n()
checkpoint
next
checkpoint
info checkpoints
printf "@next=%d\\n", $hvrec_n()
restart 1
printf "@restart=%d\\n", $hvrec_n()
delete checkpoint 1
info checkpoints
restart 2
printf "@restart=%d\\n", $hvrec_n()
restart
printf "@restart=%d\\n", $hvrec_n()
break slot_get
continue
starti
printf "@starti=%d\\n", $hvrec_n()
start jobs_cost
printf "@start=%d\\n", $pc == jobs_cost || $pc > jobs_cost
run
printf "@again=%d\\n", $hvrec_n()
'''


@test
def checkpoint_restart_and_run_are_of_the_recording():
    with session.served("corruption") as server:
        output = session.gdb(server, CHECKPOINTS.replace("start jobs_cost", "delete\nstart jobs_cost"), "corruption")
    found = session.marked(output)
    check("diver" not in output and "No checkpoints." in output, f"{output[-1500:]}")
    check(found.get("restart") == [found["run"][0], found["next"][0], "0"], f"{found}: {output[-1500:]}")
    check(found.get("starti") == ["0"] and found.get("start") == ["1"], f"{found}: {output[-1500:]}")
    listed = re.findall(r"^\$(\d)  instruction (\d+),", output, re.MULTILINE)
    places = [("1", found["run"][0]), ("2", found["next"][0])]
    check(listed == [places[0], places[1], *places, places[1]], f"{listed}: {output[-1500:]}")


@test
def a_refused_command_is_one_line():
    with session.served("corruption") as server:
        output = session.gdb(server, "monitor nonsense\nmonitor restart 7\necho @done=1\\n\n", "corruption")
        check("Protocol error" not in output and "@done=1" in output, f"{output[-600:]}")
        check("there is no command 'nonsense'" in output and "there is no place $7" in output, f"{output[-600:]}")
        with server.client() as client:
            check(client.monitor("nonsense") == ("there is no command 'nonsense'; monitor help lists them\n", False), "text")
            check(client.request("qhvrec.Refused") == "1", "qhvrec.Refused")
            check(client.monitor("when")[1] and client.request("qhvrec.Refused") == "0", "qhvrec.Refused")


EXCEPTIONS = (("next", "brk", "BRK taken from EL1", 0x55), ("next", "brk", "BRK taken from EL0", 0x77),
              ("next", "svc", "SVC taken from EL0", None), ("prev", "debug", "watchpoint taken from EL0", None),
              ("prev", "", "breakpoint taken from EL0", None), ("prev", "brk", "BRK taken from EL0", 0x77))


@test
def exceptions_are_found_as_the_guest_took_them():
    with session.served("brk") as server, server.client() as client:
        for direction, kind, text, immediate in EXCEPTIONS:
            output, good = client.monitor(f"{direction} exception {kind}")
            check(good and text in output, f"{direction} exception {kind}: {output!r}")
            check((client.pc - client.named("VBAR_EL1")) in (0x200, 0x400), f"not at a vector: {client.pc:#x}")
            if immediate is not None:
                check(client.named("ESR_EL1") & 0xffff == immediate, f"ESR_EL1 {client.named('ESR_EL1'):#x}")
        n = client.n
        for words in ("next exception fault", "next exception fiq", "next exception nonsense", "next nonsense"):
            output, good = client.monitor(words)
            check(not good and output.lstrip(".\n").count("\n") == 1 and client.n == n, f"{words}: {output!r} at {client.n}")
        check("DEBUG_EXCEPTION" in client.monitor("next exit")[0], "hv's own exits are not found")


@test
def the_last_whole_console_line_is_shown():
    with session.served("corruption") as server, server.client() as client:
        check("nothing on the console yet" in client.monitor("when")[0], "something is printed at the start")
        client.monitor("next console list broken")
        output = client.monitor("when")[0]
        check('console line 1, not yet whole: "corruption: list broken"' in output, output)
        output = client.monitor("seek end")[0]
        check(re.search(r'console line \d: "PASS corruption"\n$', output), output)


@test
def a_machine_that_is_killed_is_named():
    harness.record(harness.payload("corruption"))
    server = harness.start("replay", "trace", "--gdb=unix:socket")
    end = time.monotonic() + session.SECONDS_TO_SERVE_MAX
    while not os.path.exists("socket") and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)
    with rsp.Client("socket") as client:
        os.kill(harness.machine_pid(), signal.SIGKILL)
        client.send("vCont;c")
        text = ""
        try:
            while True:
                reply = client.receive()
                check(reply[:1] == "O", f"a stop of a dead machine: {reply}")
                text += bytes.fromhex(reply[1:]).decode()
        except rsp.Gone:
            pass
    result = harness.finish(server)
    check("killed by signal 9" in text, f"gdb was told {text!r}; {result}")
    check(result.status == 1, f"{result}")


@test
def kernel_addresses_are_read_in_el0():
    """The Debian kernel isolates its page tables: in EL0 its own table is not TTBR1's."""
    trace = session.debian_trace()
    with session.Server(trace) as server, server.client() as client:
        client.seek("95%")
        output, good = client.monitor("next exception svc")
        check(good and "from EL0" in output, f"next exception svc: {output!r}")
        n = client.n
        client.seek(n + 500)
        if client.register(rsp.CPSR) & 0xf != 5:
            raise Failed(f"not in the kernel at {n + 500}")
        address = client.pc & ~7
        code, table = client.memory(address, 16), client.named("TTBR1_EL1")
        client.seek(n - 1)
        check(client.register(rsp.CPSR) & 0xf == 0, "not in EL0")
        check(client.named("TTBR1_EL1") != table, "the kernel does not isolate its tables: this shows nothing")
        check(client.memory(address, 16) == code, f"the kernel's code at {address:#x} cannot be read in EL0")
        check(client.memory(0xffff123456789000, 8) is None, "what no table maps can be read")


@test
def the_last_change_of_a_physical_address_is_found():
    """Where the MMU is off, who-wrote by a virtual address finds the same write, but for those of an equal value."""
    names = session.symbols("corruption")
    with session.served("corruption") as server, server.client() as client:
        for name, offset in (("jobs", 0), ("timer_irq_count", 0), ("slots", 15 * 16)):
            client.seek("end")
            end = client.n
            for _ in range(3):
                by_value, good = client.monitor(f"who-wrote phys {names[name] + offset:#x}")
                here = client.n
                check(good and f"instruction {here}," in by_value, f"{name}: {by_value!r} at {here}")
                before = client.u64(names[name] + offset)
                client.seek(here + 1)
                after = client.u64(names[name] + offset)
                check(before != after and f"{before:#018x} -> {after:#018x}" in by_value, f"{name}: {by_value!r}")
                client.monitor(f"who-wrote {names[name] + offset:#x}")
                check(client.n == here, f"{name}: {by_value!r}, by virtual address at {client.n}")
                client.seek(here)
            check(here < end, f"{name}")
        for words in ("phys", "phys 0x1000", "phys 0x40080000 0", "phys 0x40080000 33", f"phys {names['jobs'] + (1 << 33):#x}"):
            here = client.n
            text, good = client.monitor(f"who-wrote {words}")
            check(not good and text.count("\n") == 1 and client.n == here, f"who-wrote {words}: {text!r}")


if __name__ == "__main__":
    harness.main()
