"""What an exit costs: the instructions that hv itself executes for it, which are exact, unlike times.

The machine's clock counts one ns for each instruction, hv's among them, and the guest's counter stands still while hv
works. So CNTVOFF_EL2, by which hv keeps them apart, grows from one entry to the next by what hv executed in between, in
ticks of 16 instructions. QEMU tells of each write to it.
"""
import os
import re
import shutil

import harness
from harness import check, payload, record, replay, test

TICK_INSNS = 16
INSNS_MAX = 300  # of hv, for a poll of a device register
POLLS = 20000    # tests/guest/polls.c
EDGE = 500       # more exits than the guest has before and behind its polls

MACHINE = """#!/bin/sh
case "$*" in --version) exec {qemu} --version ;; esac
exec {qemu} "$@" -trace arm_gt_cntvoff_write -D {log}
"""


def machine_that_tells(log):
    """Environment for hvrec whose machine writes CNTVOFF_EL2's values to the file `log`, which it could not if it were
    confined."""
    qemu = shutil.which(os.environ.get("HVREC_QEMU") or "qemu-system-aarch64")
    with open("machine", "w", encoding="ascii") as file:
        file.write(MACHINE.format(qemu=qemu, log=os.path.abspath(log)))
    os.chmod("machine", 0o755)
    return harness.environment(HVREC_QEMU=os.path.abspath("machine"), HVREC_PATIENT="1")


def insns_of_exits(log):
    with open(log, encoding="ascii") as file:
        offsets = [int(value, 16) for value in re.findall(r"gt_cntvoff_write: value (0x[0-9a-f]+)", file.read())]
    return [(after - before) % 2 ** 64 * TICK_INSNS for before, after in zip(offsets, offsets[1:])]


def check_polls(log, doing):
    exits = insns_of_exits(log)
    check(POLLS < len(exits) < POLLS + EDGE, f"{doing}: {len(exits)} exits")
    polls = exits[EDGE:POLLS - EDGE]
    mean = sum(polls) / len(polls)
    check(mean <= INSNS_MAX, f"{doing}: {mean:.1f} instructions of hv for a poll, the most {max(polls)}")


@test
def a_poll_costs_few_instructions():
    record("--keyframe-every", "none", payload("polls"), env=machine_that_tells("recorded"))
    check_polls("recorded", "recording")
    replay(env=machine_that_tells("replayed"))
    check_polls("replayed", "replaying")


harness.main()
