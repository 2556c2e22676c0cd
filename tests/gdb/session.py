"""What the test programs of tests/gdb share, on top of tests/replay's harness.py: a served trace, gdb on it, symbols.

A test program looks like one of tests/replay, and tests/gdb/run is tests/replay/run. What a test records is a trace in
its own folder, but for the Debian guest's, which all share.
"""
import fcntl
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "replay"))

import harness  # noqa: E402
import rsp  # noqa: E402
from harness import SOAK, Failed, Skipped, check, rng, test  # noqa: E402, F401

GDB = next(filter(None, map(shutil.which, ("gdb-multiarch", "gdb"))), None)
SECONDS_TO_SERVE_MAX = 30
RECORD_SECONDS_MAX = 600  # of the longest one, on a busy machine


class Server:
    """hvrec replay --gdb on a trace. Its end must be a clean one."""

    def __init__(self, trace="trace", *options):
        self.trace, self.options = trace, options
        self.path = os.path.abspath(f"gdb-{time.monotonic_ns()}")

    def __enter__(self):
        self.process = harness.start("replay", self.trace, f"--gdb=unix:{self.path}", *self.options,
                                     stdout=subprocess.DEVNULL)
        end = time.monotonic() + SECONDS_TO_SERVE_MAX
        while not os.path.exists(self.path):
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise Failed(f"hvrec does not serve gdb: {self.message()}")
            time.sleep(0.01)
        return self

    def message(self):
        _, text = self.process.communicate()
        return text.decode(errors="replace").strip().splitlines()[-1:]

    def client(self):
        """The socket is there a moment before anybody listens."""
        end = time.monotonic() + 1
        while True:
            try:
                return rsp.Client(self.path)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def __exit__(self, kind, what, _):
        died = self.process.poll()
        if died is None:
            self.process.terminate()
        try:
            message = self.message()
        finally:
            self.process.kill()
        if died is not None:
            raise Failed(f"hvrec ended with status {died} in the middle of it: {message}; the trace is kept as "
                         f"{harness.keep(self.trace)}") from None
        if kind is not None and issubclass(kind, rsp.ProtocolError):
            raise Failed(f"{what}; hvrec says {message}; the trace is kept as {harness.keep(self.trace)}") from None
        check(self.process.returncode == 0, f"hvrec ended with status {self.process.returncode}: {message}")
        check(not os.path.exists(self.path), "hvrec left its socket behind")


def served(name, status=0, options=()):
    """Records a payload and serves it."""
    harness.record(*options, harness.payload(name), status=status)
    return Server()


def debian_trace(length=None, vcpus=1):
    """One that all test programs of a run share: who comes first records it. `length`: so many instructions, as hvrec
    record takes them, of a longer workload."""
    path = os.path.join(os.environ["TEST_FOLDER"], f"debian-{length or 'short'}-{vcpus}.trace")
    limit = ("--max-instructions", length) if length else ()
    limit += ("--smp", str(vcpus)) if vcpus > 1 else ()
    append = f"console=ttyAMA0 hvrec.scale={2 if length else 0}"
    with open(path + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            harness.record(*harness.debian("cloud", append), "--console", "none", *limit, trace="new",
                           status=3 if length else 0, seconds=RECORD_SECONDS_MAX)
            os.rename("new", path)
    return path


def say(text):
    """A figure for whoever looks; no result."""
    print(f"# {text}", flush=True)


def gdb(server, script, elf):
    return gdb_at(server.path, script, elf)


def gdb_at(target, script, elf):
    """Runs gdb's commands, connected to a `target remote`. Returns what it printed, standard error included."""
    if not GDB:
        raise Skipped("no gdb-multiarch")
    lines = ["set pagination off", "set confirm off", "set remotetimeout 600", "set architecture aarch64", f"target remote {target}"]
    with open("script.gdb", "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n" + script)
    result = harness.finish(harness.start("-nx", "-nh", "-batch", "-x", "script.gdb", harness.payload(elf), program=GDB,
                                          stderr=subprocess.STDOUT))
    return result.out.decode(errors="replace")


def marked(output):
    """The values that a script prints as lines @NAME=VALUE: {name: [value, …]}."""
    found = {}
    for line in output.splitlines():
        name, sign, value = line.partition("=")
        if sign and name.startswith("@"):
            found.setdefault(name[1:], []).append(value)
    return found


def symbols(elf):
    return symbols_of(harness.payload(elf))


def symbols_of(path):
    """{name: address}; of a name that is there twice, one."""
    with open(path, "rb") as file:
        data = file.read()

    def number(at, count):
        return int.from_bytes(data[at:at + count], "little")

    sections = [number(0x28, 8) + i * number(0x3a, 2) for i in range(number(0x3c, 2))]
    table = next(at for at in sections if number(at + 4, 4) == 2)
    strings = number(sections[number(table + 0x28, 4)] + 0x18, 8)
    start, size = number(table + 0x18, 8), number(table + 0x20, 8)
    found = {}
    for at in range(start, start + size, 24):
        name = strings + number(at, 4)
        found[data[name:data.index(b"\0", name)].decode()] = number(at + 8, 8)
    return found
