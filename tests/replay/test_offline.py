"""What can be asked of a trace without running it: events, stat, console, diff, extract. The golden traces are the same
on every machine; what is expected of them is computed here from tests/replay/trace_edit's listing."""
import csv
import fcntl
import glob
import io
import json
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import termios

import harness
from harness import check, error_line, hvrec, payload, record, test

GOLDEN = sorted(glob.glob(os.path.join(harness.TOP, "tests", "golden", "*.trace")))
with open(os.path.join(harness.TOP, "hv", "abi", "event.def"), encoding="utf-8") as definition:
    NAMES = {int(number): name for number, name in re.findall(r"^EVENT\((\d+), (\w+),", definition.read(), re.M)}
UARTDR = 0x09000000
COMMANDS = (("events",), ("stat",), ("console",), ("extract", "--force", "-o", "out"))


def output(*arguments, status=0):
    result = hvrec(*arguments)
    check(result.status == status and (status or not result.err), f"{arguments}: {result}")
    return result.out


def json_events(trace, *arguments):
    return [json.loads(line) for line in output("events", trace, "--format", "json", *arguments).splitlines()]


def guest_times(events):
    """The guest time of each event: n, and all idle time before it."""
    idle_ns, times = 0, []
    for event in events:
        times.append(event.n + idle_ns)
        idle_ns += event.value if event.kind == 10 else 0
    return times


def is_printed(event):
    return event.kind == 2 and event.address == UARTDR


def console_of(trace):
    return bytes(event.value & 0xff for event in harness.events(trace) if is_printed(event))


def same(got, expected, what):
    check(got == expected, f"{what}: {str(got)[:300]}, expected {str(expected)[:300]}")


@test
def events_are_those_of_the_trace():
    check(len(GOLDEN) >= 2, "the golden traces are not there")
    for trace in GOLDEN:
        expected = harness.events(trace)
        rows = json_events(trace)
        same(len(rows), len(expected), f"{trace}: events")
        for row, event, guest_ns in zip(rows, expected, guest_times(expected)):
            same([row["event"], row["n"], row["guest_ns"], row["vcpu"], int(row["pc"], 16), row["kind_id"],
                  row["kind"], int(row["address"], 16), int(row["value"], 16), row["size"]],
                 [event.index, event.n, guest_ns, event.vcpu, event.pc, event.kind, NAMES[event.kind], event.address,
                  event.value, event.size], f"{trace}: event {event.index}")
            if is_printed(event):
                same((row["name"], row["meaning"].startswith("uart UARTDR <- ")), ("uart UARTDR", True), "names")


@test
def idle_time_counts():
    record("--memory", "64M", payload("wfi"), stdout=subprocess.DEVNULL)
    events = harness.events("trace")
    idle_ns = sum(event.value for event in events if event.kind == 10)
    check(idle_ns > 0, "the guest does not idle")
    same([row["guest_ns"] for row in json_events("trace")], guest_times(events), "guest times")
    stat = json.loads(output("stat", "trace", "--format", "json"))
    guest_ns = events[-1].n + idle_ns
    same((stat["idle_ns"], stat["guest_ns"]), (idle_ns, guest_ns), "stat")
    check(abs(stat["idle_share"] - idle_ns / guest_ns) < 1e-6, f"idle_share {stat['idle_share']}")


@test
def events_in_all_formats_are_the_same():
    for trace in GOLDEN:
        rows = json_events(trace)
        text = output("events", trace, "--format", "csv").decode()
        check(text.count("\r\n") == len(rows) + 1 and text.count("\n") == len(rows) + 1, "lines of CSV end in CRLF")
        same([{key: value if isinstance(row[key], str) else int(value) for key, value in line.items()}
              for line, row in zip(csv.DictReader(io.StringIO(text, newline="")), rows)], rows, "CSV")
        lines = output("events", trace).decode().splitlines()
        same(len(lines), len(rows) + 1, "lines of text")
        for line, row in zip(lines[1:], rows):
            words = line.split(maxsplit=5)
            same((int(words[0]), int(words[1]), int(words[2].replace(".", "")), int(words[3]), int(words[4], 16),
                  words[5]), (row["event"], row["n"], row["guest_ns"], row["vcpu"], int(row["pc"], 16),
                              f"{row['kind']} {row['meaning']}".strip()), "text")


@test
def events_are_filtered():
    trace = next(path for path in GOLDEN if "cntvct" in path)
    events = harness.events(trace)
    middle = events[len(events) // 2].n
    cases = (
        (["--kind", "inject"], lambda e: e.kind == 12),
        (["--kind", "irq", "--address", "27"], lambda e: e.kind == 12 and e.address == 27),
        (["--kind", "irq", "--address", "28"], lambda e: False),
        (["--kind", "mmio"], lambda e: e.kind in (1, 2)),
        (["--kind", "MMIO_READ", "--kind", "idle", "--kind", "END"], lambda e: e.kind in (1, 10, 13)),
        (["--kind", "exception"], lambda e: e.kind in (3, 6, 8, 9)),
        (["--kind", "console"], is_printed),
        (["--from", str(middle)], lambda e: e.n >= middle),
        (["--from", hex(middle), "--to", f"{middle + 500_000:_}"], lambda e: middle <= e.n <= middle + 500000),
        (["--to", "1M"], lambda e: e.n <= 1000000),
        (["--from", "0xffffffffffffffff"], lambda e: False),
        (["--vcpu", "0"], lambda e: e.vcpu == 0),
        (["--vcpu", "1"], lambda e: e.vcpu == 1),
        (["--address", "gicd"], lambda e: e.kind in (1, 2, 3, 11) and 0x08000000 <= e.address < 0x08010000),
        (["--address", "0x9000000..0x9000fff", "--kind", "MMIO_WRITE"],
         lambda e: e.kind == 2 and 0x9000000 <= e.address <= 0x9000fff),
        (["--limit", "7"], lambda e: e.index < 7),
        (["--limit", "0"], lambda e: False),
    )
    for arguments, wanted in cases:
        same([row["event"] for row in json_events(trace, *arguments)],
             [event.index for event in events if wanted(event)], " ".join(arguments))


@test
def events_fit_the_terminal():
    for columns in (40, 77):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = harness.start("events", GOLDEN[0], "--limit", "20", stdout=slave)
        os.close(slave)
        text = b""
        while chunk := read_terminal(master):
            text += chunk
        os.close(master)
        check(harness.finish(process).status == 0, "events on a terminal failed")
        lines = text.decode().splitlines()
        check(len(lines) == 21 and "event" in lines[0], f"{len(lines)} lines")
        same(max(map(len, lines)), columns, "the longest line")


def read_terminal(master):
    try:
        return os.read(master, 65536)
    except OSError:  # EIO: the other end is closed
        return b""


@test
def a_closed_pipe_is_quiet_and_a_full_disk_is_not():
    for ignore in (False, True):
        process = harness.start("events", GOLDEN[0], preexec_fn=lambda i=ignore: i and signal.signal(
            signal.SIGPIPE, signal.SIG_IGN), restore_signals=not ignore)
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(harness.SECONDS_MAX)
        check(not err and process.returncode in (0, -signal.SIGPIPE), f"{process.returncode}: {err}")
    for command in ("events", "stat", "console"):
        with open("/dev/full", "wb") as full:
            error_line(hvrec(command, GOLDEN[0], stdout=full), command)


@test
def console_is_what_the_recording_printed():
    for trace in GOLDEN:
        with open(trace.removesuffix(".trace") + ".console", "rb") as file:
            same(output("console", trace), file.read(), f"{trace}: console")


@test
def console_lines_have_their_place():
    for trace in GOLDEN:
        events = harness.events(trace)
        starts, fresh = [], True
        for event, guest_ns in zip(events, guest_times(events)):
            if is_printed(event):
                if fresh:
                    starts.append((event.n, guest_ns // 1000))
                fresh = event.value & 0xff == 10
        texts = [line.rstrip("\r") for line in console_of(trace).decode().split("\n")]
        lines = output("console", trace, "--timestamps").decode().splitlines()
        same(lines, [f"[{us // 1000000:5}.{us % 1000000:06}] {n:14}  {text}"
                     for (n, us), text in zip(starts, texts)], f"{trace}: console --timestamps")


@test
def a_text_on_the_console_is_a_place():
    trace = next(path for path in GOLDEN if "cntvct" in path)
    printed = [event for event in harness.events(trace) if is_printed(event)]
    text = console_of(trace)
    place = printed[text.index(b"PASS") + 3].n + 1
    found = output("console", trace, "--find", "PASS").decode().splitlines()
    check(len(found) == 2 and found[1] == f"  monitor seek {place}" and f" {place}  PASS " in found[0], str(found))
    first = output("console", trace, "--find", "s").splitlines()
    lines = output("console", trace, "--find", "s", "--all").splitlines()
    same(len(lines), 2 * sum(b"s" in line for line in text.split(b"\n")), "--all")
    same(first, lines[:2], "the first line")
    for missing in ("PASSED", "pass"):
        line = error_line(hvrec("console", trace, "--find", missing), "console")
        check(missing in line, line)


@test
def stat_counts():
    for trace in GOLDEN:
        events = harness.events(trace)
        stat = json.loads(output("stat", trace, "--format", "json"))
        idle_ns = sum(event.value for event in events if event.kind == 10)
        instructions = events[-1].n - stat["start_n"]
        guest_ns = instructions + idle_ns
        check((stat["start_n"] > 0) == ("start_n" in trace), f"{trace}: starts at {stat['start_n']}")
        same([stat["event_count"], stat["instructions"], stat["guest_ns"], stat["idle_ns"], stat["complete"]],
             [len(events), instructions, guest_ns, idle_ns, True], trace)
        kinds = {row["kind"]: row for row in stat["kinds"]}
        for kind, name in NAMES.items():
            same(kinds[name]["events"], sum(event.kind == kind for event in events), f"{trace}: {name}")
        stored, raw = map(int, harness.trace_edit("bytes", trace).split())
        same([sum(row["raw_bytes"] for row in stat["kinds"]), sum(row["stored_bytes"] for row in stat["kinds"])],
             [raw, stored], f"{trace}: bytes")
        size = stat["bytes"]
        same([size["all"], size["events"]], [os.path.getsize(trace), stored], f"{trace}: bytes")
        parts = ("events", "files", "keyframes", "blocks", "payloads", "rest")
        same(sum(size[part] for part in parts), size["all"], f"{trace}: bytes do not add up")
        expect_interrupts(stat, events, guest_ns)
        expect_registers(stat, events)
        check(b"heads of chunks" in output("stat", trace), "stat as text")


def expect_interrupts(stat, events, guest_ns):
    counts = {}
    for event in events:
        if event.kind == 12:
            counts[event.address] = counts.get(event.address, 0) + 1
    same({row["intid"]: row["injected"] for row in stat["interrupts"]}, counts, "interrupts")
    for row in stat["interrupts"]:
        check(abs(row["per_second"] - row["injected"] * 1e9 / guest_ns) < 0.01, f"rate: {row}")
        check(row["intid"] != 27 or row["name"] == "27 (virtual timer)", f"name: {row}")
    same(sum(row["events"] for row in stat["exits"]), sum(event.kind == 9 for event in events), "exits")


def expect_registers(stat, events):
    counts = {}
    for event in events:
        if event.kind in (1, 2):
            counts.setdefault(event.address, [0, 0])[event.kind - 1] += 1
    same({int(row["address"], 16): [row["reads"], row["writes"]] for row in stat["registers"]}, counts, "registers")
    uses = [row["reads"] + row["writes"] for row in stat["registers"]]
    same(uses, sorted(uses, reverse=True), "the order of registers")


@test
def extract_gives_back_what_was_recorded():
    program = payload("bootargs")
    record("--memory", "64M", "--console", "printed", program, "two", "words")
    output("extract", "trace", "-o", "out")
    same(sorted(os.listdir("out")), ["cmdline", "console", "dtb", "kernel"], "files")
    for name, original in (("kernel", program), ("console", "printed")):
        with open(os.path.join("out", name), "rb") as got, open(original, "rb") as expected:
            check(got.read() == expected.read(), f"{name} is not what was recorded")
    with open("out/cmdline", "rb") as file:
        same(file.read(), b"two words", "cmdline")
    with open("out/dtb", "rb") as file:
        same(file.read(4), b"\xd0\x0d\xfe\xed", "device tree")
    piece = next(name for name in names_in("trace") if name.startswith("ram/"))
    same(output("extract", "trace", "-o", "one", "console", piece, "console").splitlines(),
         [b"one/console", f"one/{piece.replace('/', '-')}".encode()], "what was written")
    error_line(hvrec("extract", "trace", "initrd"), "extract")
    harness.only_files("trace", "printed", "out", "one")


def names_in(trace):
    database = sqlite3.connect(trace)
    names = [name for name, in database.execute("SELECT name FROM file")]
    database.close()
    return names


@test
def extract_overwrites_only_by_force():
    os.mkdir("out")
    with open("precious", "w", encoding="ascii") as file:
        file.write("precious")
    os.symlink("../precious", "out/cmdline")
    for arguments in (["cmdline"], [], ["kernel", "cmdline"]):
        line = error_line(hvrec("extract", GOLDEN[0], "-o", "out", *arguments), "extract")
        check("out/cmdline" in line and "--force" in line, line)
    same(os.listdir("out"), ["cmdline"], "something was written")
    output("extract", GOLDEN[0], "-o", "out", "--force")
    with open("precious", encoding="ascii") as file:
        same(file.read(), "precious", "what the link named")
    check(not os.path.islink("out/cmdline"), "the link was followed")
    same(sorted(os.listdir("out")), ["cmdline", "console", "dtb", "kernel"], "files")
    os.mkdir("folder")
    os.mkdir("folder/kernel")
    error_line(hvrec("extract", GOLDEN[0], "-o", "folder", "--force", "kernel"), "extract")
    same(os.listdir("folder"), ["kernel"], "what a failure left")
    error_line(hvrec("extract", GOLDEN[0], "-o", "precious"), "extract")
    error_line(hvrec("extract", GOLDEN[0], "-o", "no/such"), "extract")


@test
def no_name_in_a_trace_leads_out_of_the_folder():
    names = ("../evil", "/tmp/hvrec-evil", "ram/../../evil", "..", "ram/", "", "ram/40000000/..", "ram/xyz")
    record(payload("console"))
    database = sqlite3.connect("trace")
    for name in names:
        database.execute("INSERT INTO file SELECT ?, hash FROM file WHERE name = 'kernel'", (name,))
    database.commit()
    database.close()
    harness.trace_edit("seal", "trace")
    output("extract", "trace", "-o", "out")
    for name in names:
        error_line(hvrec("extract", "trace", "-o", "out", "--force", name), "extract")
    same(sorted(os.listdir("out")), ["cmdline", "console", "dtb", "kernel"], "files")
    harness.only_files("trace", "out")
    check(not os.path.exists("/tmp/hvrec-evil"), "a file was written outside")


def diff(*arguments, status):
    result = hvrec("diff", *arguments)
    if status:
        error_line(result, "diff", status)
    check(result.status == status, f"diff {arguments}: {result}")
    return result.out.decode()


def copy_of(trace, name):
    with open(trace, "rb") as source, open(name, "wb") as target:
        target.write(source.read())
    return name


@test
def diff_of_a_trace_with_itself():
    for trace in GOLDEN:
        same(diff(trace, trace, status=0), f"the same: {len(harness.events(trace))} events\n", "diff")


@test
def diff_finds_a_changed_event():
    trace = next(path for path in GOLDEN if "cntvct" in path)
    events = harness.events(trace)
    exits = [event for event in events if event.kind == 9]
    printed = [event for event in events if is_printed(event)]
    copy_of(trace, "b")
    harness.trace_edit("event", "b", exits[3].index, "value", exits[3].value ^ 1)
    text = diff(trace, "b", "--context", "0", status=2)
    check(text.startswith(f"first difference\n  A  event {exits[3].index}, n {exits[3].n}\n"), text)
    check("no difference in more than time and place" in text, text)
    harness.trace_edit("event", "b", printed[9].index, "value", ord("!"))
    text = diff(trace, "b", "--context", "2", status=2)
    check(f"first difference in more than time and place\n  A  event {printed[9].index}, n {printed[9].n}\n" in text,
          text)
    rows = [line for line in text.splitlines() if " | " in line]
    check(len(rows) == 2 and "'!'" in rows[1].split(" | ")[1], f"the rows that differ: {rows}")
    same(sum(line.lstrip()[:1].isdigit() for line in text.splitlines()), 10, "rows of context")


@test
def diff_of_two_recordings_tells_seeds_and_ends():
    for name in ("a", "b"):
        record(payload("cntvct_hash"), trace=name, stdout=subprocess.DEVNULL)
    text = diff("a", "b", status=2)
    check("kaslr-seed" in text and "rng-seed" in text and "device tree" not in text, text)
    record("--memory", "64M", payload("console"), "word", trace="c", stdout=subprocess.DEVNULL)
    text = diff("a", "c", status=2)
    for what in ("kernel", "command line", "memory, bytes", "first difference"):
        check(what in text, f"{what}: {text}")
    record("--max-instructions", "100k", payload("cntvct_hash"), trace="d", status=3, stdout=subprocess.DEVNULL)
    check("first difference" in diff("a", "d", status=2), "a shorter recording")
    diff("a", "missing", status=1)


@test
def wrong_options_are_refused():
    trace = GOLDEN[0]
    for command in ("events", "stat", "console", "diff", "extract"):
        result = hvrec(command, "--help")
        check(result.status == 0 and b"usage: hvrec " + command.encode() in result.out, f"{command} --help: {result}")
        for arguments in ((), ("--nonsense", trace), ("missing",), ("missing", "missing"), ("",)):
            error_line(hvrec(command, *arguments), command)
    for option, values in (("--from", ("", "-1", "1.5", "x", "1__0", "99999999999999999999")), ("--to", ("1 ",)),
                           ("--vcpu", ("a",)), ("--limit", ("-1",)), ("--kind", ("nothing", "", "14")),
                           ("--address", ("uarts", "5..4", "")), ("--format", ("xml", ""))):
        for value in values:
            line = error_line(hvrec("events", trace, option, value), "events")
            check(option in line, line)
        error_line(hvrec("events", trace, option), "events")
    for arguments in (("stat", trace, "--format", "csv"), ("console", trace, "--all"), ("events", trace, trace),
                      ("events", trace, "--from", "6", "--to", "5"), ("console", trace, "--find", ""), ("console", trace, "--find", "x" * 1025), ("diff", trace),
                      ("diff", trace, trace, "--context", "-1"), ("diff", trace, trace, trace)):
        error_line(hvrec(*arguments), arguments[0])


@test
def incomplete_traces_and_live_ones_answer():
    def answers():
        for command in COMMANDS:
            output(command[0], "trace", *command[1:])
        check(hvrec("diff", "trace", "trace").status in (0, 2), "diff")

    process = harness.start("record", "-o", "trace", "--quiet", payload("console"), "--timeout", "60",
                            stdout=subprocess.DEVNULL)
    harness.finish(process)
    process = harness.start("record", "-o", "trace", "--quiet", payload("hang"), stdout=subprocess.DEVNULL)
    harness.machine_pid()
    answers()
    process.kill()
    harness.finish(process)
    answers()
    stat = json.loads(output("stat", "trace", "--format", "json"))
    same((stat["complete"], stat["event_count"]), (False, len(harness.events("trace"))), "stat")
    same(output("console", "trace"), console_of("trace"), "console")


@test
def what_is_before_damage_is_told():
    trace = copy_of(GOLDEN[0], "trace")
    harness.trace_edit("stored", trace, 5, 1)
    for command in COMMANDS:
        line = error_line(hvrec(command[0], trace, *command[1:]), command[0])
        check("damaged" in line, line)
    check("console" not in os.listdir("out"), "a part of the console was left")
    error_line(hvrec("diff", trace, GOLDEN[0]), "diff")


@test
def a_path_that_is_no_text_is_escaped():
    name = copy_of(GOLDEN[0], b"quote\" back\\ line\n \xff \xc3\xa9.trace")
    same(json.loads(output("stat", name, "--format", "json"))["trace"], "quote\" back\\ line\n \ufffd \u00e9.trace", "JSON")


@test
def asking_does_not_change_a_trace():
    trace = copy_of(GOLDEN[0], "trace")
    for command in COMMANDS:
        output(command[0], trace, *command[1:])
    diff(trace, trace, status=0)
    with open(trace, "rb") as got, open(GOLDEN[0], "rb") as expected:
        check(got.read() == expected.read(), "the trace was changed")
    harness.only_files("trace", "out")


if __name__ == "__main__":
    harness.main()
