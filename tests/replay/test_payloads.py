"""Every payload of tests/guest records with the result that it must have, and replays to the same bytes."""
import os
import re

import harness
from harness import SOAK, check, payload, record, replay, rng, test

# Payloads that do not end in a line PASS, or need arguments or input: they have tests of their own, below.
SPECIAL = {"hang", "wfi_forever", "reset", "echo", "input_late", "rtc", "standstill", "timer_far", "unsupported"}
REPLAYS = 20 if SOAK else 1


def payload_names():
    """From guest.mk, so that a new payload is tested without a change here."""
    with open(os.path.join(harness.TOP, "tests", "guest", "guest.mk"), encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    names = re.search(r"^GUESTS := (.*)$", text, re.MULTILINE).group(1).split()
    flat = re.search(r"patsubst %,\$\(BUILD\)/guest/%\.bin,([\w ]+)\)", text).group(1).split()
    return [name for name in names if name not in SPECIAL] + [name + ".bin" for name in flat]


def passes(name, *arguments, replays=REPLAYS):
    console = record(payload(name), *arguments).out
    check(console.decode(errors="replace").splitlines()[-1:] == ["PASS " + name.removesuffix(".bin")],
          f"{name}: the last line is {console[-60:]!r}")
    for _ in range(replays):
        replay(console=console)
    return console


def define(name):
    def function():
        passes(name)

    function.__name__ = "payload_" + name.replace(".", "_")
    test(function)


for payload_name in payload_names():
    define(payload_name)


@test
def payload_rtc():
    passes("rtc", replays=1)  # 1.1 seconds of guest time, none of it idle: ten seconds by its nature


@test
def an_interrupt_is_not_late_behind_idle_time():
    """Exact, for guest time is; QEMU since 8.2 had them 200,000 ticks late."""
    console = passes("timer_far").decode()
    late = [int(ticks, 16) for ticks in re.findall(r"late (0x[0-9a-f]+)", console)]
    check(late and max(late) <= 16, f"interrupts came {late} ticks behind their deadlines")


@test
def payload_reset():
    console = record(payload("reset")).out
    check(console == b"PASS reset\n", f"console {console!r}")
    replay(console=console)


@test
def endless_loop_ends_at_max_instructions():
    result = record("--max-instructions", "3M", payload("hang"), status=3)
    check(b"3000000" in result.err, f"the message does not name the limit: {result}")
    check(result.out == b"hang: spinning\n", f"console {result.out!r}")
    end = harness.events("trace")[-1]
    check(end.n == 3000000, f"the trace ends at instruction {end.n}")
    replay(console=result.out)


@test
def endless_loop_ends_at_timeout():
    result = record("--timeout", "0.7", payload("hang"), status=3)
    check(b"0.7" in result.err, f"the message does not name the limit: {result}")
    check(0.6 < result.seconds < 15, f"took {result.seconds:.1f} s")
    replay(console=result.out)


@test
def limits_do_not_change_what_happens_before_them():
    whole = record(payload("timer_virtual")).out
    whole_events = harness.trace_edit("events", "trace").splitlines()
    for _ in range(20 if SOAK else 3):
        limit = rng.randrange(20000, int(whole_events[-1].split()[2]))
        cut = record("--max-instructions", str(limit), payload("timer_virtual"), trace="cut", status=3).out
        check(whole.startswith(cut), f"--max-instructions {limit}: other console bytes")
        cut_events = harness.trace_edit("events", "cut").splitlines()
        check(cut_events[-1].split()[2] == str(limit), f"--max-instructions {limit}: ends at {cut_events[-1]}")
        replay("cut", console=cut)


@test
def replay_until_stops_there_and_prints_a_prefix():
    console = passes("timer_virtual")
    length = harness.events("trace")[-1].n
    for until in (0, 1, length // 2, length - 1, length, length + 1, 2 ** 63):
        result = harness.hvrec("replay", "trace", "--until", str(until))
        check(result.status == 0, f"--until {until}: {result}")
        check(console.startswith(result.out), f"--until {until}: other console bytes")
        check(until < length or result.out == console, f"--until {until}: {len(result.out)} of {len(console)} bytes")
        stopped = int(re.search(rb"replayed (\d+) instructions", result.err).group(1))
        check(stopped == min(until, length), f"--until {until} stopped at {stopped} of {length}")


@test
def wait_without_wakeup_is_a_hang():
    result = record(payload("wfi_forever"), status=3)
    harness.error_line(result, "record", 3)
    check(result.out == b"wfi_forever: sleeping\n", f"console {result.out!r}")
    replay(console=result.out)


@test
def unsupported_access_ends_a_recording_that_replays():
    result = record(payload("unsupported"), status=3)
    check(b"0x885f7c00" in harness.error_line(result, "record", 3).encode(), f"the message lacks the LDXR: {result}")
    check(result.out == b"unsupported: LDXR\n", f"console {result.out!r}")
    for _ in range(REPLAYS):
        replay(console=result.out)


@test
def arguments_become_bootargs():
    for arguments, text in [((), "none"), (("one",), "one"), (("a", "b c", '"d"'), 'a b c "d"'),
                            (("--help", "-o", "x"), "--help -o x"), (("é=\\x",), "é=\\x"), (("x" * 1500,), "x" * 1500)]:
        for name in ("bootargs", "bootargs.bin"):
            console = passes(name, *arguments).decode()
            check(f"bootargs: {text}\n" in console, f"{name} {arguments}: {console!r}")


@test
def memory_size_is_what_was_asked_for():
    for size, count in (("16M", 16 << 20), ("100M", 100 << 20), ("1G", 1 << 30)):
        console = record("--memory", size, payload("memory")).out
        check(re.search(rb"bytes of memory[^\n]*\b(0x)?0*(%d|%x)\b" % (count, count), console), f"{size}: {console!r}")
        replay(console=console)


@test
def entry_conditions_of_flat_elf_and_pie_are_alike():
    consoles = {record(payload(name)).out for name in ("pie", "pie.bin")}
    check(len(consoles) == 1, f"different consoles {consoles}")


if __name__ == "__main__":
    harness.main()
