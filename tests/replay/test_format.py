"""docs/TRACE-FORMAT.md is enough to read traces of every version: a reader that knows nothing else finds what hvrec
finds in them."""
import glob
import json
import os
import re
import subprocess

import harness
import trace_decode
from harness import check, hvrec, payload, record, test


def agree(path):
    try:
        trace = trace_decode.Trace(path)
    except (AssertionError, LookupError) as why:
        raise harness.Failed(f"{path} does not follow docs/TRACE-FORMAT.md: {why!r}") from None
    result = hvrec("events", path, "--format", "json")
    check(result.status == 0, f"events {path}: {result}")
    rows = [json.loads(line) for line in result.out.splitlines()]
    check(len(rows) == len(trace.events), f"{path}: {len(trace.events)} events, and hvrec has {len(rows)}")
    for index, (row, event) in enumerate(zip(rows, trace.events), trace.first_event):
        told = (row["event"], row["n"], row["guest_ns"], row["vcpu"], row["kind_id"],
                *(int(row[name], 16) for name in ("pc", "address", "value")), row["size"])
        check(told == (index, *event), f"{path}: hvrec tells {told}, and the file has {(index, *event)}")
    return trace


def metadata_keys():
    """{key: (type, writer)} of storage/trace_meta.def."""
    with open(os.path.join(harness.TOP, "storage", "trace_meta.def"), encoding="utf-8") as definition:
        rows = re.findall(r'^TRACE_META_(TEXT|NUMBER)\(\w+, "(\w+)", (\w+),', definition.read(), re.M)
    return {key: ({"TEXT": "TEXT", "NUMBER": "INTEGER"}[kind], writer.lower()) for kind, key, writer in rows}


@test
def the_document_names_every_key_of_metadata():
    with open(os.path.join(harness.TOP, "docs", "TRACE-FORMAT.md"), encoding="utf-8") as document:
        section = document.read().partition("\n### meta\n")[2].partition("\n### ")[0]
    told = {key: (kind, writer) for key, kind, writer in re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| .", section, re.M)}
    check(told == metadata_keys(), f"not alike: {sorted(set(told.items()) ^ set(metadata_keys().items()))}")


def metadata_is_listed(trace, writers):
    """What the trace says of itself is in the list, and has all that these write."""
    keys = metadata_keys()
    for key, value in trace.meta.items():
        check(key in keys and keys[key][0] == {str: "TEXT", int: "INTEGER"}[type(value)], f"metadata {key} {value!r}")
    missing = {key for key, (_, writer) in keys.items() if writer in writers} - set(trace.meta)
    check(not missing, f"metadata without {missing}")


@test
def a_trace_of_several_vcpus_is_read_after_the_document():
    record("--smp", "4", "--console", "none", payload("smp_timers"))
    trace = agree("trace")
    switches = [event for event in trace.events if event[3] == 14]
    check(len(switches) > 10 and {event[2] for event in switches} == {0, 1, 2, 3}, f"{len(switches)} turns")
    check(all(after[2] == event[5] for event, after in zip(trace.events, trace.events[1:]) if event[3] == 14),
          "an event behind a SWITCH is not of who goes on")


@test
def a_recording_puts_every_key_and_a_part_without_the_end_none_of_the_end():
    record("--memory", "16M", "--console", "none", "--keyframe-every", "1ms", "--turns", "random:7", "--rng", payload("timer_physical"))
    whole = agree("trace")
    metadata_is_listed(whole, ("start", "end"))
    check(hvrec("trim", "trace", "-o", "part", "--to", str(whole.events[-1][0] // 2)).status == 0, "trim")
    part = agree("part")
    metadata_is_listed(part, ("start",))
    of_end = {key for key, (_, writer) in metadata_keys().items() if writer == "end"} & set(part.meta)
    check(of_end == {"end_reason"} and part.meta["end_reason"] == "trimmed", f"the part has {of_end}")


def device_trace(*arguments):
    """The rows that tests/replay/device_trace prints of a trace that it makes."""
    done = subprocess.run([os.path.join(harness.BUILD, "tests", "device_trace"), *arguments], capture_output=True, check=False)
    check(done.returncode == 0, f"device_trace {arguments}: {done.stderr.decode()}")
    return [(kind, *map(int, numbers)) for kind, *numbers in map(str.split, done.stdout.decode().splitlines())]


def disks_agree(trace, rows):
    """What hvrec finds of disks and payloads is what the file has."""
    looks = {}
    for _, event, disk, block, count, told in (row for row in rows if row[0] == "block"):
        looks.setdefault((event, disk), {}).update((block + i, told) for i in range(count))
    for (event, disk), told in looks.items():
        has = {block: trace.content(content) for block, content in trace.disk(disk, event).items()}
        hashes = {block: trace_decode.hash64(data) if data else 0 for block, data in has.items()}
        check(told == hashes, f"disk {disk} before event {event} is another one")
    payloads = {event: (size, told) for _, event, size, told in (row for row in rows if row[0] == "payload")}
    has = {event: (len(data), trace_decode.hash64(data)) for event, data in trace.payloads.items() if event >= trace.first_event}
    check(payloads == has, "the payloads are others")
    return len(looks), len(payloads)


@test
def disks_and_payloads_are_read_after_the_document():
    for forget in ((), ("6000",)):
        rows = device_trace("trace", *forget)
        trace = agree("trace")
        looks, payloads = disks_agree(trace, rows)
        check(looks == 17 and payloads > 200 and len(trace.contents) > 6, f"{looks} looks, {payloads} payloads")
        check(hvrec("repair", "trace", "-o", "repaired").status in (0, 1), "repair")
        disks_agree(agree("repaired"), rows)


@test
def golden_traces_follow_the_document():
    versions = {agree(path).version for path in
                glob.glob(os.path.join(harness.TOP, "tests", "golden", "*.trace"))}
    check(versions == {1, 2, 3, 4, 5}, f"versions {versions}")


@test
def new_traces_follow_the_document():
    record("--memory", "16M", "--console", "none", "--keyframe-every", "1ms", payload("timer_physical"))
    check(len(agree("trace").events) > 2 * 65536, "timer_physical has less than three chunks")
    record("--memory", "16M", "--console", "none", payload("wfi"))
    check(any(event[3] == trace_decode.IDLE for event in agree("trace").events), "wfi does not idle")


@test
def parts_and_repaired_traces_follow_the_document():
    whole = os.path.join(harness.TOP, "tests", "golden", "v2-m1-timer_start_n.trace")
    start_n = agree(whole).keyframes[1][0]
    check(hvrec("trim", whole, "-o", "part", "--from", str(start_n)).status == 0, "trim")
    check(hvrec("repair", "part", "-o", "repaired").status == 0, "repair")
    part, repaired = agree("part"), agree("repaired")
    check(part.keyframes[0][0] == start_n and part.first_event == part.keyframes[0][1], "the part starts elsewhere")
    check((part.events, part.keyframes, part.files) == (repaired.events, repaired.keyframes, repaired.files),
          "the repaired part is another one")


@test
def debian_follows_the_document():
    record(*harness.debian("cloud"), "--console", "none", "--keyframe-every", "100ms")
    agree("trace")


if __name__ == "__main__":
    harness.main()
