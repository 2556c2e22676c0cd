"""Debugging sessions for tests/bench/bench-gdb: hvrec's and QEMU's, with the same methods, over the remote protocol.

1. Time is that of a round trip: from sending a packet to the stop. What a session answers is checked, outside of it.
2. A session ends its process. QEMU's recording is replayed from a snapshot at its start, which is what QEMU goes back to.
Source: QEMU, docs/system/replay.rst and qapi/replay.json; GDB manual, "Remote Protocol".
"""
import json
import os
import socket
import subprocess
import sys
import time

import common
from common import BenchError

sys.path.insert(0, os.path.join(common.TREE, "tests", "gdb"))

import rsp  # noqa: E402

SECONDS_TO_START_MAX = 60


def timed(function, *arguments):
    """Seconds that it took, and what it answered."""
    start = time.monotonic()
    answer = function(*arguments)
    return time.monotonic() - start, answer


class Session:
    """One process, one client. `sockets`: paths that the process is to make before it can be talked to."""

    def __init__(self, inputs, command, sockets, answer_s_max, no_ack):
        self.start_s = time.monotonic()
        with open(inputs.file("errors"), "wb") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            while not all(map(os.path.exists, sockets)):
                if self.process.poll() is not None or time.monotonic() - self.start_s > SECONDS_TO_START_MAX:
                    with open(inputs.file("errors"), "rb") as errors:
                        raise BenchError(f"{command[0]} does not serve gdb: {common.last_line(errors)}")
                time.sleep(0.002)
            self.client = rsp.Client(sockets[0], answer_s_max, no_ack)
        except BaseException:
            self.end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.end()

    def end(self):
        self.process.kill()  # hvrec's QEMU dies with its parent
        self.process.wait()

    def age_s(self):
        """How long ago its process was started."""
        return time.monotonic() - self.start_s

    def step_back(self):
        """One reverse-stepi: seconds."""
        before = self.position()
        seconds, _ = timed(self.client.reverse_step)
        if self.position() != before - 1:
            raise BenchError(f"reverse-stepi went from instruction {before} to {self.position()}")
        return seconds

    def go_back(self, kind):
        """A reverse-continue that has to stop for the reason `kind`: seconds."""
        return self._expect(kind, self.client.go_back)

    def go_on(self, kind):
        return self._expect(kind, self.client.go_on)

    def _expect(self, kind, go):
        seconds, stop = timed(go)
        if stop.kind != kind:
            raise BenchError(f"stopped for {stop} at instruction {self.position()}, expected {kind}")
        return seconds


class Hvrec(Session):
    NAME, HIT, BEGIN = "hvrec", "hwbreak", "begin"

    def __init__(self, inputs, trace, answer_s_max, *options):
        path = inputs.file(f"gdb-{time.monotonic_ns()}")
        command = [inputs.hvrec, "replay", trace, f"--gdb=unix:{path}", *options]
        super().__init__(inputs, command, [path], answer_s_max, True)

    def position(self):
        return self.client.n

    def arrive(self, n):
        """Goes to instruction `n`, or to "end": seconds."""
        return timed(self.client.seek, n)[0]

    def behind_lonely_hit(self, address, distance_insns):
        """From a place where the breakpoint at `address` is hit, or right behind one, to a place so far behind a later
        hit, with none between. Answers that hit's position; None if there is none."""
        hit = self.position()
        while True:
            stop = self.client.go_on()
            if self.position() - hit >= distance_insns:
                self.client.seek(hit + distance_insns)
                return hit
            if stop.kind != self.HIT:
                return None
            hit = self.position()


class Qemu(Session):
    NAME, HIT, BEGIN = "QEMU", "signal", "signal"

    def __init__(self, inputs, log, disk, answer_s_max):
        stamp = time.monotonic_ns()
        gdb, qmp = inputs.file(f"gdb-{stamp}"), inputs.file(f"qmp-{stamp}")
        command = inputs.qemu_command(*qemu_rr("replay", log, disk), "-S", "-qmp", f"unix:{qmp},server=on,wait=off",
                                      "-chardev", f"socket,id=gdb,path={gdb},server=on,wait=off", "-gdb", "chardev:gdb")
        super().__init__(inputs, command, [gdb, qmp], answer_s_max, False)
        monitor = socket.socket(socket.AF_UNIX)
        monitor.settimeout(answer_s_max)
        monitor.connect(qmp)
        self.monitor = monitor.makefile("rw")
        self.monitor.readline()  # the greeting
        self.qmp("qmp_capabilities")

    def qmp(self, command, **arguments):
        self.monitor.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.monitor.flush()
        while True:
            answer = json.loads(self.monitor.readline())
            if "error" in answer:
                raise BenchError(f"QEMU: {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def position(self):
        return self.qmp("query-replay")["icount"]

    def arrive(self, n):
        """Goes on to instruction `n`: seconds."""
        self.qmp("replay-break", icount=n)
        seconds, stop = timed(self.client.go_on)
        if self.position() != n:
            raise BenchError(f"QEMU: {stop} at instruction {self.position()} on the way to {n}")
        return seconds

    def behind_lonely_hit(self, address, distance_insns):
        """As Hvrec's, from a hit."""
        while True:
            hit = self.position()
            # QEMU stops again where it stands, if there is a breakpoint.
            self.client.remove(rsp.HARDWARE, address)
            self.client.step()
            self.client.insert(rsp.HARDWARE, address)
            self.qmp("replay-break", icount=hit + distance_insns)
            self.client.go_on()
            if self.position() == hit + distance_insns:
                return hit


def qemu_rr(mode, log, disk):
    """QEMU's options for recording and replaying with a snapshot to go back to."""
    return ["-icount", f"shift=0,rr={mode},rrfile={log},rrsnapshot=init", "-drive", f"file={disk},if=none,id=snapshots"]


def qemu_disk(path):
    """Makes the disk that QEMU keeps its snapshots in."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "4G"], timeout=60, check=True)
