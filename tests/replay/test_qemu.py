"""Another QEMU than the usual one (tools/fetch-qemu): what starts at a keyframe agrees on it, and traces cross."""
import os

import harness
from harness import SOAK, check, hvrec, payload, record, replay, test

OTHER = os.path.join(harness.BUILD, "qemu", "trixie", "qemu-system-aarch64")
TURNS = 100 if SOAK else 3


def qemus():
    """This test's usual one and the other one, as options."""
    if not os.path.exists(OTHER):
        raise harness.Skipped(f"no {OTHER}: run tools/fetch-qemu")
    return [], ["--qemu", OTHER]


def agrees(*command):
    result = hvrec(*command)
    check(result.status == 0, f"{' '.join(command)}: {result}", "trace")


def length():
    return harness.events("trace")[-1].n


def starts_at_keyframes(qemu):
    agrees("verify", "trace", "--quiet", *qemu)
    agrees("trim", "trace", "-o", "trimmed", "--quiet", "--from", str(length() // 2))
    agrees("replay", "trimmed", "--console", "none", *qemu)
    os.remove("trimmed")


def crosses(qemu):
    """With a hundred steps back from the end."""
    replay("trace", None, env=harness.environment(HVREC_QEMU=qemu[1] if qemu else os.environ.get("HVREC_QEMU")))
    agrees("verify", "trace", "--quiet", *qemu)
    agrees("debug", "trace", *qemu, "--at", "end", "--", "-batch", "-ex", "reverse-stepi 100", "-ex", "monitor when")


@test
def timers_behind_a_keyframe_come_as_recorded_on_another_qemu():
    other = qemus()[1]
    for _ in range(TURNS):
        record("--keyframe-every", "10ms", *other, payload("timer_virtual"))
        starts_at_keyframes(other)


@test
def payload_traces_cross_between_qemus():
    usual, other = qemus()
    with open("disk", "wb") as disk:
        disk.write(bytes(range(256)) * 9000)
    for name, *options in (("timer_far",), ("el0",), ("gic_many",), ("counter_polled",), ("virtio_disk", "--disk", "disk")):
        for here, there in ((usual, other), (other, usual)):
            record("--keyframe-every", "10ms", *here, *options, payload(name))
            crosses(there)


@test
def debian_traces_cross_between_qemus():
    usual, other = qemus()
    for _ in range(20 if SOAK else 1):
        for here, there in ((usual, other), (other, usual)):
            record(*here, *harness.debian("cloud"), "--console", "none")
            crosses(there)
            if SOAK:
                starts_at_keyframes(other)


harness.main()
