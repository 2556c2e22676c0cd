"""Keyframes: a recording with them replays, `verify` compares the guest at each, `trim` and `record --keep` start a
trace at one."""
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import harness
from harness import SOAK, check, error_line, hvrec, payload, record, replay, rng, start, test

KEYFRAME_EDIT = os.path.join(harness.BUILD, "tests", "keyframe_edit")


def info(trace="trace"):
    result = hvrec("info", trace, "--json")
    check(result.status == 0, f"info: {result}")
    return json.loads(result.out)


def keyframes(trace="trace"):
    """(n, next_event) of each."""
    with sqlite3.connect(f"file:{trace}?mode=ro", uri=True) as db:
        return db.execute("SELECT n, next_event FROM keyframe ORDER BY n").fetchall()


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def verify(trace="trace", jobs=2, hashed=True):
    result = hvrec("verify", "-j", str(jobs), trace)
    check(result.status == 0, f"verify -j {jobs}: {result}", trace)
    check(not hashed or b"the final state hash agrees" in result.err, f"verify: no final state: {result}")
    return result


def everything_agrees(trace="trace", hashed=True):
    replay(trace, console=None, hashed=hashed, seconds=harness.SECONDS_MAX)
    for jobs in (1, 2, 3):
        verify(trace, jobs, hashed)


def debian_trace(*options, every="100ms"):
    record("--keyframe-every", every, *options, *harness.debian("cloud"), "--console", "none")
    return info()


def payload_trace(name, count):
    """Records a payload until it has so many keyframes: how many fit depends on the host's speed."""
    for _ in range(20):
        record("--keyframe-every", "1ms", payload(name))
        if len(keyframes()) >= count:
            return info()
    raise harness.Skipped(f"{name} is over too soon for {count} keyframes")


@test
def payloads_replay_and_verify():
    for name in ("timer_virtual", "timer_behind_trap", "sgi_race", "fp_state", "self_modifying", "exclusives", "counter_polled"):
        found, turns = 0, 20 if SOAK else 3
        for turn in range(100):  # a short one is mostly over before its first keyframe
            if turn >= turns and found > 0:
                break
            record("--keyframe-every", "1ms", payload(name))
            count = info()["keyframe_count"]
            found += count
            if turn < turns or count > 0:
                everything_agrees()
        check(found > 0, f"{name}: no keyframe was taken")


@test
def debian_replays_and_verifies():
    facts = debian_trace()
    check(facts["keyframe_count"] >= 3, f"{facts['keyframe_count']} keyframes")
    check(facts["keyframe_page_count"] >= facts["keyframe_raw_bytes"] // 4096 > 0 and facts["start_n"] == 0,
          f"info: {facts}")
    everything_agrees()
    text = hvrec("info", "trace").out.decode()
    check(f"keyframes     {facts['keyframe_count']}: " in text, f"info: {text}")


@test
def a_guest_that_only_computes_has_keyframes():
    record("--keyframe-every", "50ms", "--timeout", "2", payload("hang"), status=3)
    check(len(keyframes()) >= 5, f"{len(keyframes())} keyframes in 2 s")
    everything_agrees()


@test
def a_guest_that_sleeps_and_is_typed_at():
    with open("console", "wb") as console:
        process = start("record", "-o", "trace", "--quiet", "--pace", "real", "--keyframe-every", "5ms", "--input", "-",
                        *harness.debian("cloud", "console=ttyAMA0 hvrec.cat"), stdin=subprocess.PIPE, stdout=console)
        while process.poll() is None and b"type lines" not in contents("console"):
            time.sleep(0.1)
        for line in [*map(str, range(60)), "quit"]:
            with contextlib.suppress(BrokenPipeError):  # it ended too early; the exit status says so
                process.stdin.write(line.encode() + b"\n")
                process.stdin.flush()
            time.sleep(rng.uniform(0, 0.1))
        result = harness.finish(process)
    check(result.status == 0, f"record: {result}")
    check(len(keyframes()) >= 3, f"{len(keyframes())} keyframes")
    everything_agrees()


@test
def none_are_taken_if_none_are_wanted():
    record("--keyframe-every", "none", "--timeout", "2", payload("hang"), status=3)
    with sqlite3.connect("trace") as db:
        check(db.execute("SELECT (SELECT count(*) FROM keyframe) + (SELECT count(*) FROM page_group)").fetchone() == (0,),
              "there are rows")
    everything_agrees()


# ---- what verify finds ----

@test
def verify_finds_what_a_keyframe_has_wrong():
    """The checksums are right again, so only the guest itself can tell."""
    payload_trace("timer_behind_trap", 4)
    count = len(keyframes())
    # K FIELD AT MASK: x5 of the guest, its list of pages, the number of its events, the same pages
    for edit, status in ((("state", 64, 1), 2), (("page", 5000, 0x40), 2), (("index", 0, 1), 2),
                         (("next_event", 0, 1), 2), (("same", 0xff, 0xff), 1)):
        number = rng.randrange(1, count)
        shutil.copyfile("trace", "changed")
        done = subprocess.run([KEYFRAME_EDIT, "changed", str(number), *map(str, edit)], capture_output=True,
                              check=False)
        check(done.returncode == 0, f"keyframe_edit {edit}: {done.stderr.decode()}")
        for jobs in (1, 2):
            result = hvrec("verify", "-j", str(jobs), "changed")
            check(result.status == status, f"keyframe {number} {edit}, -j {jobs}: {result}, expected status {status}")
            lines = [line for line in result.err.decode().splitlines() if line.startswith("hvrec verify: ")]
            check(len(lines) == 1, f"{edit}: {result.err.decode()}")
        # a replay from the start uses no keyframe
        check(hvrec("replay", "changed", "--console", "none").status == 0, f"{edit}: replay does not agree")


@test
def verify_finds_a_changed_event():
    debian_trace()
    event = rng.choice([event for event in harness.events("trace") if event.kind == 2])  # a device write
    harness.trace_edit("event", "trace", event.index, "value", event.value ^ 1)
    result = hvrec("verify", "trace")
    check(result.status == 2 and f"event {event.index}" in result.err.decode(), f"event {event.index}: {result}")


@test
def verify_ends_when_it_is_told_to():
    debian_trace()
    process = start("verify", "-j", "1", "trace")
    harness.machine_pid()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    error_line(harness.finish(process), "verify")


# ---- recordings that end badly ----

@test
def killed_recordings_verify_and_replay():
    for _ in range(20 if SOAK else 3):
        process = start("record", "-o", "trace", "--quiet", "--console", "none", "--keyframe-every", "100ms",
                        *harness.debian("cloud", harness.NEVER_ENDS))
        harness.machine_pid()
        time.sleep(rng.uniform(0.5, 4))
        process.kill()
        harness.finish(process)
        harness.no_strays()
        check(not info()["complete"], "a killed recording says that it is complete")
        everything_agrees(hashed=False)
        trim("trace", "part")
        everything_agrees("part", hashed=False)


# ---- trim ----

def trim(source, target, *options, status=0):
    result = hvrec("trim", source, "-o", target, *map(str, options))
    check(result.status == status, f"trim {options}: {result}, expected status {status}")
    return result


@test
def trimmed_traces_replay_and_trim_again():
    whole = payload_trace("timer_behind_trap", 4)
    kept = keyframes()
    length = whole["instructions"]
    middle, late = kept[len(kept) // 2][0], kept[-1][0]
    for first, last, hashed in ((0, length, True), (0, middle, False), (middle, length, True), (middle, late, False),
                                (middle, middle, False), (late + 5, late + 6, False), (length, length, True),
                                (middle - 1, length * 2, True), (1, 1, False)):
        trim("trace", "part", "--from", first, "--to", last)
        facts = info("part")
        starts = [n for n, _ in kept if n <= first]
        check(facts["start_n"] == (starts[-1] if starts else 0), f"--from {first}: starts at {facts['start_n']}")
        check(facts["complete"] and last <= facts["start_n"] + facts["instructions"] or last > length, f"--to {last}: {facts}")
        check((facts["end_reason"] == "trimmed") == (not hashed), f"--to {last}: end {facts['end_reason']}")
        replay("part", hashed=hashed)
        verify("part", 2, hashed)
        trim("part", "again", "--from", (first + min(last, length)) // 2)
        verify("again", 2, hashed)
        replay("again", hashed=hashed)
    check(sorted(os.listdir(".")) == ["again", "part", "trace"], f"files: {os.listdir('.')}")
    events = {event.index: event.n for event in harness.events("trace")}
    check(all(events[event.index] == event.n for event in harness.events("part")), "events have other numbers")


@test
def a_part_of_debian_replays():
    whole = debian_trace()
    kept = keyframes()
    trim("trace", "part", "--from", kept[len(kept) // 2][0], "--to", kept[-1][0])
    check(os.stat("part").st_size < os.stat("trace").st_size, f"{whole}: the part is not smaller")
    replay("part", hashed=False)
    verify("part", 2, hashed=False)


@test
def trim_is_refused_what_it_cannot_do():
    record("--keyframe-every", "1ms", payload("timer_virtual"))
    before = os.stat("trace").st_size
    os.symlink("trace", "link")
    for arguments in (("trace", "-o", "trace"), ("trace", "-o", "link"), ("trace",), ("-o", "part"),
                      ("trace", "-o", "part", "--from", "x"), ("trace", "-o", "part", "--from", "2", "--to", "1"),
                      ("trace", "-o", "part", "--to"), ("trace", "-o", "part", "--sideways"),
                      ("absent", "-o", "part"), ("trace", "-o", "folder/part"), ("trace", "trace", "-o", "part")):
        error_line(hvrec("trim", *arguments), "trim")
        check(not os.path.exists("part"), f"trim {arguments} left a file")
    check(os.stat("trace").st_size == before, "the trace has another size")
    replay()


@test
def trim_on_a_full_disk_says_so_and_leaves_nothing():
    if os.geteuid() != 0:
        raise harness.Skipped("only root can make a small file system")
    debian_trace()
    os.mkdir("small")
    for size in ("64k", "16m"):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", "small"], capture_output=True,
                              check=False)
        if done.returncode != 0:
            raise harness.Skipped(f"cannot mount a tmpfs: {done.stderr.decode().strip()}")
        try:
            line = error_line(hvrec("trim", "trace", "-o", "small/part"), "trim")
            check("small/part" in line and "space" in line, line)
            check(os.listdir("small") == [], f"left behind: {os.listdir('small')}")
        finally:
            subprocess.run(["umount", "--lazy", "small"], check=False)
    everything_agrees()


# ---- the flight recorder ----

def flight(*keep):
    record("--keyframe-every", "100ms", *keep, *harness.debian("cloud"), "--console", "none")
    facts = info()
    kept = keyframes()
    check(facts["start_n"] != 0 and kept[0][0] == facts["start_n"], f"{keep}: starts at {facts['start_n']}")
    everything_agrees()
    trim("trace", "part", "--from", kept[len(kept) // 2][0])
    everything_agrees("part")
    return facts


@test
def the_last_part_by_time():
    facts = flight("--keep", "300ms")
    check(facts["guest_ns"] >= 300_000_000, f"only {facts['guest_ns']} ns of guest time are left")


def page_bytes_behind(number):
    """What the trace holds of pages behind its keyframe `number`."""
    with sqlite3.connect("trace") as db:
        return db.execute("SELECT ifnull(sum(length(data)), 0) FROM page_group WHERE id >= (SELECT first_group + "
                          "group_count FROM keyframe ORDER BY n LIMIT 1 OFFSET ?)", (number,)).fetchone()[0]


@test
def the_last_part_by_size():
    flight("--keep", "4M")
    wanted, events = 4 << 20, 100_000
    check(page_bytes_behind(0) >= wanted - events, f"only {page_bytes_behind(0)} bytes behind the start")
    check(page_bytes_behind(1) < wanted, f"{page_bytes_behind(1)} bytes behind the next keyframe would be enough")


@test
def a_long_flight_recording_does_not_grow():
    """What it keeps is at most the guest's memory once, and the last part."""
    sizes = []
    for seconds in ("6", "18"):
        record("--keyframe-every", "300ms", "--keep", "200ms", "--timeout", seconds, "--console", "none",
               *harness.debian("cloud", harness.NEVER_ENDS), status=3)
        verify()
        sizes.append((os.stat("trace").st_size, info()["keyframe_stored_bytes"]))
    check(sizes[1][0] < sizes[0][0] * 1.5, f"(file, pages) in bytes after 6 s: {sizes[0]}, after 18 s: {sizes[1]}")


@test
def a_killed_flight_recording_starts_at_a_keyframe():
    for _ in range(10 if SOAK else 2):
        process = start("record", "-o", "trace", "--quiet", "--console", "none", "--keyframe-every", "50ms", "--keep",
                        "100ms", *harness.debian("cloud", harness.NEVER_ENDS))
        harness.machine_pid()
        time.sleep(rng.uniform(2, 6))
        process.kill()
        harness.finish(process)
        harness.no_strays()
        everything_agrees(hashed=False)


@test
def bad_values_of_options_are_named():
    for arguments in (("--keyframe-every", "0s"), ("--keyframe-every", "soon"), ("--keyframe-every", "1"),
                      ("--keyframe-every", "-1s"), ("--keyframe-every", "1e99h"), ("--keyframe-every", "nans"),
                      ("--keyframe-every", ""), ("--keep", "much"), ("--keep", "0M"), ("--keep", ""), ("--keep", "-5s"),
                      ("--keep", "99999999999999999G"), ("--keep", "5s", "--keyframe-every", "none")):
        line = error_line(hvrec("record", "-o", "trace", *arguments, payload("psci")), "record")
        check(arguments[0] in line, f"{arguments}: {line}")
        check(not os.path.exists("trace"), f"{arguments} left a file")
    record(payload("psci"))
    for arguments in (("-j", "0"), ("-j", "65"), ("-j", "x"), ("-j", "-1"), ("-j", ""), ("-j", "1k"), ("-j",)):
        error_line(hvrec("verify", "trace", *arguments), "verify")
    for arguments in ((), ("trace", "trace"), ("absent",), ("--fast", "trace")):
        error_line(hvrec("verify", *arguments), "verify")


if __name__ == "__main__":
    harness.main()
