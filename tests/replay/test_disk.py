"""A full disk is an error in one line and exit status 1, whoever was writing; what was recorded before replays.

The small disks are tmpfs, mounted in a mount namespace of this program's own, so that none stays behind. Without the
right to have one, these tests are skipped.
"""
import contextlib
import json
import os
import resource
import subprocess
import sys
import time

import harness
from harness import SOAK, check, hvrec, payload, replay, rng, start, test

POINTS = 10 if SOAK else 1  # of each of the two ways to fill a disk
IN_NAMESPACE = "HVREC_TEST_NAMESPACE"


@contextlib.contextmanager
def small_disk(size):
    if os.environ.get(IN_NAMESPACE) != "yes":
        raise harness.Skipped("no rights to make a small file system")
    os.makedirs("small", exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", "small"], capture_output=True,
                          check=False)
    if done.returncode != 0:
        raise harness.Skipped(f"cannot mount a tmpfs: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", "small"], check=False)


def fill():
    """Leaves no room in small/."""
    with open("small/other", "wb", buffering=0) as file:
        for block in (1 << 16, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(block)):
                    pass


def recording_ended(result, mention="small/trace"):
    """The recording failed because of the disk and said so; the trace is incomplete and replays."""
    line = harness.error_line(result, "record")
    check(mention in line and "space" in line, f"unclear message: {line}")
    info = hvrec("info", "small/trace", "--json")
    check(info.status == 0 and not json.loads(info.out)["complete"], f"info: {info}")
    return replay("small/trace", hashed=False)


@test
def a_trace_that_fills_its_disk_replays():
    for _ in range(POINTS):
        size = rng.randrange(160, 500 if SOAK else 220) << 10
        with small_disk(size):
            result = hvrec("record", "-o", "small/trace", "--quiet", payload("ticks"), "forever")
            replayed = recording_ended(result)
            check(result.out.startswith(replayed.out), "replay: another console")
            check(len(replayed.out) > 0, f"a disk of {size} bytes kept nothing of the run")


@test
def a_disk_that_others_fill_leaves_a_trace_that_replays():
    for _ in range(POINTS):
        with small_disk("20m"):
            process = start("record", "-o", "small/trace", "--quiet", *harness.debian("cloud", harness.NEVER_ENDS))
            harness.machine_pid()
            time.sleep(rng.uniform(0, 3))
            fill()
            result = harness.finish(process)
            replayed = recording_ended(result)
            check(result.out.startswith(replayed.out), "replay: another console")


@test
def a_disk_too_small_for_the_guest_is_an_error():
    for size in (4096, 8192, 16384, 65536, *(rng.randrange(1, 15 << 20) for _ in range(POINTS))):
        with small_disk(size):
            result = hvrec("record", "-o", "small/trace", "--quiet", *harness.debian("cloud"))
            line = harness.error_line(result, "record")
            check("small/trace" in line and "space" in line, f"{size} bytes: unclear message: {line}")
            if os.path.exists("small/trace"):
                harness.error_line(hvrec("replay", "small/trace"), "replay")


@test
def a_full_disk_ends_a_repair_without_harm():
    harness.record(payload("console"))
    size = os.path.getsize("trace")
    with small_disk(size // 2):
        line = harness.error_line(hvrec("repair", "trace", "-o", "small/trace"), "repair")
        check("small/trace" in line and "space" in line, f"unclear message: {line}")
        check(not os.path.exists("small/trace"), "half a repaired trace was left")
    replay()


@test
def a_console_that_cannot_be_written_is_an_error():
    with small_disk(8192):
        for command in (["record", "-o", "trace", "--quiet", "--console", "small/console", payload("ticks"), "forever"],
                        ["replay", "trace", "--console", "small/console"]):
            line = harness.error_line(hvrec(*command), command[0])
            check("console" in line and "space" in line, f"unclear message: {line}")
            check(os.path.getsize("small/console") == 8192, "the console's beginning is lost")
    check(json.loads(hvrec("info", "trace", "--json").out)["complete"], "the trace is incomplete")
    replay()


@test
def standard_output_that_is_full_is_an_error():
    harness.record(payload("console"))
    with open("/dev/full", "wb") as full:
        for command in (["replay", "trace"], ["info", "trace"], ["info", "trace", "--json"], ["--help"], ["--version"],
                        ["record", "--help"], ["repair", "trace"], ["record", "-o", "other", payload("console")]):
            result = hvrec(*command, stdout=full)
            check(result.status == 1, f"{command}: {result}, though nothing could be written")
            check(b"No space left" in result.err, f"{command}: unclear: {result}")


@test
def a_limit_on_file_sizes_is_an_error_and_no_signal():
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    line = harness.error_line(hvrec("record", "-o", "trace", "--quiet", payload("console"), preexec_fn=limit), "record")
    check("too large" in line, f"unclear message: {line}")


def enter_namespace():
    """Starts this program again in a mount namespace of its own, as root of a user namespace if it is not root."""
    if os.environ.get(IN_NAMESPACE):
        return
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    allowed = subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0
    os.environ[IN_NAMESPACE] = "yes" if allowed else "no"
    if allowed:
        os.execvp(unshare[0], [*unshare, sys.executable, "-B", *sys.argv])


if __name__ == "__main__":
    enter_namespace()
    harness.main()
