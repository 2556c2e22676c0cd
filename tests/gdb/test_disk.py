"""A guest with a disk under gdb: next and prev disk, who wrote a sector; and the disk that extract gives at a place is
the one that the debugger's place has, and a file system that its journal makes whole."""
import json
import os
import re
import shutil
import subprocess

import session
from session import SOAK, Skipped, check, harness, rng, test

PLACES = 50 if SOAK else 5
DISK = os.path.join(harness.GUEST, "disk", "small.ext4")
INITRD = os.path.join(harness.GUEST, "disk", "initrd.cpio.gz")


def recorded(steps="write"):
    if not os.path.exists(DISK) or not os.path.exists(INITRD):
        raise Skipped(f"no small disk in {harness.GUEST}: run tools/fetch-guest")
    harness.record("--kernel", harness.debian_kernel("cloud"), "--initrd", INITRD, "--append",
                   f"console=ttyAMA0 quiet hvrec.scale=0 hvrec.disk={steps}", "--disk", DISK, "--console", "none")
    return sql("SELECT event, n, op, sector, bytes FROM disk")


def sql(query):
    result = harness.hvrec("sql", "trace", "--format", "json", query)
    check(result.status == 0, f"sql: {result}")
    return json.loads(result.out)


def shown(client, command):
    text, good = client.monitor(command)
    check(good, f"{command}: {text}")
    return text


def covers(row, sector):
    return row["op"] in ("write", "zero") and row["sector"] <= sector < row["sector"] + row["bytes"] // 512


def next_and_prev(client, rows):
    """From a place between two requests to the nearest, in both directions."""
    places = sorted({row["n"] for row in rows})
    for at in rng.sample(range(1, len(places) - 1), min(PLACES, len(places) - 2)):
        client.monitor(f"seek {places[at] + 1}")
        for command, n in (("prev disk", places[at]), ("next disk", places[at + 1]), ("prev disk vda", places[at])):
            text = shown(client, command)
            check(f"instruction {n} of" in text and "DISK_" in text and " vda" in text, f"{command} at {places[at]}: {text}")


def who_wrote(client, rows):
    """The writer of a sector is the last one before the place; seeking there and one back finds the one before."""
    written = [row for row in rows if row["op"] == "write"]
    for row in rng.sample(written, min(PLACES, len(written))):
        sector = row["sector"] + rng.randrange(row["bytes"] // 512)
        client.monitor("seek end")
        for writer in reversed([one for one in rows if covers(one, sector)]):
            text = shown(client, f"who-wrote-sector vda {sector}")
            check(f"event {writer['event']}, instruction {writer['n']}," in text, f"sector {sector}: {text}, not {writer}")
            shown(client, f"seek event {writer['event']}")
            shown(client, "back")
        text, good = client.monitor(f"who-wrote-sector vda {sector}")
        check(not good and "nothing" in text, f"before the first write: {text}")


@test
def disks_are_places_under_gdb():
    rows = recorded()
    with session.Server() as server, server.client() as client:
        next_and_prev(client, rows)
        who_wrote(client, rows)
        for command in ("next disk vdb", "who-wrote-sector vda", "who-wrote-sector vdb 1", "who-wrote-sector vda 131072",
                        "who-wrote-sector vda x", "next packet", "next packet up"):
            text, good = client.monitor(command)
            check(not good and text.count("\n") == 1, f"{command}: {text!r}")


def extracted(place, name="disk"):
    result = harness.hvrec("extract", "trace", "--disk", "vda", "--at", str(place), "--image", DISK, "-o", name, "--force")
    check(result.status == 0, f"extract at {place}: {result}")
    return name


def journal_is_enough(name, place):
    """Once its journal was replayed nothing is wrong with the file system but what -p sets right: sums of what is free."""
    for options, most in (("-p", 1), ("-fn", 0)):
        done = subprocess.run(["e2fsck", options, name], capture_output=True, check=False)
        check(done.returncode <= most, f"at {place}, e2fsck {options}: status {done.returncode}, "
              f"{(done.stdout + done.stderr).decode()[-800:]}", "trace")


def written_before(rows, next_event):
    """Which event wrote each sector last, before one."""
    writers = {}
    for row in rows:
        if row["event"] < next_event and row["op"] in ("write", "zero"):
            writers.update(dict.fromkeys(range(row["sector"], row["sector"] + row["bytes"] // 512), row["event"]))
    return writers


@test
def a_disk_is_extracted_as_it_was():
    rows = recorded("files,write")
    end = sql("SELECT max(n) AS n FROM events")[0]["n"]
    with open(extracted("start"), "rb") as disk, open(DISK, "rb") as image:
        check(disk.read() == image.read(), "at the start it is not the image")
    busy = [row["n"] for row in rows if row["op"] == "write"]
    for place in [end] + [rng.randint(busy[0], busy[-1]) for _ in range(PLACES)]:
        if shutil.which("e2fsck"):
            journal_is_enough(extracted(place), place)


@test
def the_extracted_disk_is_that_of_the_debuggers_place():
    """The disk differs from the image only where a request that gdb has passed wrote, and there it does. Now and then a
    file system writes what is there already, which nobody can tell from a request that is missing."""
    rows = recorded()
    writes = [row for row in rows if row["op"] == "write"]
    seen, unseen = set(), set()
    with session.Server() as server, server.client() as client:
        for row in rng.sample(writes, min(PLACES, len(writes))):
            for place in (row["n"] - 1, row["n"], row["n"] + 1):
                shown(client, f"seek {place}")
                passed = int(re.search(r", event (\d+) of", shown(client, "when")).group(1))
                with open(extracted(place), "rb") as disk, open(DISK, "rb") as image:
                    changed = [sector for sector in range(os.path.getsize(DISK) // 512) if disk.read(512) != image.read(512)]
                writers = written_before(rows, passed)
                check(set(changed) <= set(writers), f"at {place} more has changed than was written before event {passed}")
                latest = max((one for one in writes if one["event"] < passed), key=lambda one: one["event"], default=None)
                if latest and row["event"] < passed:
                    (seen if covers_some(latest, changed) else unseen).add(latest["event"])
    check(len(unseen) < max(2, len(seen)), f"events {unseen} are missing behind their places, {seen} are not")


def covers_some(row, changed):
    return any(covers(row, sector) for sector in changed)


if __name__ == "__main__":
    harness.main()
