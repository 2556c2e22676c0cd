"""A guest that does everything in random order (tests/guest/chaos.c) replays, whatever its seed and however it was
recorded: what it prints is a hash of all that it saw."""
import contextlib
import os
import re
import subprocess
import time

import harness
from harness import SOAK, check, payload, record, replay, rng, start, test

SEEDS = 40 if SOAK else 2
TURNS = (300, 1500, 4000) if SOAK else (600,)
GAPS_S = (0, 0.0002, 0.002, 0.02)
BYTES_MAX = 20000  # a guest whose handler reads until its FIFO is empty never comes out of a flood without end


def guest():
    return [payload("chaos"), str(rng.randrange(10 ** 9)), str(rng.choice(TURNS))]


def passed(console, arguments):
    check(console.endswith(b"PASS chaos\n"), f"chaos {arguments[1:]}: the console ends {console[-80:]!r}")


def typed(*arguments):
    """Records while bytes come through a pipe at random moments. Returns the console."""
    process = start("record", "-o", "trace", "--quiet", "--input", "-", *arguments, stdin=subprocess.PIPE)
    gap_s = rng.choice(GAPS_S)
    with contextlib.suppress(BrokenPipeError):  # it ends by itself
        for _ in range(BYTES_MAX):
            os.write(process.stdin.fileno(), bytes([rng.randrange(256)]))
            time.sleep(rng.uniform(0, gap_s))
    result = harness.finish(process)
    check(result.status == 0, f"record: {result}")
    passed(result.out, arguments[-3:])
    return result.out


def agrees(command, trace, arguments):
    result = harness.hvrec(command, trace)
    check(result.status == 0, f"{command} of {arguments}: {result}", trace)


def part_agrees(arguments):
    """A part of the trace, from anywhere to anywhere."""
    end = harness.events("trace")[-1].n
    first, last = sorted(rng.randrange(end) for _ in range(2))
    result = harness.hvrec("trim", "trace", "-o", "part", "--from", str(first), "--to", str(last), "--quiet")
    check(result.status == 0, f"trim of {arguments}: {result}")
    agrees("replay", "part", arguments)
    agrees("verify", "part", arguments)
    os.remove("part")


@test
def chaos_records_the_same_events_twice():
    for _ in range(SEEDS):
        arguments = ["--keyframe-every", "none", *guest()]
        console = record(*arguments).out
        passed(console, arguments[-3:])
        replay(console=console)
        check(record(*arguments, trace="again").out == console, f"{arguments[-3:]}: another console")
        result = harness.hvrec("diff", "trace", "again")
        check(b"have the same events" in result.out + result.err, f"{arguments[-3:]}: {result}")


@test
def chaos_with_keyframes_replays_and_verifies():
    for _ in range(SEEDS):
        arguments = ["--keyframe-every", rng.choice(("1ms", "3ms", "8ms", "20ms")), *guest()]
        with harness.busy() if rng.random() < 0.2 else contextlib.nullcontext():
            console = record(*arguments).out
        passed(console, arguments[-3:])
        replay(console=console)
        agrees("verify", "trace", arguments)
        part_agrees(arguments)


@test
def chaos_with_input_replays_and_verifies():
    for turn in range(SEEDS):
        arguments = ["--pace", ("skip", "real")[turn % 2], "--keyframe-every", rng.choice(("none", "2ms")), *guest()]
        console = typed(*arguments)
        replay(console=console)
        agrees("verify", "trace", arguments)
        part_agrees(arguments)


@test
def chaos_cut_at_a_limit_replays():
    for _ in range(SEEDS):
        arguments = guest()
        end = int(re.search(rb"recorded (\d+)", harness.hvrec("record", "-o", "trace", *arguments).err)[1])
        console = record("--max-instructions", str(rng.randrange(1, end)), *arguments, status=3).out
        replay(console=console)


if __name__ == "__main__":
    harness.main()
