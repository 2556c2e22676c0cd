"""What a trace says of disks, packets and random bytes without being run: of one that device_sample makes, whose events
and bytes stand in tests/unit/device_sample.h."""
import json
import os
import shutil
import sqlite3
import subprocess

import harness
from browser import Browser
from harness import check, error_line, hvrec, test

DEVICE_SAMPLE = os.path.join(harness.BUILD, "tests", "device_sample")
DISK_BYTES = 9 * 512
RTC_S = 1700000000


def made(trace="trace"):
    subprocess.run([DEVICE_SAMPLE, trace], check=True)


def answer(*arguments):
    result = hvrec(*arguments)
    check(result.status == 0 and not result.err, f"{arguments}: {result}")
    return result.out.decode()


def events(*filters):
    """The numbers of the events, and their names."""
    found = [json.loads(line) for line in answer("events", "trace", "--format", "json", *filters).splitlines()]
    return [event["event"] for event in found], [event["name"] for event in found]


@test
def info_names_each_device():
    made()
    text = answer("info", "trace")
    for line in ("disk          vda (virtio0), 4608 bytes, read-only, serial S-1\n",
                 "network card  virtio3, 52:54:00:12:34:56\n", "random bytes  virtio5\n"):
        check(line in text, f"no {line!r} in {text}")
    info = json.loads(answer("info", "trace", "--json"))
    check(info["devices"] == [
        {"name": "vda", "transport": 0, "type": "disk", "bytes": DISK_BYTES, "read_only": True, "serial": "S-1"},
        {"name": "virtio3", "transport": 3, "type": "net", "mac": "52:54:00:12:34:56"},
        {"name": "virtio5", "transport": 5, "type": "rng"}], f"{info['devices']}")
    check((info["block_count"], info["payload_count"]) == (5, 4), f"blocks and payloads: {info}")


@test
def stat_counts_by_device():
    made()
    stat = json.loads(answer("stat", "trace", "--format", "json"))
    disk, net, rng = stat["devices"]
    check({name: disk[name] for name in disk if name not in ("name", "transport", "type")} ==
          {"reads": 1, "read_bytes": 4096, "writes": 2, "written_bytes": 4608, "zeroes": 1, "zeroed_bytes": 4608,
           "flushes": 1, "errors": 1}, f"{disk}")
    check((net["packets_in"], net["bytes_in"], net["packets_out"], net["bytes_out"]) == (1, 90, 2, 63), f"{net}")
    check((rng["requests"], rng["bytes"]) == (1, 64), f"{rng}")
    parts = [stat["bytes"][name] for name in ("events", "files", "keyframes", "blocks", "payloads", "rest")]
    check(sum(parts) == stat["bytes"]["all"] and min(parts[3:]) > 0, f"{stat['bytes']}")
    text = answer("stat", "trace")
    check(all(word in text for word in ("\n  vda  ", "\n  virtio3  ", "\n  virtio5  ")), text)


@test
def events_by_group_and_device():
    made()
    check(events("--kind", "disk") == ([2, 3, 4, 6, 10, 11], ["vda"] * 6), "disk")
    check(events("--kind", "net") == ([7, 9, 13], ["virtio3"] * 3), "net")
    check(events("--kind", "rng") == ([12], ["virtio5"]), "rng")
    check(events("--address", "vda")[0] == events("--address", "virtio0")[0] == [0, 2, 3, 4, 6, 10, 11], "vda")
    check(events("--address", "virtio3", "--kind", "packet_in")[0] == [9], "virtio3")
    check("vdb" in error_line(hvrec("events", "trace", "--address", "vdb"), "events"), "vdb")


def edited(trace, change):
    """A trace like the other, but for a change of its metadata."""
    made(trace)
    db = sqlite3.connect(trace)
    db.execute(change)
    db.commit()
    db.close()
    harness.trace_edit("seal", trace)


@test
def devices_and_what_they_did_are_compared():
    made()
    edited("other", "UPDATE meta SET value = replace(value, 'vda S-1', 'root S-2') WHERE key = 'devices'")
    result = hvrec("diff", "trace", "other")
    check(result.status == 2 and "begin differently" in error_line(result, "diff", 2), f"{result}")
    check(result.out.decode() == "They begin with different\n  virtio devices\n"
          "    A  0 disk 9 ro vda S-1\n       3 net 52:54:00:12:34:56\n       5 rng\n"
          "    B  0 disk 9 ro root S-2\n       3 net 52:54:00:12:34:56\n       5 rng\n", result.out.decode())
    harness.trace_edit("event", "other", 6, "value", (1024 << 32) + 0x77)
    result = hvrec("diff", "trace", "other")
    check(result.status == 2 and b"DISK_WRITE vda, sector 0, 512 bytes" in result.out and
          b"DISK_WRITE root, sector 0, 1024 bytes" in result.out, f"{result.out.decode()}")


@test
def a_disk_is_extracted_at_a_place():
    made()
    with open("image", "wb") as file:
        file.write(b"x" * DISK_BYTES)
    for place, image, first, last in (("start", True, b"i", b"x"), ("101", True, b"r", b"x"), ("101", False, b"r", b"\0"),
                                      ("event 9", False, b"r", b"\0"), ("201", True, b"\0", b"\0"), ("end", True, b"\0", b"\0")):
        text = answer("extract", "trace", "--disk", "vda", "--at", place, "-o", "out", "--force",
                      *(("--image", "image") if image else ()))
        with open("out", "rb") as file:
            disk = file.read()
        check((len(disk), disk[:1], disk[-1:]) == (DISK_BYTES, first, last), f"{place}: {len(disk)}, {disk[:1]}, {disk[-1:]}")
        missing = 0 if last == b"\0" and image else 1
        check(f"{2 - missing} of 2 blocks from the trace; the other {missing}" in text, f"{place}: {text}")
    check(sorted(os.listdir()) == ["image", "out", "trace"], f"{os.listdir()}")


@test
def what_cannot_be_extracted_is_refused():
    made()
    with open("image", "wb") as file:
        file.write(b"x" * (DISK_BYTES + 512))
    shutil.copy("image", "out")
    for words, mention in ((["--disk", "vdb", "-o", "new"], "vdb"), (["--disk", "vda"], "-o FILE"), (["--at", "5"], "--disk"),
                           (["--disk", "vda", "-o", "out"], "--force"), (["--disk", "vda", "-o", "new", "kernel"], "by itself"),
                           (["--disk", "vda", "-o", "new", "--at", "9999"], "400"),
                           (["--disk", "vda", "-o", "new", "--image", "image"], "5120"),
                           (["--disk", "vda", "-o", "new", "--image", "none"], "none"),
                           (["--disk", "vda", "-o", "none/new"], "none/new"),
                           (["--disk", "vda", "-o", "trace", "--force"], "trace")):
        line = error_line(hvrec("extract", "trace", *words), "extract")
        check(mention in line, f"{words}: {line}")
    check(sorted(os.listdir()) == ["image", "out", "trace"], f"{os.listdir()}")


@test
def packets_are_exported_as_tshark_reads_them():
    if not shutil.which("tshark"):
        raise harness.Skipped("there is no tshark; a unit test reads the format by itself")
    made()
    answer("export", "trace", "--format", "pcapng", "-o", "out.pcapng")
    fields = ("frame.time_epoch", "frame.interface_name", "frame.packet_flags_direction", "frame.comment", "frame.len",
              "ip.dst", "udp.dstport", "ipv6.dst")
    read = subprocess.run(["tshark", "-r", "out.pcapng", "-T", "fields", "-E", "separator=|",
                           *(word for field in fields for word in ("-e", field))], capture_output=True, check=True)
    check(read.stdout.decode().splitlines() == [
        f"{RTC_S}.000000150|virtio3|0x00000002|n 150, event 7; monitor seek event 7|60|10.0.2.3|53|",
        f"{RTC_S}.000001200|virtio3|0x00000001|n 200, event 9; monitor seek event 9|90|||fec0::f",
        f"{RTC_S}.000001301|virtio3|0x00000002|n 301, event 13; monitor seek event 13|3|||"], f"{read.stdout.decode()}")


@test
def each_device_is_a_track_with_a_counter():
    made()
    exported = json.loads(answer("export", "trace", "--format", "perfetto"))["traceEvents"]
    named = {event["tid"]: event["args"]["name"] for event in exported if event["name"] == "thread_name"}
    shown = {}
    for event in exported:
        if "pc" in event["args"]:
            shown.setdefault(named[event["tid"]], []).append(event["name"])
    check(shown["vda"] == ["DISK_READ vda", "DISK_WRITE vda", "DISK_FLUSH vda", "DISK_WRITE vda", "DISK_ZERO vda",
                           "DISK_ERROR vda"], f"{shown}")
    check(shown["virtio3"] == ["PACKET_OUT virtio3", "PACKET_IN virtio3", "PACKET_OUT virtio3"], f"{shown}")
    check(shown["virtio5"] == ["ENTROPY virtio5"], f"{shown}")
    counted = {(event["name"], event["ts"]): event["args"] for event in exported if event["ph"] == "C"}
    check(counted["vda bytes in 10 ms", 0] == {"read": 4096, "written": 4608}, f"{counted}")
    check(counted["virtio3 bytes in 10 ms", 0] == {"in": 90, "out": 63}, f"{counted}")
    check(counted["vda bytes in 10 ms", 10000] == {"read": 0, "written": 0}, f"{counted}")


@test
def an_export_goes_to_standard_output_too():
    made()
    answer("export", "trace", "--format", "pcapng", "-o", "out.pcapng")
    with open("out.pcapng", "rb") as file:
        check(file.read() == hvrec("export", "trace", "--format", "pcapng").out, "other bytes on standard output")
    check("pcap" in error_line(hvrec("export", "trace", "--format", "pcap"), "export"), "an unknown format")


@test
def the_page_has_a_lane_for_each_disk_and_card():
    made()
    check(hvrec("report", "trace", "-o", "page.html").status == 0, "no page")
    with Browser() as browser:
        browser.open("page.html")
        check(browser.ask("document.documentElement.dataset.ready") == "1" and
              not browser.ask("document.documentElement.dataset.errors"), "the page's script failed")
        names = browser.ask("LANES.filter((lane) => lane.bytes).map((lane) => lane.name)")
        check(names == ["vda", "virtio3"], f"{names}")
        moved = "LANES.filter((lane) => lane.bytes).map((lane) => lane.bytes({}, {}))"
        check(browser.ask(moved.format(0, "bins.ns * bins.count")) == [[4096, 4608], [90, 63]], "in all bins")
        # a bin is one ns here: single events count in smaller pieces of time
        check(browser.ask(moved.format(99.9, 100.3)) == [[4096, 4608], [0, 0]], "in a part of a bin")
        check(browser.ask(moved.format(150, 150.5)) == [[0, 0], [0, 60]], "one packet")
        listed = browser.ask("eventsIn(LANES.find((lane) => lane.name === 'virtio3'), 0, run.ns, 9).list"
                             ".map((i) => meaningOf(i).words.split(',')[0])")
        check(listed == ["PACKET_OUT virtio3", "PACKET_IN virtio3", "PACKET_OUT virtio3"], f"{listed}")


if __name__ == "__main__":
    harness.main()
