"""A damaged trace gives a clean error or a divergence report, never a crash, never a hang, never a wrong success."""
import os
import shutil
import sqlite3

import harness
from harness import SOAK, check, hvrec, payload, record, rng, test, trace_edit

SECONDS = 20  # an error of the file, or of a guest of a few milliseconds
MMIO_READ, MMIO_WRITE, SMCCC_CALL, EXIT, IDLE, INPUT, INJECT, END = 1, 2, 7, 9, 10, 11, 12, 13


def refusal(path, what, allowed=(1, 2)):
    """Replays a damaged trace. The divergence report may show registers; what counts is its last line."""
    result = hvrec("replay", path, seconds=SECONDS)
    check(result.status in allowed, f"{what}: {result}", path)
    if result.status != 0:
        lines = result.err.decode(errors="replace").splitlines()
        check(lines and lines[-1].startswith("hvrec replay: "), f"{what}: no error line: {lines}")
        check(result.status == 2 or len(lines) == 1, f"{what}: more than one line: {lines[:3]}")
    return result


def damage(kind, places, allowed=(1, 2)):
    for place in places:
        shutil.copyfile("trace", "damaged")
        mask = rng.randrange(1, 256)
        trace_edit(kind, "damaged", place, mask)
        refusal("damaged", f"{kind} byte {place} XOR {mask}", allowed)


def small_trace():
    record(payload("psci"))
    return tuple(map(int, trace_edit("bytes", "trace").split()))


def sample(count, of):
    return range(of) if SOAK or of <= count else sorted(rng.sample(range(of), count))


@test
def every_stored_byte_is_protected():
    stored, _ = small_trace()
    for _ in range(4 if SOAK else 1):
        damage("stored", range(stored), allowed=(1,))


@test
def lz4_sees_damage_that_the_checksum_does_not():
    stored, _ = small_trace()
    harmless = 0
    for place in sample(150, stored):
        shutil.copyfile("trace", "damaged")
        trace_edit("checked", "damaged", place, rng.randrange(1, 256))
        # an offset of a match may change to another that copies the same bytes
        harmless += refusal("damaged", f"checked byte {place}", (0, 1, 2)).status == 0
    check(harmless < 10, f"{harmless} changes had no effect")


@test
def the_decoder_sees_damage_that_lz4_does_not():
    _, raw = small_trace()
    harmless = 0
    for place in sample(250, raw):
        shutil.copyfile("trace", "damaged")
        trace_edit("raw", "damaged", place, rng.randrange(1, 256))
        # the reason of an exit is for people and free to change
        harmless += refusal("damaged", f"raw byte {place}", (0, 1, 2)).status == 0
    check(harmless < 10, f"{harmless} changes had no effect")


@test
def damage_anywhere_in_the_file_is_no_crash():
    record(payload("psci"))
    size = os.path.getsize("trace")
    console = harness.replay().out
    for place in sample(150, size)[:5000]:
        shutil.copyfile("trace", "damaged")
        with open("damaged", "r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ rng.randrange(1, 256)]))
        result = refusal("damaged", f"byte {place} of the file", (0, 1, 2))
        check(result.status != 0 or result.out == console, f"byte {place} of the file: another console, and no error")
        check(hvrec("info", "damaged", seconds=SECONDS).status in (0, 1), f"byte {place} of the file: info failed")


@test
def a_truncated_file_is_an_error():
    record(payload("psci"))
    size = os.path.getsize("trace")
    for length in sorted({0, 1, 15, 16, 99, 100, 4095, 4096, size - 1, size - 4096, *sample(20, size)[:40]}):
        shutil.copyfile("trace", "damaged")
        os.truncate("damaged", length)
        refusal("damaged", f"truncated to {length} bytes", (1,))
        check(hvrec("info", "damaged").status == 1, f"truncated to {length} bytes: info succeeds")


@test
def missing_rows_are_an_error():
    record(payload("gic_many"))
    for statement in ("DELETE FROM chunk", "DELETE FROM meta WHERE key = 'entry_ipa'", "DELETE FROM blob",
                      "DELETE FROM meta WHERE key = 'initial_ram_hash'", "DELETE FROM file WHERE name LIKE 'ram/%'",
                      "UPDATE meta SET value = 'x' WHERE key = 'ram_bytes'", "DROP TABLE chunk",
                      "UPDATE meta SET value = 1 << 62 WHERE key = 'ram_bytes'",
                      "UPDATE meta SET value = value || '0' WHERE key = 'final_state_hash'",
                      "UPDATE meta SET value = value + 4096 WHERE key = 'entry_ipa'",
                      "UPDATE meta SET value = 9 WHERE key = 'vcpu_count'",
                      "UPDATE meta SET value = value + 1 WHERE key = 'machine_version'",
                      "UPDATE meta SET value = '1 2 3' WHERE key = 'fingerprint'",
                      "UPDATE chunk SET data = zeroblob(length(data))", "UPDATE chunk SET raw_bytes = 1 << 40",
                      "UPDATE chunk SET event_count = event_count + 1", "UPDATE chunk SET first_event = 5",
                      "UPDATE blob SET raw_bytes = 1 << 40", "UPDATE blob SET data = zeroblob(length(data))"):
        shutil.copyfile("trace", "damaged")
        with sqlite3.connect("damaged") as database:
            check(database.execute(statement).rowcount != 0, f"{statement}: does nothing")
        database.close()
        refusal("damaged", statement)
        if "meta" in statement or "file" in statement:
            check("metadata" in harness.error_line(hvrec("info", "damaged"), "info"), statement)
            harness.trace_edit("seal", "damaged")
            refusal("damaged", statement)
    # an ID register that differs is another machine, and the message must say which
    shutil.copyfile("trace", "damaged")
    with sqlite3.connect("damaged") as database:
        database.execute("UPDATE meta SET value = '414fd0c2' || substr(value, 9) WHERE key = 'fingerprint'")
    database.close()
    harness.trace_edit("seal", "damaged")
    line = harness.error_line(hvrec("replay", "damaged"), "replay")
    check("midr" in line.lower(), f"the message does not name the register: {line}")


def picked(events):
    """A first, a last and a middle event of each kind; all of them with --soak."""
    by_kind = {}
    for event in events:
        by_kind.setdefault(event.kind, []).append(event)
    for same in by_kind.values():
        few = {event.index: event for event in (same[0], same[len(same) // 2], same[-1])}
        yield from same if SOAK else few.values()


def changed(event, field):
    """Another value of a field, one that a trace may hold."""
    if field == "kind":
        return next(kind for kind in (MMIO_READ, MMIO_WRITE) if kind != event.kind)
    return getattr(event, field) ^ (4 if field in ("pc", "address") else 1)


# What a replay takes over from the trace, because nothing but the trace knows it; what it does shows later or never.
TAKEN_OVER = {(INPUT, "value"), (IDLE, "value")}
# A note for people: hv cannot know it again.
FREE = {(EXIT, "address")}


def one_change(event, field, value):
    shutil.copyfile("trace", "damaged")
    trace_edit("event", "damaged", event.index, field, value)
    what = f"event {event.index} of kind {event.kind}: {field} {getattr(event, field)} → {value}"
    if (event.kind, field) in FREE:
        refusal("damaged", what, (0, 2))
        return
    text = refusal("damaged", what, (2,)).err.decode().splitlines()[-1]
    check("divergence" in text, f"{what}: no divergence report: {text}")
    if (event.kind, field) not in TAKEN_OVER and field != "n":
        check(f"at event {event.index}," in text, f"{what}: reported elsewhere: {text}")


def every_field_is_checked(*arguments):
    record(*arguments)
    events = harness.events("trace")
    for event in picked(events):
        for field in ("pc", "address", "value", "kind", "size"):
            one_change(event, field, changed(event, field))
        room = event.index + 1 == len(events) or events[event.index + 1].n > event.n
        if room:  # positions never decrease in a valid trace
            one_change(event, "n", event.n + 1)


@test
def a_changed_event_is_reported_at_that_event():
    every_field_is_checked(payload("psci"))
    every_field_is_checked(payload("timer_physical"))


@test
def a_changed_event_of_input_is_reported_at_that_event():
    with open("input", "wb") as file:
        file.write(b"some input q")
    every_field_is_checked("--input", "input", payload("echo"))


@test
def a_changed_idle_event_is_reported_at_that_event():
    every_field_is_checked(payload("wfi"))


@test
def a_changed_mmio_value_deep_in_a_kernel_boot_is_reported_there():
    record(*harness.debian("cloud"), "--max-instructions", "300M", status=3)
    reads = [event for event in harness.events("trace") if event.kind == MMIO_READ]
    for event in (reads[len(reads) // 2], reads[-1]):
        one_change(event, "value", event.value ^ 1)


if __name__ == "__main__":
    harness.main()
