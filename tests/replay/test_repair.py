"""hvrec repair: what is left of a damaged trace becomes a sound one, which replays as far as it goes, and the damaged one
is not touched."""
import contextlib
import json
import os
import re
import shutil
import sqlite3
import time

import harness
from harness import check, hvrec, payload, replay, rng, start, test

PAGE = 4096


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def repair(trace, *arguments, status=0, output=None):
    """Repairs; the damaged trace must stay as it was. Returns the result."""
    before = contents(trace)
    result = hvrec("repair", trace, *arguments)
    check(result.status == status, f"repair: {result}, expected status {status}, said {result.out!r}")
    if "--in-place" not in arguments:
        check(contents(trace) == before, "the damaged trace was changed")
    harness.only_files("trace", "trace.repaired", "whole", "console", "messages", "trace-wal", "trace-shm", "old",
                       *([output] if output else []))
    return result


def saved_events(result):
    return int(re.search(rb"saved  (\d+) events", result.out).group(1))


def recorded(name="cntvct_hash", trace="trace"):
    """A trace of a small payload, its console, and how many events it has."""
    console = harness.record(payload(name), trace=trace).out
    return console, len(harness.events(trace))


def several_chunks():
    """A trace that was not finished, with a chunk for each commit: the recording was killed."""
    with open("console", "wb") as console, open("messages", "wb") as messages:
        process = start("record", "-o", "trace", "--quiet", *harness.debian("cloud", harness.NEVER_ENDS),
                        stdout=console, stderr=messages)
    harness.machine_pid()
    end = time.monotonic() + 10
    while time.monotonic() < end and chunk_count() < 4:
        check(process.poll() is None, "the recording ended early")
        time.sleep(0.05)
    process.kill()
    harness.finish(process)
    return contents("console")


def chunk_count():
    try:
        with contextlib.closing(sqlite3.connect("file:trace?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(*) FROM chunk").fetchone()[0]
    except sqlite3.Error:
        return 0


def sql(statement):
    with contextlib.closing(sqlite3.connect("trace", isolation_level=None)) as db:
        return db.execute(statement).fetchall()


def replays_incomplete(trace, console, event_count):
    result = replay(trace, hashed=False)
    check(console.startswith(result.out), "the repaired trace prints another console")
    check(f"{event_count} events".encode() in result.err, f"it replays other events than were saved: {result}")
    check(b"incomplete" in result.err, f"replay does not say that it is incomplete: {result}")


@test
def a_whole_trace_stays_whole():
    console, count = recorded()
    result = repair("trace")
    check(saved_events(result) == count and b"the trace was whole" in result.out, f"{result.out!r}")
    replay("trace.repaired", console=console)


@test
def a_killed_recording_loses_nothing():
    console = several_chunks()
    count = len(harness.events("trace"))  # folds nothing: the trace keeps its -wal
    result = repair("trace")
    check(saved_events(result) == count, f"saved {saved_events(result)} of {count} events")
    check(b"lost" not in result.out and b"not finished" in result.out, f"{result.out!r}")
    check(os.listdir(".").count("trace.repaired-wal") == 0, "the repaired trace has a -wal")
    replays_incomplete("trace.repaired", console, count)


@test
def damage_in_a_chunk_ends_the_trace_there():
    console = several_chunks()
    sql("PRAGMA journal_mode = DELETE")
    rows = sql("SELECT first_event, data FROM chunk ORDER BY first_event")
    whole = contents("trace")
    for first_event, data in rows[1:4]:
        part = data[40:72]
        check(part in whole, "the chunk is not in one piece")
        # everywhere: sqlite leaves copies behind where it moves rows
        write("trace", whole.replace(part, bytes([part[0] ^ 0x10]) + part[1:]))
        result = repair("trace")
        check(saved_events(result) == first_event, f"saved {saved_events(result)} of {first_event} events")
        check(f"from event {first_event} on".encode() in result.out, f"{result.out!r}")
        replays_incomplete("trace.repaired", console, first_event)
        info = hvrec("info", "trace.repaired")
        check(b"incomplete" in info.out, "info does not say that it is incomplete")
        check(f"repaired      events from {first_event} on".encode() in info.out, "info does not say why")
        facts = json.loads(hvrec("info", "trace.repaired", "--json").out)
        check(facts["repair_reason"].startswith(f"events from {first_event} on") and facts["repair_lost_events"] > 0,
              f"{facts}")


def recorded_with_keyframes():
    """A part of a boot with several keyframes; their number."""
    harness.record(*harness.debian("cloud"), "--console", "none", "--keyframe-every", "100ms", "--max-instructions",
                   "500M", status=3)
    count = sql("SELECT count(*) FROM keyframe")[0][0]
    check(count >= 3, f"only {count} keyframes")
    return count


def verified(trace):
    """Replays, and compares the whole guest at each keyframe."""
    result = hvrec("verify", trace)
    check(result.status == 0, f"verify: {result}")
    return int(re.search(rb"in (\d+) interval", result.err).group(1))


@test
def keyframes_are_kept_up_to_the_damage():
    count = recorded_with_keyframes()
    result = repair("trace")
    check(f"{count} keyframes".encode() in result.out and b"was whole" in result.out, f"{result.out!r}")
    check(verified("trace.repaired") == count + 1, "keyframes are missing")
    first_group, = sql("SELECT first_group FROM keyframe ORDER BY n LIMIT 1 OFFSET 2")[0]
    data, = sql(f"SELECT data FROM page_group WHERE id = {first_group}")[0]
    whole, part = contents("trace"), data[40:72]
    check(part in whole, "the group is not in one piece")
    write("trace", whole.replace(part, bytes([part[0] ^ 0x10]) + part[1:]))
    result = repair("trace")
    check(b"2 keyframes" in result.out and f"lost   {count - 2} keyframes".encode() in result.out, f"{result.out!r}")
    check(verified("trace.repaired") == 3, "the two keyframes before the damage are not used")


@test
def a_trimmed_trace_is_repaired_from_its_start():
    recorded_with_keyframes()
    check(hvrec("trim", "trace", "-o", "old", "--from", "300M").status == 0, "trim")
    shutil.move("old", "trace")
    start_n, = sql("SELECT value FROM meta WHERE key = 'start_n'")[0]
    data, = sql(f"SELECT state FROM keyframe WHERE n = {start_n}")[0]
    count = len(harness.events("trace"))
    whole = contents("trace")
    write("trace", bytes(PAGE) + whole[PAGE:])  # header and schema
    result = repair("trace")
    check(saved_events(result) == count and f"from instruction {start_n} ".encode() in result.out, f"{result.out!r}")
    verified("trace.repaired")
    part = data[40:72]
    write("trace", whole.replace(part, bytes([part[0] ^ 0x10]) + part[1:]))
    os.remove("trace.repaired")
    line = harness.error_line(hvrec("repair", "trace"), "repair")
    check("the keyframe that it starts at is damaged" in line, f"unclear: {line}")
    harness.only_files("trace")


@test
def lost_trees_and_headers_cost_nothing():
    console, count = recorded()
    whole = contents("trace")
    first_page = bytes(PAGE) + whole[PAGE:]
    write("trace", first_page)  # header and schema
    check(hvrec("replay", "trace").status == 1, "the damage is none")
    check(saved_events(repair("trace")) == count, "events were lost")
    replay("trace.repaired", console=console)
    write("trace", whole[:16] + rng.randbytes(84) + whole[100:])  # the header alone
    repair("trace")
    replay("trace.repaired", console=console)


@test
def zeroed_pages_lose_what_was_on_them():
    console, count = recorded()
    whole = contents("trace")
    statuses = set()
    for page in range(1, len(whole) // PAGE):
        write("trace", whole[:page * PAGE] + bytes(PAGE) + whole[(page + 1) * PAGE:])
        result = hvrec("repair", "trace")
        check(result.status in (0, 1), f"repair: {result}")
        statuses.add(result.status)
        if result.status == 0 and saved_events(result) == count:
            replay("trace.repaired", console=console, hashed=b"was whole" in result.out)
        elif result.status == 0:
            replays_incomplete("trace.repaired", console, saved_events(result))
        else:
            line = harness.error_line(result, "repair")
            check("cannot be replayed" in line, f"unclear: {line}")
    check(statuses == {0, 1}, f"damage at every page gave the status {statuses} only")


@test
def truncated_files_keep_what_is_there():
    console = several_chunks()
    sql("PRAGMA journal_mode = DELETE")
    whole, count = contents("trace"), len(harness.events("trace"))
    kept = set()
    for part in (0.97, 0.999, 0.5, 0.01):
        write("trace", whole[:int(len(whole) * part)])
        result = hvrec("repair", "trace")
        check(result.status in (0, 1), f"repair: {result}")
        if result.status == 0:
            check(saved_events(result) <= count, "more events than there were")
            kept.add(saved_events(result))
            replays_incomplete("trace.repaired", console, saved_events(result))
    write("trace", b"")
    harness.error_line(repair("trace", status=1), "repair")


@test
def a_lost_or_damaged_wal_is_no_harm():
    console = several_chunks()
    wal, main = contents("trace-wal"), contents("trace")
    count = saved_events(repair("trace"))
    frames = (len(wal) - 32) // (PAGE + 24)
    check(frames > 4, "the -wal is too short for this test")
    for cut in (len(wal) // 2, len(wal) - 100, 32, 0):
        write("trace-wal", wal[:cut])
        result = hvrec("repair", "trace")
        check(result.status in (0, 1), f"repair: {result}")
        if result.status == 0:
            check(saved_events(result) <= count, "more events than there were")
            replays_incomplete("trace.repaired", console, saved_events(result))
    flipped = bytearray(wal)
    flipped[32 + (frames // 2) * (PAGE + 24) + 500] ^= 1
    write("trace-wal", bytes(flipped))
    check(hvrec("repair", "trace").status in (0, 1), "repair crashed")
    os.remove("trace-wal")
    check(hvrec("repair", "trace").status in (0, 1), "repair crashed")
    check(contents("trace") == main, "the damaged trace was changed")


@test
def flipped_bytes_anywhere_never_crash():
    console, count = recorded("timer_virtual")
    whole = contents("trace")
    for _ in range(300 if harness.SOAK else 40):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        write("trace", data)
        result = hvrec("repair", "trace")
        check(result.status in (0, 1) and saved_events(result) <= count, f"repair: {result}")
        if result.status == 1:
            harness.error_line(result, "repair")
        if rng.randrange(4) == 0 and result.status == 0:
            again = hvrec("replay", "trace.repaired", "--console", "none")
            # metadata has no checksum: a flipped bit in it can make the guest another one
            check(again.status in (0, 1, 2), f"replay: {again}")


@test
def in_place_replaces_only_what_replays():
    console = several_chunks()
    count = len(harness.events("trace"))
    shutil.copy("trace", "old")
    os.symlink("trace", "link")
    result = hvrec("repair", "link", "--in-place")
    check(result.status == 0 and saved_events(result) == count, f"repair: {result}")
    check(sorted(os.listdir(".")) == ["console", "link", "messages", "old", "trace"], f"{sorted(os.listdir('.'))}")
    check(os.path.islink("link"), "the link was replaced instead of the file")
    replays_incomplete("trace", console, count)
    os.remove("link")
    sql("DELETE FROM blob")
    result = repair("trace", "--in-place", status=1)
    check(os.path.getsize("trace") > 0 and chunk_count() > 0, "a trace that cannot be replayed replaced the old one")


@test
def wrong_use_is_refused():
    recorded()
    for arguments in (["trace", "-o", "trace"], ["trace", "trace"], [], ["--no-such", "trace"], ["nothing"], ["."],
                      ["trace", "-o", "x", "--in-place"], ["trace", "-o", "/nowhere/x"], ["trace", "-o"],
                      ["/dev/zero"]):
        harness.error_line(hvrec("repair", *arguments), "repair")
        harness.only_files("trace")
    write("noise", rng.randbytes(20000))
    harness.error_line(hvrec("repair", "noise", "-o", "out"), "repair")


if __name__ == "__main__":
    harness.main()
