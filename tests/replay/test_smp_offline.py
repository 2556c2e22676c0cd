"""What a trace of several vCPUs says without being run: info, stat, events, sql, export, trim and diff agree on the turns."""
import json

import harness
from harness import check, error_line, hvrec, payload, record, test

VCPUS = 4
SWITCH, INJECT, IDLE = 14, 12, 10


def answer(*arguments):
    result = hvrec(*arguments)
    check(result.status == 0, f"{arguments[0]}: {result}")
    return result.out.decode()


def sql(query, trace="trace"):
    return json.loads(answer("sql", trace, "--format", "json", query))


def turns(events):
    """[vcpu, start, end] of each, from the SWITCH events."""
    switches = [event for event in events if event.kind == SWITCH]
    starts = [0] + [event.n for event in switches]
    ends = [event.n for event in switches] + [events[-1].n]
    whose = [events[0].vcpu] + [event.address for event in switches]
    return [list(turn) for turn in zip(whose, starts, ends)]


def recorded(name="smp_timers"):
    record("--smp", str(VCPUS), "--console", "none", payload(name))
    return harness.events("trace")


@test
def info_and_stat_say_what_each_vcpu_did():
    events = recorded()
    check(f", {VCPUS} vCPUs, " in answer("info", "trace"), "info says nothing of the vCPUs")
    stat = json.loads(answer("stat", "--format", "json", "trace"))
    check([row["vcpu"] for row in stat["vcpus"]] == list(range(VCPUS)), f"{stat['vcpus']}")
    for vcpu, row in enumerate(stat["vcpus"]):
        ran = [end - start for whose, start, end in turns(events) if whose == vcpu]
        check((row["instructions"], row["turns"]) == (sum(ran), len(ran)), f"vCPU {vcpu}: {row}, not {sum(ran)}, {len(ran)}")
        check(row["instructions"] + row["waits_ns"] + row["ready_ns"] + row["off_ns"] == stat["guest_ns"], f"{row}")
        mine = [event for event in events if event.vcpu == vcpu]
        check(row["events"] == len(mine), f"events of vCPU {vcpu}: {row}")
        check(row["interrupts"] == sum(event.kind == INJECT for event in mine), f"interrupts of vCPU {vcpu}: {row}")
        left = [event.value for event in mine if event.kind == SWITCH]
        check(sum(row["switches"].values()) == len(left), f"switches of vCPU {vcpu}: {row}")
        for intid in stat["interrupts"]:
            check(intid["by_vcpu"][vcpu] == sum(event.kind == INJECT and event.address == intid["intid"] for event in mine),
                  f"interrupts by vCPU: {intid}")
    text = answer("stat", "trace")
    check(all(word in text for word in ("vCPU 3", "waits for an interrupt", "ready")), text)
    record("--console", "none", payload("console"), trace="one")
    check("vCPU" not in answer("stat", "one"), "stat of one vCPU has tables of vCPUs")


@test
def events_of_a_vcpu_are_its_own_and_its_switches():
    events = recorded()
    for vcpu in range(VCPUS):
        lines = [json.loads(line) for line in answer("events", "trace", "--vcpu", str(vcpu), "--format", "json").splitlines()]
        expected = [event.index for event in events
                    if event.vcpu == vcpu or (event.kind == SWITCH and event.address == vcpu)]
        check([line["event"] for line in lines] == expected, f"other events of vCPU {vcpu}")
    switches = answer("events", "trace", "--kind", "switch").splitlines()[1:]
    check(len(switches) == sum(event.kind == SWITCH for event in events), "other switches")
    check(all(" SWITCH to vCPU " in line and " from vCPU " in line for line in switches), switches[0])


@test
def sql_and_export_have_the_turns():
    events = recorded()
    expected = turns(events)
    rows = sql("SELECT vcpu, n, end_n, time_ns, end_ns, reason FROM turns")
    check([[row["vcpu"], row["n"], row["end_n"]] for row in rows] == expected, "other turns in SQL")
    check(rows[-1]["reason"] is None and all(row["reason"] for row in rows[:-1]), f"reasons {rows[-2:]}")
    check(all(a["end_ns"] == b["time_ns"] for a, b in zip(rows, rows[1:])), "turns have gaps")
    document = json.loads(answer("export", "trace", "--format", "perfetto"))["traceEvents"]
    tracks = {event["tid"]: event["args"]["name"] for event in document if event.get("name") == "thread_name"}
    slices = [event for event in document if event.get("cat") == "turn"]
    check([[int(tracks[event["tid"]].split()[1]), event["args"]["n"], event["args"]["n"] + event["args"]["instructions"]]
           for event in slices] == expected, "other turns in the export")
    check([round(event["ts"] * 1000) for event in slices] == [row["time_ns"] for row in rows], "other times")
    check([round((event["ts"] + event["dur"]) * 1000) for event in slices] == [row["end_ns"] for row in rows], "other ends")
    check(all(tracks[event["tid"]].endswith("turns") for event in slices), f"{tracks}")


@test
def a_part_knows_its_vcpus():
    record("--smp", str(VCPUS), "--console", "none", "--keyframe-every", "1ms", payload("smp_timers"), "400")
    end = harness.events("trace")[-1].n
    answer("trim", "trace", "-o", "part", "--from", str(end))  # the last keyframe, wherever the host took it
    start = sql("SELECT n, end_n FROM turns ORDER BY n LIMIT 1", "part")[0]["n"]
    check(start > 0 and sql("SELECT sum(end_n - n) AS sum FROM turns", "part")[0]["sum"] == end - start, f"from {start}")
    stat = json.loads(answer("stat", "--format", "json", "part"))
    check(sum(row["instructions"] for row in stat["vcpus"]) == end - start, f"{stat['vcpus']}")
    harness.replay("part")
    check(hvrec("verify", "part").status == 0, "verify of a part")


@test
def two_recordings_are_compared_and_saved():
    recorded()
    record("--smp", str(VCPUS), "--console", "none", payload("smp_timers"), trace="other")
    check(hvrec("diff", "trace", "trace").status == 0, "a trace differs from itself")
    check(hvrec("diff", "trace", "other").status in (0, 2), "diff fails")
    answer("repair", "trace", "-o", "saved")
    check(hvrec("diff", "trace", "saved").status == 0, "repair changes a whole trace")
    harness.replay("saved")


@test
def numbers_of_vcpus_that_there_are_not_are_refused():
    for wrong in ("0", "9", "x", "-1", ""):
        for option in ("--smp", "--vcpus"):
            error_line(hvrec("record", "-o", "trace", option, wrong, payload("console")), "record")


if __name__ == "__main__":
    harness.main()
