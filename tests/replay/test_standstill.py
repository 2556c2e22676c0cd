"""Guests that take exceptions for ever: every one is got back, named, and its trace whole. See tests/guest/standstill.c."""
import re
import signal
import time

import harness
from harness import SOAK, check, payload, record, replay, rng, test

# What hvrec sees for itself, and says. The other deaths go on through several instructions, and --timeout ends them.
CAUGHT = {"system_call", "endless_branch", "branch_to_unmapped"}
LIVELY = {"branch_to_nothing", "vectors_in_a_circle", "two_instructions", "between_el0_and_el1",
          "between_el0_and_el1_by_abort", "return_to_illegal_state", "return_to_unmapped"}
NEVER_S, SOON_S, TO_DIE_S = "100", "3", "8"


def deaths():
    with open(f"{harness.TOP}/tests/guest/standstill.c", encoding="utf-8") as file:
        return re.findall(r"^\tDEATH\((\w+)\),$", file.read(), re.MULTILINE)


def expected(name):
    if name in LIVELY:
        return rb"the guest ran longer than --timeout"
    words = rb"is caught at" if name in CAUGHT else rb"takes exceptions for ever at"
    return words + rb" 0x[0-9a-f]*[02468ace]00: .*; ESR_EL1 (0x)?[0-9a-f]+, ELR_EL1 0x[0-9a-f]+, FAR_EL1 "


def dies(name, *options, said=None):
    result = record("--timeout", SOON_S if name in LIVELY else NEVER_S, *options, payload("standstill"), name, status=3)
    check(re.search(said or expected(name), result.err), f"{name}: {result}")
    check(result.out == f"standstill: {name}\n".encode(), f"{name}: console {result.out!r}")
    replay(console=result.out)
    verified = harness.hvrec("verify", "trace")
    check(verified.status == 0, f"{name}: {verified}")
    return result


def define(name):
    def function():
        dies(name)
        if SOAK:
            for every in ("20ms", "50ms", "1s") * 5:
                dies(name, "--keyframe-every", every)

    function.__name__ = "dies_of_" + name
    test(function)


for death in deaths():
    define(death)


@test
def keyframes_are_taken_until_the_death():
    for name in rng.sample(sorted(deaths()), 4):
        dies(name, "--keyframe-every", "20ms")


@test
def timeout_gets_a_guest_back_that_nothing_interrupts():
    for name in ("vectors_unmapped", "undefined_instruction", "bad_stack_unmapped", "masked_breakpoint"):
        dies(name, "--keyframe-every", "none", "--timeout", TO_DIE_S)


@test
def limit_of_instructions_ends_a_guest_whose_every_place_is_a_vector():
    result = record("--max-instructions", "1M", "--keyframe-every", "none", payload("standstill"),
                    "vectors_in_a_circle", status=3)
    check(b"--max-instructions 1000000" in result.err, f"{result}")
    check(1000000 <= harness.events("trace")[-1].n < 1000100, f"ends at {harness.events('trace')[-1].n}")
    replay(console=result.out)


@test
def signals_get_a_guest_back_that_retires_nothing():
    for number in (signal.SIGINT, signal.SIGTERM):
        process = harness.start("record", "-o", "trace", "--quiet", "--keyframe-every", "none", payload("standstill"),
                                "vectors_unmapped")
        said = process.stdout.readline()
        time.sleep(float(TO_DIE_S))
        process.send_signal(number)
        result = harness.finish(process)
        check(result.status == 3 and re.search(expected("vectors_unmapped"), result.err), f"{result}")
        replay(console=said)


@test
def info_and_events_name_the_end():
    dies("no_vectors")
    told = harness.hvrec("info", "trace").out
    check(re.search(rb"^end +exceptions for ever$", told, re.MULTILINE), f"info says {told!r}")
    told = harness.hvrec("events", "trace", "--kind", "end").out
    check(b"exceptions for ever" in told, f"events says {told!r}")


@test
def a_part_of_the_trace_ends_as_the_whole():
    dies("two_instructions", "--keyframe-every", "100ms")
    trimmed = harness.hvrec("trim", "trace", "-o", "part", "--from", str(harness.events("trace")[-1].n // 2))
    check(trimmed.status == 0, f"trim: {trimmed}")
    replay("part", hashed=False)


if __name__ == "__main__":
    harness.main()
