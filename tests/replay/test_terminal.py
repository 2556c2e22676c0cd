"""hvrec on a terminal: raw mode and back, the Ctrl-A keys, live typing. The terminal is a pseudo-terminal of ours."""
import contextlib
import json
import os
import pty
import select
import signal
import termios
import time

import harness
from harness import SOAK, check, hvrec, payload, replay, rng, test

QUIT, HELP, LITERAL = b"\x01x", b"\x01h", b"\x01\x01"
RAW_OFF = termios.ICANON | termios.ECHO | termios.ISIG


class Terminal:
    """hvrec record with a pseudo-terminal as its standard input, output and error."""

    def __init__(self, *arguments):
        self.main, self.other = pty.openpty()
        self.before = termios.tcgetattr(self.other)
        self.seen = b""
        self.process = harness.start(*arguments, stdin=self.other, stdout=self.other, stderr=self.other,
                                     start_new_session=True)

    def read(self, timeout):
        if select.select([self.main], [], [], timeout)[0]:
            with contextlib.suppress(OSError):
                self.seen += os.read(self.main, 65536)

    def wait_for(self, text, seconds=300):
        end = time.monotonic() + seconds
        while text not in self.seen:
            check(time.monotonic() < end, f"{text!r} did not come; the terminal ends in {self.seen[-200:]!r}")
            check(self.process.poll() is None or select.select([self.main], [], [], 0.2)[0],
                  f"hvrec ended before {text!r}: {self.seen[-200:]!r}")
            self.read(0.1)

    def type(self, text, gap_s=0.0):
        for byte in text:
            os.write(self.main, bytes([byte]))
            self.read(rng.uniform(0, gap_s))

    def is_raw(self):
        return not termios.tcgetattr(self.other)[3] & RAW_OFF

    def end(self, status=0, seconds=300):
        """Waits for the end; the terminal must be as it was."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.05)
        self.read(0)
        hung = self.process.poll() is None
        if hung:
            self.process.kill()
        code = self.process.wait()
        after = termios.tcgetattr(self.other)
        os.close(self.main)
        os.close(self.other)
        check(not hung, f"did not end within {seconds} s; the terminal ends in {self.seen[-200:]!r}")
        check(code == status, f"exit status {code}, expected {status}: {self.seen[-200:]!r}")
        check(status < 0 or after == self.before, f"the terminal was not restored: {self.before} and {after}")
        return self.seen


def recording(*arguments):
    return Terminal("record", "-o", "trace", *arguments)


def is_complete():
    return json.loads(hvrec("info", "trace", "--json").out)["complete"]


@test
def terminal_is_raw_while_recording_and_restored():
    terminal = recording(payload("echo"))
    terminal.wait_for(b"q ends")
    check(terminal.is_raw(), "the terminal is not raw")
    terminal.type(b"ab\x03\x1acq", 0.02)  # Ctrl-C and Ctrl-Z are the guest's
    seen = terminal.end()
    check(b"ab\x03\x1acq" in seen and b"echo: bytes 6" in seen, f"terminal {seen!r}")
    replay()


@test
def ctrl_a_x_ends_with_a_complete_trace():
    for name in ("echo", "hang", "wfi_forever"):
        terminal = recording(payload(name))
        terminal.wait_for(b"\n")
        time.sleep(rng.uniform(0, 0.3))
        terminal.type(QUIT)
        terminal.end()
        check(is_complete(), f"{name}: the trace is incomplete")
        replay()


@test
def ctrl_a_h_helps_and_ctrl_a_ctrl_a_is_typed():
    terminal = recording(payload("echo"))
    terminal.wait_for(b"q ends")
    terminal.type(HELP)
    terminal.wait_for(b"Ctrl-A X")
    terminal.type(b"a" + LITERAL + b"bq")
    seen = terminal.end()
    check(b"a\x01bq" in seen and b"echo: bytes 4" in seen, f"terminal {seen!r}")
    replay()


@test
def terminal_is_restored_after_errors_and_signals():
    terminal = recording("--timeout", "0.5", payload("hang"))
    terminal.end(status=3)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        terminal = recording(payload("hang"))
        terminal.wait_for(b"spinning")
        terminal.process.send_signal(number)
        terminal.end()
        check(is_complete(), f"signal {number}: the trace is incomplete")
        replay()
    terminal = recording(payload("hang"))
    terminal.wait_for(b"spinning")
    os.kill(harness.machine_pid(), signal.SIGKILL)
    seen = terminal.end(status=1)
    check(b"hvrec record: the machine" in seen, f"terminal {seen[-200:]!r}")
    replay(hashed=False)


@test
def terminal_that_hangs_up_finishes_the_trace():
    terminal = recording(payload("echo"))
    terminal.wait_for(b"q ends")
    os.close(terminal.main)
    os.close(terminal.other)
    harness.finish(terminal.process)
    check(is_complete(), "the trace is incomplete")
    replay()


@test
def replay_leaves_the_terminal_alone():
    console = harness.record(payload("timer_virtual")).out
    terminal = Terminal("replay", "trace")
    terminal.type(b"typed")
    seen = terminal.end()
    check(console.replace(b"\n", b"\r\n") in seen.replace(b"typed", b""), f"terminal {seen!r}")


@test
def progress_line_shows_on_a_terminal_only():
    terminal = Terminal("record", "-o", "trace", "--console", "none", "--timeout", "1.2", payload("hang"))
    seen = terminal.end(status=3)
    check(b"instructions" in seen and b"M/s" in seen, f"no progress line: {seen!r}")
    terminal = Terminal("replay", "trace", "--console", "none")
    seen = terminal.end()
    check(b" %" in seen and b"left" in seen, f"no progress line: {seen!r}")
    check(b"M/s" not in hvrec("replay", "trace", "--console", "none").err, "a progress line without a terminal")
    terminal = Terminal("replay", "trace", "--console", "none", "--quiet")
    check(terminal.end() == b"", f"--quiet prints {terminal.seen!r}")


@test
def live_session_with_debian_replays():
    for turn in range(20 if SOAK else 2):
        pace = ["real", "skip"][turn % 2]
        terminal = recording("--pace", pace, *harness.debian("cloud", "hvrec.cat"))
        terminal.wait_for(b"quit ends")
        for line in range(3):
            word = b"word%d" % rng.randrange(10 ** 9)
            terminal.type(word + b"\r", 0.2)
            terminal.wait_for(b"got: " + word, 20)
            time.sleep(rng.uniform(0, 0.3))
        terminal.type(rng.choice([b"quit\r", QUIT]))
        terminal.end()
        check(is_complete(), "the trace is incomplete")
        for _ in range(3 if SOAK else 1):
            replay()


@test
def pace_real_waits_for_the_clock():
    """The workload sleeps for some milliseconds only; the payload wfi waits longer."""
    harness.record("--pace", "skip", payload("wfi"))
    facts = json.loads(hvrec("info", "trace", "--json").out)
    since = time.monotonic()
    console = harness.record("--pace", "real", payload("wfi")).out
    real_s = time.monotonic() - since
    idle_s = (facts["guest_ns"] - facts["instructions"]) / 1e9
    check(real_s >= 0.8 * idle_s, f"{idle_s:.3f} s of idle time took {real_s:.3f} s")
    replay(console=console)


if __name__ == "__main__":
    harness.main()
