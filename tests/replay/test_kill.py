"""However a recording ends, its trace replays up to there, and nothing else is left: no process, no file, no socket."""
import contextlib
import json
import os
import re
import signal
import subprocess
import time

import harness
from harness import SOAK, busy, check, hvrec, payload, replay, rng, start, test

KILLS = 20 if SOAK else 3
LOST_SECONDS_MAX = 1.0


def is_complete(trace="trace"):
    result = hvrec("info", trace, "--json")
    check(result.status == 0, f"info: {result}")
    return json.loads(result.out)["complete"]


def last_console_line_time(console):
    """The kernel's own time, in seconds, of the last whole line."""
    times = re.findall(rb"^\[ *(\d+\.\d+)\][^\n]*\n", console, re.MULTILINE)
    return float(times[-1]) if times else 0.0


def start_recording(*arguments, **more):
    with open("console", "wb") as console, open("messages", "wb") as messages:
        return start("record", "-o", "trace", "--quiet", *arguments, stdout=console, stderr=messages, **more)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def killed_recording(delay_s, victim, *arguments, **more):
    """Records, waits, kills hvrec or its machine with SIGKILL. Returns (exit status, seconds that it had run)."""
    files_before = harness.shared_folders()
    process = start_recording(*arguments, **more)
    machine = harness.machine_pid()
    began = time.monotonic()
    time.sleep(delay_s)
    ran = time.monotonic() - began
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid if victim == "hvrec" else machine, signal.SIGKILL)
    harness.finish(process, seconds=30)
    harness.no_strays()
    harness.only_files("trace", "trace-wal", "trace-shm", "console", "messages")
    left = harness.shared_folders() - files_before
    check(not left, f"files left behind: {left}")
    return process.returncode, ran


def replays_to_last_commit(ran, rate):
    """An incomplete trace replays; its console is a prefix, and at most a second of the run is missing from it."""
    recorded = contents("console")
    check(not is_complete(), "a killed recording says that it is complete")
    result = replay(hashed=False)
    check(b"incomplete" in result.err, f"replay does not say that the trace is incomplete: {result}")
    check(recorded.startswith(result.out) or result.out.startswith(recorded), "replay: another console")
    replayed = int(re.search(rb"replayed (\d+) instructions", result.err).group(1))
    lost_s = ran - replayed / rate
    check(lost_s < LOST_SECONDS_MAX + 0.5 * ran, f"ran {ran:.2f} s; {lost_s:.2f} s of it are lost")
    return result


def spin_rate():
    """Instructions per second of a recording, now."""
    result = hvrec("record", "-o", "rate", "--quiet", "--timeout", "1", payload("hang"))
    check(result.status == 3, f"record: {result}")
    rate = harness.events("rate")[-1].n / result.seconds
    os.remove("rate")
    return rate


@test
def kill_of_hvrec_leaves_a_trace_up_to_the_last_commit():
    rate = spin_rate()
    for _ in range(KILLS):
        status, ran = killed_recording(rng.uniform(0, 4), "hvrec", *harness.debian("cloud", "hvrec.scale=1"))
        check(status == -signal.SIGKILL, f"exit status {status}")
        replays_to_last_commit(ran, rate)


@test
def kill_of_the_machine_leaves_a_trace_and_an_error():
    for _ in range(KILLS):
        status, _ = killed_recording(rng.uniform(0, 4), "machine", *harness.debian("cloud", "hvrec.scale=1"))
        message = contents("messages").decode()
        check(status == 1 and message.count("\n") == 1 and message.startswith("hvrec record: "),
              f"exit status {status}, messages {message!r}")
        check("QEMU" in message and "signal 9" in message, f"unclear message: {message}")
        check(not is_complete(), "the trace says that it is complete")
        # hvrec lived on: it has everything that the guest had printed
        replay(hashed=False, console=contents("console"))


@test
def kill_right_at_the_start_leaves_no_mess():
    for _ in range(4 * KILLS):
        process = start_recording(payload("timer_virtual"))
        time.sleep(rng.uniform(0, 0.08))
        process.kill()
        harness.finish(process)
        harness.no_strays()
        harness.only_files("trace", "trace-wal", "trace-shm", "console", "messages")
        if os.path.exists("trace"):
            result = hvrec("replay", "trace")
            check(result.status in (0, 1), f"replay: {result}")
            check(hvrec("info", "trace").status in (0, 1), "info crashed")
        # and the next recording takes its place
        record_again = harness.record(payload("psci"))
        replay(console=record_again.out)
        harness.only_files("trace", "console", "messages")


@test
def kill_of_a_replay_leaves_nothing():
    harness.record("--timeout", "2", payload("hang"), status=3)
    before = contents("trace")
    for victim in ("hvrec", "machine"):
        process = start("replay", "trace")
        machine = harness.machine_pid()
        time.sleep(rng.uniform(0, 0.5))
        os.kill(process.pid if victim == "hvrec" else machine, signal.SIGKILL)
        result = harness.finish(process)
        check(result.status == (-9 if victim == "hvrec" else 1), f"{result}")
        harness.no_strays()
        harness.only_files("trace")
        check(contents("trace") == before, "the trace was changed")


@test
def signals_finish_the_trace():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) * (5 if SOAK else 1):
        for arguments in ([payload("hang")], [payload("echo"), "--pace"], harness.debian("cloud")):
            if "--pace" in arguments:  # asleep, waiting for input
                arguments = ["--input", "fifo", "--pace", "real", payload("echo")]
                with contextlib.suppress(FileExistsError):
                    os.mkfifo("fifo")
                writer = os.open("fifo", os.O_RDWR)
            process = start_recording(*arguments)
            harness.machine_pid()
            time.sleep(rng.uniform(0.1, 1))
            process.send_signal(number)
            result = harness.finish(process, seconds=30)
            if "fifo" in arguments:
                os.close(writer)
            check(result.status == 0, f"{arguments[-1]}, signal {number}: {result}: {contents('messages')!r}")
            check(is_complete(), f"signal {number}: the trace is incomplete")
            replay(console=contents("console"))
            harness.only_files("trace", "console", "messages", "fifo")


@test
def a_signal_ends_a_replay():
    harness.record("--timeout", "1", payload("hang"), status=3)
    for number in (signal.SIGTERM, signal.SIGINT):
        process = start("replay", "trace")
        harness.machine_pid()
        time.sleep(0.1)
        process.send_signal(number)
        result = harness.finish(process)
        harness.error_line(result, "replay")


@test
def console_that_goes_away_finishes_the_trace():
    process = start("record", "-o", "trace", "--quiet", *harness.debian("cloud"))
    process.stdout.read(100)
    process.stdout.close()
    process.stdout = None
    harness.error_line(harness.finish(process), "record")
    check(is_complete(), "the trace is incomplete")
    replay()


@test
def full_disk_gives_an_error_and_a_trace_that_replays():
    if os.geteuid() != 0:
        raise harness.Skipped("only root can make a small file system")
    os.mkdir("small")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=17m", "tmpfs", "small"],
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise harness.Skipped(f"cannot mount a tmpfs: {done.stderr.decode().strip()}")
    try:
        # the guest fits; what fills the rest is somebody else
        process = start_recording(*harness.debian("cloud", "hvrec.scale=1"), "-o", "small/trace")
        harness.machine_pid()
        with open("small/other", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        result = harness.finish(process)
        message = contents("messages").decode()
        check(result.status == 1 and message.count("\n") == 1 and "small/trace" in message and "space" in message,
              f"exit status {result.status}, messages {message!r}")
        check(not is_complete("small/trace"), "the trace says that it is complete")
        replay("small/trace", hashed=False)
    finally:
        subprocess.run(["umount", "--lazy", "small"], check=False)


@test
def two_recordings_do_not_share_a_trace():
    process = start_recording("--timeout", "20", payload("hang"))
    harness.machine_pid()
    line = harness.error_line(hvrec("record", "-o", "trace", payload("psci")), "record")
    check("trace" in line, f"the message does not name the file: {line}")
    result = hvrec("replay", "trace")  # what is committed so far
    check(result.status in (0, 1), f"replay of a trace that is being recorded: {result}")
    process.terminate()
    check(harness.finish(process).status == 0, "the first recording failed")
    replay()


@test
def kills_while_both_cores_are_busy():
    with busy():
        for _ in range(KILLS):
            killed_recording(rng.uniform(0.2, 2), "hvrec", *harness.debian("cloud"))
            replay(hashed=False)


if __name__ == "__main__":
    harness.main()
