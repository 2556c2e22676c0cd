"""hvrec export: JSON that timeline viewers take, whole for every trace that can be read, and true to its events."""
import json
import os

import harness
from harness import check, error_line, hvrec, payload, record, test

REQUIRED = {"M": ("name", "args"), "i": ("name", "ts", "s", "args"), "X": ("name", "ts", "dur", "args"),
            "C": ("name", "ts", "args")}


def parse(text):
    try:
        return json.loads(text)
    except ValueError as why:
        raise harness.Failed(f"export is no JSON ({why}): {text[:100]} … {text[-100:]}") from None


def valid(text):
    """The events of the JSON, after checking what holds for each."""
    whole = parse(text)
    named, last_ts = {}, {}
    for event in whole["traceEvents"]:
        phase = event.get("ph")
        check(phase in REQUIRED, f"phase {phase!r}")
        for member in ("pid", "tid", *REQUIRED[phase]):
            check(member in event, f"no {member} in {event}")
        if phase == "M":
            named[event["tid"]] = event["args"].get("name", named.get(event["tid"]))
            continue
        track = (event["tid"], event["name"] if phase == "C" else "")
        check(event["tid"] in named, f"its track has no name: {event}")
        check(event["ts"] >= last_ts.get(track, 0), f"ts goes back at {event}")
        last_ts[track] = event["ts"]
        event["track"] = named[event["tid"]]
    return whole


def export(trace="trace", status=0):
    result = hvrec("export", trace, "--format", "perfetto")
    check(result.status == status, f"export: {result}")
    return valid(result.out)


def agree(whole, trace="trace"):
    """Every event of the trace is there, at its guest time."""
    shown = [event for event in whole["traceEvents"] if "pc" in event["args"]]
    events = harness.events(trace)
    check(len(shown) == len(events), f"{len(shown)} of {len(events)} events")
    idle_ns = 0
    for got, event in zip(shown, events):
        check(got["args"]["event"] == event.index and got["args"]["n"] == event.n, f"{got} is not event {event.index}")
        check(round(got["ts"] * 1000) == event.n + idle_ns, f"ts {got['ts']} of event {event.index}")
        check(int(got["args"]["pc"], 16) == event.pc, f"pc {got['args']['pc']} of event {event.index}")
        check(got["args"]["go"] == f"monitor seek event {event.index}", f"go: {got}")
        check((got["ph"] == "X") == (event.kind == 10), f"phase of {got}")
        if event.kind == 10:
            check(round(got["dur"] * 1000) == event.value and got["track"] == "vCPU 0 idle", f"idle: {got}")
            idle_ns += event.value
    return events


def counters_agree(whole):
    """The counter has the exits of each 10 ms of guest time; a window that is missing has as many as the one before."""
    counts, shown = {}, {}
    for event in whole["traceEvents"]:
        if event.get("cat") in ("trap", "stop"):
            window = int(round(event["ts"] * 1000) // 10000000)
            counts[window] = counts.get(window, 0) + 1
        if event["ph"] == "C":
            shown[round(event["ts"]) // 10000] = event["args"]["exits"]
    check(len(counts) > 3, f"only {len(counts)} windows")
    at = 0
    for window in range(max(counts) + 1):
        at = shown.get(window, at)
        check(at == counts.get(window, 0), f"window {window}: {at} exits, expected {counts.get(window, 0)}")


@test
def events_are_where_they_belong():
    record("--console", "console", payload("wfi"))
    whole = export()
    events = agree(whole)
    check(any(event.kind == 10 for event in events), "wfi does not idle")
    shown = whole["traceEvents"]
    injected = [event for event in shown if event["track" if event["ph"] != "M" else "ph"] == "vCPU 0 interrupts"]
    check(len(injected) == sum(1 for event in events if event.kind == 12), "other interrupts than in the trace")
    check(all("INJECT 27 (virtual timer)" == event["name"] for event in injected), f"{injected[:1]}")
    lines = [event["name"] for event in shown if event.get("cat") == "console"]
    with open("console", encoding="utf-8") as file:
        check(lines == [line.rstrip("\r\n") or "(empty line)" for line in file], f"console lines {lines}")
    check(any(event["name"] == "MMIO_WRITE uart UARTDR" and event["track"] == "vCPU 0 devices" for event in shown
              if event["ph"] == "i"), "no write to the uart")


@test
def debian_is_exported():
    record(*harness.debian("cloud"), "--max-instructions", "300M", status=3)
    whole = export()
    agree(whole)
    counters_agree(whole)
    check(whole["otherData"]["complete"] == "yes", f"{whole['otherData']}")
    check(any("Booting Linux" in event["name"] for event in whole["traceEvents"]), "the console's lines are missing")


@test
def an_incomplete_trace_gives_whole_json():
    process = harness.start("record", "-o", "trace", "--quiet", *harness.debian("cloud", harness.NEVER_ENDS))
    harness.machine_pid()
    export()
    harness.time.sleep(2)
    process.kill()
    harness.finish(process)
    whole = export()
    agree(whole)
    check(whole["otherData"]["complete"] != "yes", "the trace counts as complete")


@test
def damage_ends_the_json_properly():
    record("--console", "none", payload("timer_physical"))
    stored = int(harness.trace_edit("bytes", "trace").split()[0])
    for place, expected in ((stored * 2 // 3, 65536), (1, 0)):
        harness.trace_edit("stored", "trace", place, 1)
        result = hvrec("export", "trace", "--format", "perfetto")
        check("is damaged from event" in error_line(result, "export"), f"{result}")
        shown = sum(1 for event in valid(result.out)["traceEvents"] if "pc" in event["args"])
        check(shown >= expected, f"{shown} events before the damage")


@test
def what_the_guest_prints_cannot_break_the_json():
    noise = b'mark" back\\slash \x1b[31m \x00 \xff \xc3\xa9 \xed\xa0\x80\r'
    with open("input", "wb") as file:
        file.write(noise + b"quit\r")
    result = hvrec("record", "-o", "trace", "--quiet", "--input", "input", "--console", "console", "--timeout", "20",
                   payload("echo"))
    check(result.status in (0, 3), f"record: {result}")
    with open("console", "rb") as file:
        check(b"\xff" in file.read(), "the guest did not print it")
    check(any("\ufffd" in event["name"] for event in export()["traceEvents"]), "invalid bytes are not replaced")


@test
def output_goes_where_it_is_told():
    record(payload("console"))
    result = hvrec("export", "trace", "--format", "perfetto", "-o", "out.json")
    check(result.status == 0 and not result.out, f"export -o: {result}")
    expected = hvrec("export", "trace", "--format", "perfetto").out
    with open("out.json", "rb") as file:
        check(file.read() == expected, "-o and standard output differ")
    os.mkfifo("pipe")
    process = harness.start("export", "trace", "--format", "perfetto", "-o", "pipe")
    with open("pipe", "rb") as pipe:
        check(pipe.read() == expected, "a pipe gets something else")
    check(harness.finish(process).status == 0, "export to a pipe failed")
    harness.only_files("trace", "out.json", "pipe")


@test
def bad_requests_are_refused():
    record(payload("console"))
    with open("trace", "rb") as file:
        before = file.read()
    for arguments in ((), ("trace",), ("trace", "--format", "xml"), ("trace", "--format"), ("--format", "perfetto"),
                      ("trace", "trace", "--format", "perfetto"), ("missing", "--format", "perfetto"),
                      ("trace", "--format", "perfetto", "-o", "trace"),
                      ("trace", "--format", "perfetto", "-o", "no/file"),
                      ("trace", "--format", "perfetto", "-o", "/dev/full"), ("trace", "--nonsense")):
        error_line(hvrec("export", *arguments), "export")
    with open("/dev/full", "wb") as full:
        error_line(hvrec("export", "trace", "--format", "perfetto", stdout=full), "export")
    with open("trace", "rb") as file:
        check(file.read() == before, "the trace was changed")
    check(b"usage: hvrec export" in hvrec("export", "--help").out and not os.path.exists("no"), "no help")


if __name__ == "__main__":
    harness.main()
