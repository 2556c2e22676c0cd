"""What the commands tell of a trace that starts at a keyframe (hvrec trim) agrees with the whole trace: numbers,
positions and guest times are the same, and what is counted is counted from the start."""
import csv
import io
import json
import os

import harness
from harness import check, hvrec, payload, record, test

KEYFRAMES = "SELECT n, time_ns, next_event, state_bytes FROM keyframes"


def output(*arguments):
    result = hvrec(*arguments)
    check(result.status == 0 and not result.err, f"{arguments}: {result}")
    return result.out.decode()


def rows(trace, query):
    return [list(row.values()) for row in json.loads(output("sql", trace, query, "--format", "json"))]


def json_events(trace):
    return [json.loads(line) for line in output("events", trace, "--format", "json").splitlines()]


def same(got, expected, what):
    check(got == expected, f"{what}: {str(got)[:300]}, expected {str(expected)[:300]}")


def record_part():
    """A guest that idles and prints, and the part of it from a keyframe in the middle to its last one but one, or to where
    it has idled."""
    record("--keyframe-every", "10ms", "--console", "none", *harness.debian("cloud"))
    keyframes = rows("trace", KEYFRAMES)
    check(len(keyframes) >= 4, f"{len(keyframes)} keyframes")
    first, last_n = keyframes[len(keyframes) // 2], keyframes[-2][0]
    idle_n = next(event["n"] for event in json_events("trace") if event["kind"] == "IDLE")
    output("trim", "trace", "-o", "part", "--from", str(first[0]), "--to", str(max(last_n, idle_n + 1)), "--quiet")
    return first


@test
def a_part_agrees_with_the_whole():
    start_n, start_ns, first, _ = record_part()
    whole, part = json_events("trace"), json_events("part")
    same(part, whole[first:first + len(part)], "events")
    check(part[0]["event"] == first > 0, f"the first event is {part[0]['event']}, not {first}")
    check(part[-1]["guest_ns"] > part[-1]["n"], "the guest does not idle before the end of the part")

    fields = "event, n, time_ns, kind, pc, address, value, name, text"
    end = part[-1]["event"]
    for where in ("1", f"n > {part[7]['n']}", f"time_ns > {part[7]['guest_ns']}", f"event > {first + 7}"):
        same(rows("part", f"SELECT {fields} FROM events WHERE {where}"),
             rows("trace", f"SELECT {fields} FROM events WHERE event BETWEEN {first} AND {end} AND {where}"), where)
    same(rows("part", KEYFRAMES), rows("trace", f"{KEYFRAMES} WHERE n >= {start_n} AND next_event <= {end + 1}"),
         "keyframes")

    lines = rows("part", "SELECT event, n, time_ns, text FROM console")
    check(len(lines) > 5, f"the part prints {len(lines)} lines")
    same(lines[1:-1], rows("trace", "SELECT event, n, time_ns, text FROM console "
                           f"WHERE event > {lines[0][0]} AND event < {lines[-1][0]}"), "console in SQL")
    printed = output("console", "part", "--timestamps").splitlines()
    same(len(printed), len(lines), "console --timestamps")
    same(set(printed[1:-1]) - set(output("console", "trace", "--timestamps").splitlines()), set(), "lines")

    same(stat_of("part"), [start_n, start_ns, len(part), part[-1]["n"] - start_n, part[-1]["guest_ns"] - start_ns],
         "stat")
    info = json.loads(output("info", "part", "--json"))
    same([info[key] for key in ("start_n", "start_ns", "event_count", "instructions", "guest_ns")], stat_of("part"),
         "info")
    export_agrees(part)


def stat_of(trace):
    stat = json.loads(output("stat", trace, "--format", "json"))
    size = stat["bytes"]
    same(sum(size[name] for name in ("events", "files", "keyframes", "rest")), size["all"], "bytes")
    same(size["all"], os.path.getsize(trace), "bytes")
    keyframes, stored = rows(trace, "SELECT count(*), sum(stored_bytes) FROM keyframes")[0]
    check(stat["keyframe_count"] == keyframes and size["keyframes"] >= stored > 0, f"{stat['keyframe_count']}, {size}")
    for row in stat["interrupts"]:
        check(abs(row["per_second"] - row["injected"] * 1e9 / stat["guest_ns"]) < 0.01, f"rate: {row}")
    return [stat[key] for key in ("start_n", "start_ns", "event_count", "instructions", "guest_ns")]


def export_agrees(part):
    marks = [mark for mark in json.loads(output("export", "part", "--format", "perfetto"))["traceEvents"]
             if mark["ph"] in "iX" and mark.get("cat") != "console"]
    same([(mark["args"]["event"], mark["args"]["n"], round(mark["ts"] * 1000)) for mark in marks],
         [(event["event"], event["n"], event["guest_ns"]) for event in part], "export")


@test
def diff_compares_where_both_have_events():
    start_n, _, first, _ = record_part()
    part = json_events("part")
    end = part[-1]["event"]
    for pair in (("trace", "part"), ("part", "trace")):
        result = hvrec("diff", *pair, "--context", "0")
        text = result.out.decode()
        check(result.status == 2 and f"compared from n {start_n + 1} on\nfirst difference\n" in text, f"{pair}: {text}")
        check(f"  {'AB'[pair.index('part')]}  ends: {end + 1} events" in text, f"{pair}: {text}")
        check(f"  {'AB'[pair.index('trace')]}  event {end + 1}, n " in text, f"{pair}: {text}")
    output("trim", "part", "-o", "rest", "--from", str(rows("part", KEYFRAMES)[-1][0]), "--quiet")
    later_n = rows("rest", KEYFRAMES)[0][0]
    same(output("diff", "part", "rest").splitlines()[-1],
         f"the same: {len([event for event in part if event['n'] > later_n])} events", "diff of a part's end")


@test
def a_part_of_one_position_has_an_event():
    trace = os.path.join(harness.TOP, "tests", "golden", "v2-m1-timer_start_n.trace")
    whole, keyframes = json_events(trace), rows(trace, KEYFRAMES)
    for keyframe in keyframes:
        n, _, first, _ = keyframe
        result = hvrec("trim", trace, "-o", "part", "--from", str(n), "--to", str(n))
        part = json_events("part")
        start = first - whole[0]["event"]
        check(result.status == 0 and part, f"--from {n} --to {n}: {result}, {len(part)} events")
        same(part, whole[start:start + len(part)], "events")
        check(f"instructions {n} to {part[-1]['n']}, {len(part)} events".encode() in result.err, f"{result}")
        same(rows("part", KEYFRAMES), [keyframe], "keyframes")
        output("repair", "part", "-o", "repaired")
        same(json_events("repaired"), part, "the repaired part's events")


@test
def a_trace_without_keyframes_has_an_empty_table():
    record("--keyframe-every", "none", payload("console"))
    for trace in ("trace", os.path.join(harness.TOP, "tests", "golden", "v1-m1-exclusives.trace")):
        same(rows(trace, "SELECT * FROM keyframes"), [], "rows")
        same(list(csv.reader(io.StringIO(output("sql", trace, "SELECT * FROM keyframes")))),
             [["n", "time_ns", "next_event", "page_count", "state_bytes", "stored_bytes"]], "columns")
        stat = json.loads(output("stat", trace, "--format", "json"))
        same([stat["keyframe_count"], stat["bytes"]["keyframes"], stat["start_n"]], [0, 0, 0], "stat")


@test
def a_part_from_behind_the_end_is_refused():
    harness.record("--keyframe-every", "5ms", harness.payload("timer_virtual"))
    end = harness.events("trace")[-1].n
    result = hvrec("trim", "trace", "-o", "part", "--from", str(end + 1))
    check(str(end) in harness.error_line(result, "trim"), f"{result}")
    check(not os.path.exists("part"), "a trace was written")
    check(hvrec("trim", "trace", "-o", "part", "--from", str(end)).status == 0, "the end itself is refused")


if __name__ == "__main__":
    harness.main()
