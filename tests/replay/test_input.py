"""Console input that comes from a file, a pipe or at random moments is recorded where it came, and replays there."""
import contextlib
import os
import subprocess
import time

import harness
from harness import SOAK, check, payload, record, replay, rng, start, test

RECORDINGS, REPLAYS = (20, 3) if SOAK else (4, 3)


def typed_slowly(text, gap_s, *arguments, after=None, seconds=harness.SECONDS_MAX):
    """Records while bytes come through a pipe, each after a random wait of up to gap_s, the first one after the console
    said `after`. Returns the console."""
    since = time.monotonic()
    with open("console", "wb") as console, open("messages", "w+b") as messages:
        process = start("record", "-o", "trace", "--quiet", "--input", "-", *arguments, stdin=subprocess.PIPE,
                        stdout=console, stderr=messages)
        while after and process.poll() is None and after not in read("console"):
            time.sleep(0.002)
        for byte in text:
            time.sleep(rng.uniform(0, gap_s))
            with contextlib.suppress(BrokenPipeError):  # it ended too early; the exit status says so
                process.stdin.write(bytes([byte]))
                process.stdin.flush()
        result = harness.finish(process, since, seconds)
    result.err = read("messages")
    check(result.status == 0, f"record: {result}; console ends {read('console')[-80:]!r}")
    return read("console")


def typed_at_once(count, name):
    """Records a payload that ends by itself while `count` bytes come through a pipe, one at a time and as fast as a busy
    machine lets them. Returns the console."""
    process = start("record", "-o", "trace", "--quiet", "--input", "-", "--timeout", "60", payload(name),
                    stdin=subprocess.PIPE)
    with contextlib.suppress(BrokenPipeError):  # it need not read all of them
        for _ in range(count):
            os.write(process.stdin.fileno(), b"x")
            time.sleep(0.0001)
    result = harness.finish(process)
    check(result.status == 0, f"record: {result}")
    check(result.out.splitlines()[-1:] == [b"PASS " + name.encode()], f"console ends {result.out[-80:]!r}")
    return result.out


def read(path):
    with open(path, "rb") as file:
        return file.read()


def echoed(text):
    return b"echo: type, q ends\n" + text + b"\necho: bytes %d\nPASS echo\n" % len(text)


def inputs_of(trace):
    return bytes(event.value for event in harness.events(trace) if event.kind == 11)


def random_text(count):
    """Bytes that end the payload echo. NUL is not among the others: it does not print it."""
    return bytes(rng.choice([byte for byte in range(1, 256) if byte != ord("q")]) for _ in range(count)) + b"q"


@test
def input_file_reaches_the_guest():
    for text in (b"q", b"hello\r\nq", bytes(byte for byte in range(1, 256) if byte != ord("q")) + b"q"):
        with open("input", "wb") as file:
            file.write(text)
        console = record("--input", "input", payload("echo")).out
        check(console == echoed(text), f"console {console!r}")
        replay(console=console)
        os.remove("input")
        replay(console=console)


@test
def input_from_the_start_waits_for_each_kind_of_driver():
    text = b"abcdefghijklmnopqrstuvwxyz"[:16] + b"q"
    with open("input", "wb") as file:
        file.write(text)
    for driver in ("plain", "lk", "fifo", "fifo_interrupt", "linux"):
        console = record("--input", "input", "--timeout", "60", payload("input_late"), driver).out
        check(console.endswith(b"> " + text + b"\nPASS input_late\n"), f"{driver}: the console ends {console[-60:]!r}")
        replay(console=console)


@test
def each_line_of_input_waits_for_its_prompt():
    with open("input", "wb") as file:
        file.write(b"one\ntwo\nthree\nq")
    for prompts in (["type", "> one\n> ", "wo\n"], ["q ends\n> ", "e\n> "], [""]):
        options = [word for prompt in prompts for word in ("--input-after", prompt)]
        console = record("--input", "input", *options, "--timeout", "60", payload("input_late")).out
        check(console.endswith(b"type, q ends\n> one\n> two\n> three\n> q\nPASS input_late\n"),
              f"{prompts}: the console ends {console[-80:]!r}")
        replay(console=console)


@test
def a_line_comes_where_its_prompt_is_shown():
    """Not some milliseconds later: hv stands still until the line is there. So it is the same instruction each time."""
    with open("input", "wb") as file:
        file.write(b"one\nq")
    arguments = ["--input", "input", "--input-after", "ends\n> ", "--input-after", "one\n> ", "--keyframe-every", "none",
                 payload("input_late"), "fifo"]
    places = set()
    for _ in range(3):
        record(*arguments)
        places.add(tuple((event.n, event.value) for event in harness.events("trace") if event.kind == 11))
    check(len(places) == 1, f"input at {places}")


@test
def input_that_waits_for_a_prompt_that_never_comes_is_named():
    with open("input", "wb") as file:
        file.write(b"q")
    result = record("--input", "input", "--input-after", "login: ", payload("echo"), status=3)
    line = harness.error_line(result, "record", 3)
    check('"login: "' in line and "no input is left" not in line, line)
    replay(console=result.out)


@test
def until_ends_where_the_console_shows_it():
    with open("input", "wb") as file:
        file.write(b"abcabdq")
    for text, shown in (("abd", b"abcabd"), ("ends\nabca", b"abca"), ("b", b"ab")):
        for console in ("-", "none"):
            result = record("--input", "input", "--until", text, "--console", console, payload("echo"))
            check(console == "none" or result.out == b"echo: type, q ends\n" + shown, f"{text}: console {result.out!r}")
            replay(console=b"echo: type, q ends\n" + shown)
    record("--input", "input", "--until", "never", payload("echo"))
    info = harness.hvrec("info", "trace").out
    check(b"power off" in info, f"info: {info!r}")


@test
def long_input_is_neither_lost_nor_reordered():
    text = random_text(200000)
    with open("input", "wb") as file:
        file.write(text)
    console = record("--input", "input", payload("echo")).out
    check(console == echoed(text), f"console of {len(console)} bytes")
    check(inputs_of("trace") == text, "other input events")
    replay(console=console)


@test
def input_that_the_guest_does_not_read_is_no_harm():
    with open("input", "wb") as file:
        file.write(b"z" * 100000)
    for name in ("console", "wfi", "bootargs"):
        console = record("--input", "input", payload(name)).out
        replay(console=console)


@test
def input_that_ends_too_early_is_a_hang():
    with open("input", "wb") as file:
        file.write(b"abc")
    for arguments in (["--input", "input"], ["--input", "/dev/null"], []):
        result = record(*arguments, payload("echo"), status=3)
        harness.error_line(result, "record", 3)
        replay(console=result.out)


@test
def input_that_comes_at_a_wfi_or_an_sgi_replays():
    for name in ["wfi_doorbell"] * RECORDINGS + ["sgi_race"]:
        console = typed_at_once(20000, name)
        replay(console=console)


@test
def input_at_random_moments_replays():
    for _ in range(RECORDINGS):
        text = random_text(rng.randrange(1, 40))
        console = typed_slowly(text, rng.choice([0.0005, 0.005, 0.05]), "--timeout", "60", payload("echo"))
        check(console == echoed(text), f"console {console!r}")
        for _ in range(REPLAYS):
            replay(console=console)


@test
def input_at_random_moments_into_a_booting_kernel_replays():
    """The guest computes all the time, so that each byte interrupts it at another instruction."""
    places = set()
    for _ in range(RECORDINGS):
        text = bytes(rng.choice(b"abc xyz\r") for _ in range(60))
        console = typed_slowly(text, 0.07, "--timeout", "100", *harness.debian("cloud"), after=b"Booting Linux")
        places |= {event.n for event in harness.events("trace") if event.kind == 11}
        for _ in range(REPLAYS if SOAK else 1):
            replay(console=console)
    check(len(places) > 10 * RECORDINGS, f"input came at only {len(places)} different instructions")


@test
def typed_lines_reach_debian_at_random_moments():
    for turn in range(RECORDINGS if SOAK else 2):
        lines = [b"line %d %d" % (turn, rng.randrange(10 ** 9)) for _ in range(3)] + [b"quit"]
        pace = ["skip", "real"][turn % 2]
        console = typed_slowly(b"".join(line + b"\r" for line in lines), 0.1, "--pace", pace, "--timeout", "30",
                               *harness.debian("cloud", "hvrec.cat"), after=b"quit ends")
        for line in lines[:-1]:
            check(b"got: " + line in console, f"--pace {pace}: no answer to {line!r}; console ends {console[-200:]!r}")
        for _ in range(REPLAYS if SOAK else 1):
            replay(console=console)


if __name__ == "__main__":
    harness.main()
