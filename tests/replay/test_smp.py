"""Guests with several vCPUs: their payloads pass, replay and verify, whoever has the turn where; Debian's kernels boot with
a workload for all CPUs; keyframes, trim, --keep and repair take their traces; and the orders of loads and stores that are
seen are those of sequential consistency."""
import collections
import os
import re
import subprocess

import harness
from harness import SOAK, check, debian, hvrec, payload, record, replay, rng, test

COUNTS = (2, 4, 8)
SEEDS = 500 if SOAK else 1
REPLAYS = 100 if SOAK else 1
TYPED_RECORDINGS = 20 if SOAK else 1
LITMUS_ROUNDS = 100_000 if SOAK else 1000
SECONDS = 3600 if SOAK else harness.SECONDS_MAX  # of one run
SCALE = 1 if SOAK else 0
ARGUMENTS = {"smp_litmus": ["60", "1"], "smp_pingpong": ["200"]}  # those that have a test of their own, or take long
# What a kernel says that had to wait too long, or found itself wrong.
TROUBLE = re.compile(rb"[^\n]*(?:stall|lockup|hung task|WARNING|BUG|Call trace|Unable to handle|Oops|FAILED)[^\n]*")


def payload_names():
    """From guest.mk, so that a new payload is tested without a change here."""
    with open(os.path.join(harness.TOP, "tests", "guest", "guest.mk"), encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    return re.search(r"^GUESTS_SMP := (.*)$", text, re.MULTILINE).group(1).split()


def verify(trace="trace", hashed=True):
    result = hvrec("verify", "-j", "2", trace, seconds=SECONDS)
    check(result.status == 0, f"verify: {result}", trace)
    check(not hashed or b"the final state hash agrees" in result.err, f"verify: no final state: {result}")


def passes(name, *arguments, options=()):
    console = record(*options, payload(name), *arguments, seconds=SECONDS).out
    check(console.endswith(b"PASS %s\n" % name.encode()), f"{name} {options}: the console ends {console[-80:]!r}")
    return console


def define(name):
    def function():
        for count in COUNTS:
            console = passes(name, *ARGUMENTS.get(name, ()), options=("--smp", str(count), "--keyframe-every", "10ms"))
            for _ in range(20 if SOAK else 1):
                replay(console=console)
            verify()

    function.__name__ = "payload_" + name
    test(function)


for payload_name in payload_names():
    define(payload_name)


# ---- turns drawn at random ----

def outcomes(console):
    """{test: {outcome: count}}, without those that are forbidden, which the payload itself calls a failure."""
    found = collections.defaultdict(dict)
    for line in console.decode().splitlines():
        words = line.split()
        if words[:1] == ["litmus"] and "forbidden" not in words:
            found[words[1]][words[2]] = int(words[3])
    return found


def litmus(count, rounds):
    turns = f"random:{rng.randrange(1 << 32)}"
    console = passes("smp_litmus", str(rounds), "0", options=("--smp", str(count), "--turns", turns))
    replay(console=console, seconds=SECONDS)
    check(console.count(b"forbidden") == len(outcomes(console)), "an outcome is missing")
    return outcomes(console)


@test
def turns_anywhere_show_every_order_of_two_cpus():
    found = litmus(2, LITMUS_ROUNDS)
    check(set(found) == {"SB", "MP", "LB", "CoRR"}, f"tests {list(found)}")
    unseen = [f"{name} {outcome}" for name, seen in found.items() for outcome, times in seen.items() if times == 0]
    check(not unseen, f"never seen: {unseen}")


@test
def turns_anywhere_show_many_orders_of_four_cpus():
    """All of them, where there is time for enough rounds."""
    seen = litmus(4, LITMUS_ROUNDS if SOAK else 100)["IRIW"]
    unseen = [outcome for outcome, times in seen.items() if times == 0]
    check(len(seen) == 15 and len(unseen) <= (0 if SOAK else 13), f"IRIW never shows {unseen}")


@test
def the_planted_race_is_met_and_replays():
    for turns in ("fair", f"random:{rng.randrange(1 << 32)}"):
        console = passes("smp_race", options=("--smp", "2", "--turns", turns))
        check(b"smp_race: address 0xdead000000000100" in console, f"{console!r}")
        replay(console=console)


# ---- everything at random ----

def chaos(*options):
    """Records it. Returns its console."""
    moves = "80" if not SOAK else str(rng.choice((200, 400, 1500)))
    return passes("chaos", str(rng.randrange(10 ** 9)), moves, options=options)


@test
def chaos_on_all_cpus_replays_and_verifies():
    for turn in range(SEEDS):
        for count in (COUNTS[turn % 3],) if SOAK else COUNTS:
            turns = "fair" if rng.random() < 0.7 else f"random:{rng.randrange(1 << 32)}"
            console = chaos("--smp", str(count), "--turns", turns, "--keyframe-every", rng.choice(("1ms", "4ms", "20ms")))
            replay(console=console, seconds=SECONDS)
            if SOAK:
                replay(console=console, seconds=SECONDS)
            verify()


# ---- parts, flights and accidents ----

def trim(trace, output, *options):
    result = hvrec("trim", trace, "-o", output, "--quiet", *options)
    check(result.status == 0, f"trim {options}: {result}", trace)


@test
def a_part_of_an_smp_trace_replays_and_verifies():
    for count in COUNTS if SOAK else (rng.choice(COUNTS),):
        chaos("--smp", str(count), "--keyframe-every", "1ms")
        end = harness.events("trace")[-1].n
        for _ in range(10 if SOAK else 2):
            first, last = sorted(rng.randrange(end) for _ in range(2))
            trim("trace", "part", "--from", str(first), "--to", str(last))
            replay("part", hashed=False)
            verify("part", hashed=False)
            os.remove("part")


@test
def a_flight_recorder_keeps_the_end_of_an_smp_guest():
    record("--smp", "4", "--keyframe-every", "20ms", "--keep", "3ms", payload("smp_timers"), "400", "--console", "none")
    replay()
    verify()


@test
def a_killed_recording_of_an_smp_guest_is_repaired():
    process = harness.start("record", "-o", "trace", "--quiet", "--smp", "4", "--keyframe-every", "50ms", "--console", "none",
                            *debian("cloud", "hvrec.smp " + harness.NEVER_ENDS))
    harness.machine_pid()
    try:
        process.wait(8)
    except subprocess.TimeoutExpired:
        process.kill()
    harness.finish(process)
    result = hvrec("repair", "trace")
    check(result.status == 0, f"repair: {result}")
    replay("trace.repaired", hashed=False)
    verify("trace.repaired", hashed=False)


# ---- Debian ----

def in_good_order(console, count):
    for line in (b"Brought up 1 node, %d CPUs" % count, b"smp: cpus %d" % count, b"smp: all ok", b"reboot: Power down"):
        check(line in console, f"the console lacks {line!r}; it ends {console[-200:]!r}")
    found = TROUBLE.findall(console)
    check(not found, f"the kernel complains: {found[:3]}")


def boots_with_all_cpus(flavour, count, replays):
    console = record("--smp", str(count), "--keyframe-every", "300ms", *debian(flavour, f"hvrec.smp hvrec.scale={SCALE}"),
                     seconds=SECONDS).out
    in_good_order(console, count)
    for turn in range(replays):
        if SOAK and turn % 2:
            with harness.busy():
                replay(console=console)
        else:
            replay(console=console)
    verify()


@test
def debian_cloud_kernel_keeps_four_cpus_busy_and_replays():
    boots_with_all_cpus("cloud", 4, REPLAYS)


@test
def debian_cloud_kernel_keeps_eight_cpus_busy_and_replays():
    if not SOAK:
        raise harness.Skipped("with --soak")
    boots_with_all_cpus("cloud", 8, REPLAYS)


@test
def debian_generic_kernel_keeps_all_cpus_busy_and_replays():
    if not SOAK:
        raise harness.Skipped("with --soak")
    boots_with_all_cpus("generic", 4, REPLAYS)
    boots_with_all_cpus("generic", 8, REPLAYS)


@test
def lines_typed_at_an_smp_guest_are_in_the_trace():
    for turn in range(TYPED_RECORDINGS):
        lines = [b"line %d %d" % (turn, rng.randrange(10 ** 9)) for _ in range(3)]
        with open("input", "wb") as file:
            file.write(b"".join(line + b"\r" for line in lines) + b"quit\r")
        console = record("--smp", str(rng.choice(COUNTS)), "--pace", ("skip", "real")[turn % 2], "--input", "input",
                         "--input-after", "quit ends", *debian("cloud", "hvrec.cat")).out
        for line in lines:
            check(b"got: " + line in console, f"no answer to {line!r}; the console ends {console[-200:]!r}")
        for _ in range(3 if SOAK else 1):
            replay(console=console)


if __name__ == "__main__":
    harness.main()
