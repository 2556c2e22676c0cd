"""hvrec info: text for people, --json for programs, true in both."""
import json
import os

import harness
from harness import check, hvrec, payload, record, test

NAMES = {1: "MMIO_READ", 2: "MMIO_WRITE", 3: "EXTERNAL_ABORT", 4: "SYSREG_READ", 5: "SYSREG_WRITE", 6: "SYSREG_DENIED",
         7: "SMCCC_CALL", 8: "DEBUG_EXCEPTION", 9: "EXIT", 10: "IDLE", 11: "INPUT", 12: "INJECT", 13: "END"}


def info(trace="trace"):
    result = hvrec("info", trace, "--json")
    check(result.status == 0 and not result.err, f"info --json: {result}")
    text = hvrec("info", trace)
    check(text.status == 0 and not text.err and text.out.count(b"\n") > 5, f"info: {text}")
    try:
        return json.loads(result.out), text.out.decode()
    except ValueError as why:
        raise harness.Failed(f"info --json is no JSON ({why}): {result.out[:200]}") from None


def expect(facts, text, **expected):
    for key, value in expected.items():
        check(key in facts, f"info --json has no {key}: {sorted(facts)}")
        check(facts[key] == value, f"info --json: {key} is {facts[key]!r}, expected {value!r}")
        if isinstance(value, str) and text:
            check(value in text, f"info does not say {value!r}: {text}")


def expect_events(facts, trace="trace"):
    events = harness.events(trace)
    counted = {}
    for event in events:
        counted[NAMES[event.kind]] = counted.get(NAMES[event.kind], 0) + 1
    said = {kind.upper(): count for kind, count in facts["events"].items() if count}
    check(said == counted, f"info --json: events {said}, in the trace {counted}")
    stored, raw = map(int, harness.trace_edit("bytes", trace).split())
    expect(facts, "", event_count=len(events), raw_bytes=raw, stored_bytes=stored)
    return events


@test
def info_of_a_payload():
    record("--memory", "64M", payload("wfi"), "some", "words")
    facts, text = info()
    expect(facts, text, trace="trace", complete=True, kernel_name="wfi.elf", kernel_kind="ELF", bootargs="some words",
           ram_bytes=64 << 20, vcpu_count=1, end_reason="power off")
    events = expect_events(facts)
    check(facts["instructions"] >= events[-1].n, f"instructions {facts['instructions']}, last event at {events[-1].n}")
    idle_ns = sum(event.value for event in events if event.kind == 10)
    check(facts["guest_ns"] == facts["instructions"] + idle_ns, f"guest_ns {facts['guest_ns']}, idle {idle_ns}")
    check(len(facts["final_state_hash"]) == 32 and facts["final_state_hash"] in text, "no final state hash")
    check(isinstance(facts["machine"], str) and "QEMU" in facts["machine"], f"machine {facts['machine']!r}")


@test
def info_of_debian():
    record(*harness.debian("cloud"), "--max-instructions", "200M", status=3)
    facts, text = info()
    expect(facts, text, complete=True, kernel_name="Image", kernel_kind="Linux Image", bootargs="hvrec.scale=0",
           ram_bytes=512 << 20, end_reason="instruction limit")
    expect_events(facts)
    check(facts["instructions"] == 200000000, f"instructions {facts['instructions']}")


@test
def info_names_how_a_recording_ended():
    for arguments, status, reason in (([payload("reset")], 0, "reset"), ([payload("wfi_forever")], 3, "hang"),
                                      (["--timeout", "0.5", payload("hang")], 3, "ended by the user")):
        record(*arguments, status=status)
        expect(*info(), complete=True, end_reason=reason)


@test
def info_of_an_incomplete_trace():
    process = harness.start("record", "-o", "trace", "--quiet", payload("hang"))
    harness.machine_pid()
    live = hvrec("info", "trace", "--json")  # while it is being recorded
    check(live.status == 0 and json.loads(live.out)["complete"] is False, f"info of a live trace: {live}")
    process.kill()
    harness.finish(process)
    facts, text = info()
    expect(facts, text, complete=False, kernel_name="hang.elf")
    check("incomplete" in text, f"info does not say that the trace is incomplete: {text}")
    expect_events(facts)
    harness.replay(hashed=False)


@test
def info_escapes_what_json_must_escape():
    name = 'quote" back\\slash\nline\ttab é'
    os.symlink(payload("console"), name)
    record(name, 'a "b"', "\\c\td")
    expect(info()[0], "", kernel_name=name, bootargs='a "b" \\c\td')
    os.rename("trace", name + ".trace")
    expect(info(name + ".trace")[0], "", trace=name + ".trace")


@test
def info_does_not_change_the_trace():
    record(payload("console"))
    with open("trace", "rb") as file:
        before = file.read()
    info()
    with open("trace", "rb") as file:
        check(file.read() == before, "the trace was changed")
    harness.only_files("trace")


if __name__ == "__main__":
    harness.main()
