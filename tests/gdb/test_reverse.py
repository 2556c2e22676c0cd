"""gdb's own commands in both directions on C source, and the hunt of docs/GDB.md, with the payload corruption."""
import os
import re

import session
from session import check, harness, test

# Where gdb stands: its position, and @NAME=FUNCTION FILE LINE.
WHERE = '''
python
import gdb
def where(name):
    frame = gdb.selected_frame()
    gdb.execute("monitor when")
    print("@%s=%s %s %d" % (name, frame.name(), frame.find_sal().symtab.filename, frame.find_sal().line))
end
'''


class Place:
    def __init__(self, n, text):
        self.function, path, line = text.split()
        self.n = int(n)
        with open(os.path.join(harness.TOP, path), encoding="utf-8") as file:
            self.source = file.read().splitlines()[int(line) - 1].strip()

    def __repr__(self):
        return f"{self.function} '{self.source}' at {self.n}"


def run(script):
    """Runs it in gdb on a recording of corruption. Answers the places that it named with where(), and the output."""
    with session.served("corruption") as server:
        output = session.gdb(server, WHERE + script, "corruption")
    found = re.findall(r"instruction (\d+) of [^\n]*\n(?:[^@\n][^\n]*\n)*@(\w+)=([^\n]*)", output)
    return {name: Place(n, text) for n, name, text in found}, output


def commands(*lines):
    """Each (name, command…): the commands, and then where(name)."""
    script = ""
    for name, *words in lines:
        script += "".join(word + "\n" for word in words) + f"python where('{name}')\n"
    return script


def expect(places, name, function, source):
    check(name in places, f"gdb did not come to '{name}'; it came to {places}")
    place = places[name]
    check(place.function == function and source in place.source, f"{name}: {place}, expected {function} '{source}'")
    return place


@test
def finish_and_reverse_over_and_into_a_call():
    places, _ = run(commands(
        ("entry", "break job_add if cost == 5", "continue", "delete"),
        ("finish", "finish"),
        ("reverse_next", "reverse-next"),
        ("again", "stepi 2", "tbreak job_add", "continue", "finish"),
        ("reverse_step", "reverse-step"),
        ("reverse_finish", "reverse-finish"),
        ("back_in", "stepi")))
    entry = expect(places, "entry", "job_add", "")
    finish = expect(places, "finish", "guest_main", "")
    over = expect(places, "reverse_next", "guest_main", "job_add(i)")
    check(over.n < entry.n < finish.n, f"reverse-next over a call went from {finish} to {over}, the call was {entry}")
    again = expect(places, "again", "guest_main", "")
    into = expect(places, "reverse_step", "job_add", "")
    check(into.n < again.n and into.source != "{", f"reverse-step into the call: {into}")
    call = expect(places, "reverse_finish", "guest_main", "job_add(i)")
    check(call.n < into.n, f"reverse-finish went from {into} to {call}")
    inside = expect(places, "back_in", "job_add", "")
    check(inside.n == call.n + 1, f"reverse-finish did not stop at the call: {call}, a step from there {inside}")


@test
def next_step_until_and_advance_in_both_directions():
    places, _ = run(commands(
        ("main", "break guest_main", "continue", "delete"),
        ("stop", "advance sample_stop"),
        ("up", "finish"),
        ("next", "next"),
        ("step", "step"),
        ("until", "until"),
        ("reverse_until", "set exec-direction reverse", "until"),
        ("reverse_stop", "advance sample_stop"),
        ("reverse_take", "advance sample_take"),
        ("forward", "set exec-direction forward", "tbreak sample_stop", "continue")))
    for name, function, source in (("main", "guest_main", ""), ("stop", "sample_stop", ""), ("up", "guest_main", "for"),
                                   ("next", "guest_main", "job_add(i)"), ("step", "job_add", ""),
                                   ("until", "job_add", "slot_get()"), ("reverse_until", "guest_main", "job_add(i)"),
                                   ("reverse_stop", "sample_stop", ""),
                                   ("reverse_take", "sample_take", "sample->count++"), ("forward", "sample_stop", "")):
        expect(places, name, function, source)
    order = [places[name].n for name in ("main", "reverse_take", "stop", "up", "next", "step", "until")]
    check(order == sorted(order) and len(set(order)) == len(order), f"{places}")
    check(places["stop"].n == places["reverse_stop"].n == places["forward"].n, f"advance from both sides: {places}")
    check(places["reverse_until"].n < places["until"].n, f"{places}")


@test
def reverse_continue_with_a_count_passes_hits():
    start = "break jobs_broken\ncontinue\nbreak job_add\n"
    one, _ = run(start + commands(*[(f"hit{i}", "reverse-continue") for i in range(7)]))
    check(len(one) == 7 and all(one[f"hit{i}"].n > one[f"hit{i + 1}"].n for i in range(6)), f"{one}")
    # A count belongs to the breakpoint that gdb stands at.
    counted, _ = run(start + commands(("first", "reverse-continue"), ("fourth", "reverse-continue 3"),
                                      ("sixth", "reverse-continue 2"), ("second", "continue 4")))
    found = [counted[name].n for name in ("first", "fourth", "sixth", "second")]
    check(found == [one[f"hit{i}"].n for i in (0, 3, 5, 1)], f"{one}, counted: {counted}")


@test
def temporary_thread_and_conditional_breakpoints():
    places, output = run(commands(
        ("temporary", "tbreak job_add", "continue"),
        ("thread", "break slot_get thread 1 if jobs != 0 && jobs->cost == 3", "continue"),
        ("end", "delete", "continue"),
        ("back", "tbreak job_add if cost == 7", "reverse-continue")))
    expect(places, "temporary", "job_add", "")
    expect(places, "thread", "slot_get", "")
    expect(places, "back", "job_add", "")
    check(places["thread"].n < places["back"].n < places["end"].n, f"{places}")
    check("No more reverse-execution history" in output, f"the end is not told: {output[-300:]}")


@test
def read_and_access_watchpoints_in_both_directions():
    """Each access once, from either side: the writes of job_add, and reads between them."""
    script = "break job_add if cost == 5\ncontinue\ndelete\nAWATCH jobs\n"
    steps = [(f"on{i}", "continue") for i in range(3)] + [(f"back{i}", "reverse-continue") for i in range(2)]
    for command in ("rwatch", "awatch"):
        places, output = run(script.replace("AWATCH", command) + commands(*steps))
        word = {"rwatch": "read", "awatch": r"access \(read/write\)"}[command]
        hits = re.findall(rf"^Hardware {word} watchpoint 2: jobs$", output, re.MULTILINE)
        check(len(hits) == 6, f"{command}: {len(hits)} of 6 lines: {output[-800:]}")  # one when it was set
        on = [places[f"on{i}"].n for i in range(3)]
        back = [places[f"back{i}"].n for i in range(2)]
        # gdb stands behind the access forwards, before it backwards, and unmakes the last one first.
        check(on == sorted(on) and back == [on[2] - 1, on[1] - 1], f"{command}: {on} forwards, {back} backwards")


HUNT = '''
break jobs_broken
continue
python where("crash")
watch -l job->next
reverse-continue
python where("culprit")
backtrace
reverse-continue
python where("before")
'''


@test
def steps_of_a_line_stop_at_a_watched_access():
    places, output = run(commands(
        ("entry", "break job_add if cost == 5", "continue", "delete", "watch jobs", "next 2"),
        ("changed", "next 9"),
        ("changed_back", "reverse-next 9"),
        ("stepi", "stepi 30"),
    ))
    expect(places, "entry", "job_add", "job->cost = cost")
    forward = expect(places, "changed", "job_add", "}")
    back = expect(places, "changed_back", "job_add", "jobs = job")
    by_instruction = expect(places, "stepi", "job_add", "}")
    check(back.n == forward.n - 1, f"the write is at {back.n} backwards, at {forward.n - 1} forwards")
    check(by_instruction.n == forward.n, f"stepi sees the write at {by_instruction.n - 1}")
    values = re.findall(r"(?:Old|New) value = .*?(0x[0-9a-f]+)", output)
    check(len(values) == 6 and values[0:2] == values[3:1:-1] == values[4:6], f"values {values}")


@test
def hunt_of_a_corruption_finds_the_culprit():
    places, output = run(HUNT)
    crash = expect(places, "crash", "jobs_broken", "")
    culprit = expect(places, "culprit", "sample_take", "sample->ticks = SYSREG_READ(cntvct_el0);")
    check(culprit.n < crash.n, f"{culprit} is not before {crash}")
    check(re.search(r"Old value = .*0x[0-9a-f]+\nNew value = .*0x0\n", output), f"no values: {output[-600:]}")
    check(re.search(r"#\d .*exception_take", output), "the backtrace does not show the interrupt")
    expect(places, "before", "job_add", "job->next = jobs;")


if __name__ == "__main__":
    harness.main()
