"""However a recording ends, its trace replays up to there, and nothing else is left: no process, no file, no socket."""
import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import struct
import tempfile
import threading
import time

import harness
from harness import SOAK, busy, check, hvrec, payload, replay, rng, start, test

KILLS = 20 if SOAK else 2
MOMENTS = 100 if SOAK else 6
LOST_SECONDS_MAX = 1.0
DISK_KILLS = 100 if SOAK else 4
AREA_BYTES, DISK_BYTES = 2048 * 512, 4 << 20  # AREA_SECTORS of virtio_flush


def is_complete(trace="trace"):
    result = hvrec("info", trace, "--json")
    check(result.status == 0, f"info: {result}")
    return json.loads(result.out)["complete"]


def start_recording(*arguments, **more):
    with open("console", "wb") as console, open("messages", "wb") as messages:
        return start("record", "-o", "trace", "--quiet", *arguments, stdout=console, stderr=messages, **more)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


class Console:
    """What a recording prints, and when each byte of it came. The pipe is read as it fills, by a thread."""

    def __init__(self, pipe):
        self.bytes, self.arrivals = b"", []  # arrivals: (bytes so far, time)
        self.pipe = pipe
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while part := os.read(self.pipe.fileno(), 65536):
            self.bytes += part
            self.arrivals.append((len(self.bytes), time.monotonic()))

    def arrival(self, index):
        """When byte `index` was there."""
        return next(when for count, when in self.arrivals if count > index)

    def end(self):
        self.thread.join()
        self.pipe.close()


def killed_recording(delay_s, victim, *arguments):
    """Records, waits, kills hvrec or its machine with SIGKILL. Returns (exit status, Console, time of the kill)."""
    files_before = harness.shared_folders()
    with open("messages", "wb") as messages:
        process = start("record", "-o", "trace", "--quiet", *arguments, stderr=messages)
    console = Console(process.stdout)
    machine = harness.machine_pid()
    time.sleep(delay_s)
    killed = time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid if victim == "hvrec" else machine, signal.SIGKILL)
    console.end()
    process.stdout = None
    harness.finish(process)
    harness.no_strays()
    harness.only_files("trace", "trace-wal", "trace-shm", "messages")
    left = harness.shared_folders() - files_before
    check(not left, f"files left behind: {left}")
    return process.returncode, console, killed


def replays_to_last_commit(console, killed):
    """The trace says "incomplete" and replays; its console is a prefix of the recorded one (or the other way round: what
    hvrec had printed last may still have been in the pipe). Returns how many seconds of the run before the kill are
    missing: since the first byte that came from the recording and does not come from the replay."""
    check(not is_complete(), "a killed recording says that it is complete")
    result = replay(hashed=False)
    check(b"incomplete" in result.err, f"replay does not say that the trace is incomplete: {result}")
    check(console.bytes.startswith(result.out) or result.out.startswith(console.bytes), "replay: another console")
    if len(result.out) >= len(console.bytes):
        return 0
    return killed - console.arrival(len(result.out))


def victim_check(victim, status):
    """How hvrec itself ended."""
    if victim == "hvrec":
        check(status == -signal.SIGKILL, f"exit status {status}")
        return
    message = contents("messages").decode()
    check(status == 1 and message.count("\n") == 1 and message.startswith("hvrec record: "),
          f"exit status {status}, messages {message!r}")
    check("QEMU" in message and "signal 9" in message, f"unclear message: {message}")


def kill_many(count, delay_max, *arguments):
    """Kills at `count` random moments, hvrec and its machine in turns, and prints what was lost."""
    lost = {"hvrec": [], "machine": []}
    for i in range(count):
        victim = ("hvrec", "machine")[i % 2]
        status, console, killed = killed_recording(rng.uniform(0, delay_max), victim, *arguments)
        victim_check(victim, status)
        lost[victim].append(replays_to_last_commit(console, killed))
        check(lost[victim][-1] <= LOST_SECONDS_MAX, f"{lost[victim][-1]:.2f} s of the run are lost")
    check(max(lost["machine"]) == 0, "hvrec lived on, and did not write all that the guest had printed")
    print(f"# {count} killed, of hvrec and of QEMU each half; lost of hvrec's: at most {max(lost['hvrec']):.2f} s, "
          f"on average {sum(lost['hvrec']) / len(lost['hvrec']):.2f} s")


@test
def kill_at_any_moment_loses_at_most_a_second():
    # a guest that prints all the time, so that the console tells how much is lost
    kill_many(MOMENTS, 4, payload("ticks"), "forever")


@test
def kill_of_a_booting_kernel_loses_at_most_a_second():
    kill_many(KILLS * 2, 4, *harness.debian("cloud", harness.NEVER_ENDS))


@test
def kill_right_at_the_start_leaves_no_mess():
    for _ in range(4 * KILLS):
        process = start_recording(payload("timer_virtual"))
        time.sleep(rng.uniform(0, 0.08))
        process.kill()
        harness.finish(process)
        harness.no_strays()
        # a journal: it had ended, and was about to leave WAL mode
        harness.only_files("trace", "trace-wal", "trace-shm", "trace-journal", "console", "messages")
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
def a_failed_check_of_hvrec_keeps_the_recording():
    shutil.copy(os.path.join(harness.BUILD, "tests", "hvrec_failing"), "failing")
    os.symlink(os.path.join(harness.BUILD, "hv.elf"), "hv.elf")
    for place in ("loop", "writer"):
        environment = harness.environment(HVREC_TEST_FAIL=place)
        result = harness.hvrec("record", "-o", "trace", "--quiet", payload("ticks"), "forever",
                               program=os.path.abspath("failing"), env=environment)
        line = re.fullmatch(rb"hvrec: a bug of hvrec, please report it: [\w/]+\.c, line \d+: .*; "
                            rb"the trace is kept up to event (\d+)\n", result.err)
        check(result.status == -signal.SIGABRT and line, f"{place}: status {result.status}, {result.err!r}")
        harness.no_strays()
        kept, events = int(line[1]), harness.events("trace")
        check(len(events) == kept, f"{place}: {len(events)} events are kept, it said {kept}")
        check(place == "writer" or kept >= 20000, f"only {kept} events are kept")
        check(not is_complete(), "the trace says that it is complete")
        console = replay(hashed=False).out
        check(console.startswith(result.out) or result.out.startswith(console), f"{place}: another console")
        check(place == "writer" or len(console) >= len(result.out), f"{place}: what was printed is not kept")
        with contextlib.suppress(FileNotFoundError):
            os.remove("core")


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
            while process.poll() is None and b'"machine": "' not in harness.hvrec("info", "--json", "trace").out:
                time.sleep(0.1)  # the machine's facts are there once it has started
            process.send_signal(number)
            result = harness.finish(process)
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
def two_recordings_do_not_share_a_trace():
    process = start_recording("--timeout", "20", payload("hang"))
    harness.machine_pid()
    with open("console", "w", encoding="utf-8") as file:
        file.write("of the first one")
    line = harness.error_line(hvrec("record", "-o", "trace", "--console", "console", payload("psci")), "record")
    check("trace" in line, f"the message does not name the file: {line}")
    check(os.path.getsize("console") == 16, "the refused recording emptied the other one's console")
    result = hvrec("replay", "trace")  # what is committed so far
    check(result.status in (0, 1), f"replay of a trace that is being recorded: {result}")
    process.terminate()
    check(harness.finish(process).status == 0, "the first recording failed")
    replay()


@test
def kills_while_both_cores_are_busy():
    with busy():
        for _ in range(KILLS):
            killed_recording(rng.uniform(0.2, 2), "hvrec", *harness.debian("cloud", harness.NEVER_ENDS))
            replay(hashed=False)


@test
def replay_until_of_an_incomplete_trace_tells_where_it_ended():
    harness.record("--console", "none", harness.payload("timer_virtual"))
    with contextlib.closing(sqlite3.connect("trace", isolation_level=None)) as db:
        db.execute("DELETE FROM meta WHERE key IN ('complete', 'events')")
    harness.trace_edit("seal", "trace")
    length = harness.events("trace")[-1].n
    for until, whole in ((length // 2, False), (length + 1, True)):
        result = hvrec("replay", "trace", "--console", "none", "--until", str(until))
        check(result.status == 0 and (b"up to its last commit" in result.err) == whole, f"--until {until}: {result}")


def rounds_of(image):
    """The rounds whose bytes the area has."""
    return set(struct.unpack(f"<{AREA_BYTES // 4}I", image[:AREA_BYTES]))


@test
def a_killed_recording_replays_and_its_image_has_what_was_flushed():
    """A flush is answered when the image has everything, and round K + 1 is flushed only after K was shown. A flush that
    was on its way may have come to any block."""
    for i in range(DISK_KILLS):
        victim = ("hvrec", "machine")[i % 2]
        write = i % 4 < 2
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "disk")
            original = rng.randbytes(DISK_BYTES)
            with open(path, "wb") as file:
                file.write(original)
            status, console, killed = killed_recording(
                rng.uniform(0.2, 2), victim, "--disk", path + (",write" if write else ""), "--keyframe-every", "100ms",
                payload("virtio_flush"))
            image = contents(path)
        victim_check(victim, status)
        replays_to_last_commit(console, killed)
        check(image[AREA_BYTES:] == original[AREA_BYTES:], "the image has changed where the guest wrote nothing")
        shown = [int(k, 16) for k in re.findall(rb"flushed 0x([0-9a-f]+)\n", console.bytes)]
        if not write:
            check(image == original, "the image has changed")
        elif shown:
            check(rounds_of(image) <= {shown[-1], shown[-1] + 1}, f"{rounds_of(image)} after round {shown[-1]}, {victim}")
    print(f"# {DISK_KILLS} killed")


if __name__ == "__main__":
    harness.main()
