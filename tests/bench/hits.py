"""What a search costs that meets many hits, in tests/guest/hot, for tests/bench/bench-gdb: breakpoints whose condition is
false at each of them, and stops at one after the other.
"""
import os
import subprocess

import sessions
from common import BenchError
from sessions import rsp, timed

CALLS = 2000  # of `step`, in tests/guest/hot.c
# Agent expressions (GDB manual, "Bytecode Descriptions"): x0 == 12345, which step's argument never is; and the same of
# v0, which hv leaves to the host.
NEVER = bytes((0x26, 0, 0, 0x23, 0x30, 0x39, 0x13, 0x27))
NEVER_BY_HOST = bytes((0x26, 0, 34, 0x23, 0x30, 0x39, 0x13, 0x27))


def step_address(elf):
    lines = subprocess.run(["aarch64-linux-gnu-nm", elf], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    return int(next(line.split()[0] for line in lines if line.endswith(" step")), 16)


def false_hits(bench, session, address, code, names):
    """Milliseconds for each, on to the end and back to the beginning, with what was found forgotten in between."""
    session.client.seek("start")
    session.client.insert(rsp.SOFTWARE, address, condition=code)
    on = session.go_on("end")
    back = session.go_back("begin")
    session.client.remove(rsp.SOFTWARE, address)
    for name, seconds in zip(names, (on, back)):
        bench.add(name, session.NAME, 1000 * seconds / CALLS)
    return back / on


def stops_back(bench, session, address):
    session.client.seek("end")
    session.client.insert(rsp.SOFTWARE, address)
    seconds, kinds = timed(lambda: {session.client.go_back().kind for _ in range(CALLS)})
    if kinds != {"swbreak"} or session.client.go_back().kind != "begin":
        raise BenchError(f"{CALLS} stops back were not {CALLS} breakpoints: {kinds}")
    session.client.remove(rsp.SOFTWARE, address)
    bench.add(f"{CALLS} stops of one breakpoint, backwards", session.NAME, seconds)


def measure(bench, answer_s_max):
    inputs, trace = bench.inputs, bench.inputs.file("hot.trace")
    elf = os.path.join(bench.options.guest, "hot.elf")
    inputs.run("record", [inputs.hvrec, "record", "--quiet", "-o", trace, "--console", "none", elf])
    address = step_address(elf)
    with sessions.Hvrec(inputs, trace, answer_s_max) as session:
        ratio = false_hits(bench, session, address, NEVER, ("a false hit, forwards", "a false hit, backwards"))
        bench.add("false hits, backwards / forwards", session.NAME, ratio)
        false_hits(bench, session, address, NEVER_BY_HOST,
                   ("a false hit that the host decides, forwards", "a false hit that the host decides, backwards"))
        stops_back(bench, session, address)
    os.remove(trace)
