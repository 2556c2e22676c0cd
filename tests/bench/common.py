"""What tests/bench/bench and tests/bench/bench-gdb share: their inputs, the guest's machine, how they end, their figures.

1. No network, no root; a process is ended by its id only. Nothing in the JSON names this machine or its paths.
2. What goes wrong is a BenchError: one line, status 1.
"""
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

GUEST_MEMORY_MIB = 512
LIMIT_S_PER_SCALE = 180  # a run takes 10 to 30 s at scale 1
TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

Sample = namedtuple("Sample", "wall_s cpu_s")


class BenchError(Exception):
    """A one-line reason why there are no figures."""


class Inputs:
    """What is measured, with which programs, in which folder."""

    def __init__(self, options, folder, append=""):
        self.folder = folder
        self.hvrec = os.path.join(options.build, "hvrec")
        self.kernel = os.path.join(options.guest, "cloud", "Image")
        self.initrd = os.path.join(options.guest, "initramfs.cpio.gz")
        self.guest = options.guest
        self.versions = os.path.join(options.guest, "versions.txt")
        self.qemu = os.environ.get("HVREC_QEMU") or "qemu-system-aarch64"
        self.append = f"console=ttyAMA0 hvrec.scale={options.scale} {append} {options.append}".strip()
        self.limit_s = LIMIT_S_PER_SCALE * max(options.scale, 1)
        self.console = self.file("console")

    def file(self, name):
        return os.path.join(self.folder, name)

    def check(self):
        for path, remedy in ((self.hvrec, "run `make`"), (self.kernel, "run tools/fetch-guest"),
                             (self.initrd, "run tools/fetch-guest")):
            if not os.path.isfile(path):
                raise BenchError(f"{path} is missing: {remedy}")
        if not shutil.which(self.qemu):
            raise BenchError(f"{self.qemu} is missing: install the package qemu-system-arm, or name it in HVREC_QEMU")

    def warm(self):
        """The page cache, so that the first run is like the others."""
        for path in (self.kernel, self.initrd, self.hvrec, shutil.which(self.qemu)):
            with open(path, "rb") as file:
                while file.read(1 << 20):
                    pass

    def qemu_command(self, *more):
        """QEMU's own board with the guest, without hvrec."""
        return [self.qemu, "-M", "virt,gic-version=3", "-cpu", "neoverse-n1", "-m", str(GUEST_MEMORY_MIB),
                "-nic", "none", "-display", "none", "-monitor", "none", "-no-reboot",
                "-serial", "file:" + self.console, "-kernel", self.kernel, "-initrd", self.initrd,
                "-append", self.append, *more]

    def payload(self, name):
        path = os.path.join(self.guest, name + ".elf")
        if not os.path.isfile(path):
            raise BenchError(f"{path} is missing: run `make guests`")
        return path

    def payload_command(self, name, *more):
        """QEMU's own board with a payload of tests/guest."""
        return [self.qemu, "-M", "virt,gic-version=3", "-cpu", "neoverse-n1", "-m", "128", "-nic", "none",
                "-display", "none", "-monitor", "none", "-no-reboot", "-serial", "file:" + self.console,
                "-kernel", self.payload(name), *more]

    def record_command(self, trace, *options):
        return [self.hvrec, "record", "--quiet", "-o", trace, "--kernel", self.kernel,
                "--initrd", self.initrd, "--memory", f"{GUEST_MEMORY_MIB}M", "--append", self.append,
                "--console", self.console, "--pace", "skip", *options]

    def replay_command(self, trace):
        return [self.hvrec, "replay", "--quiet", trace, "--console", self.console]

    def run(self, name, command, may_hang=False):
        """Runs it to its end: a Sample, or None if it hung and may."""
        if os.path.exists(self.console):
            os.remove(self.console)
        with open(self.file("errors"), "w+b") as errors:
            start = time.monotonic()
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
            status, usage = wait_for(child, start + self.limit_s)
            if status is None and may_hang:
                return None
            if status is None:
                raise BenchError(f"{name}: it did not end within {self.limit_s} s")
            if status != 0:
                raise BenchError(f"{name}: exit status {status}: {last_line(errors)}")
            return Sample(time.monotonic() - start, usage.ru_utime + usage.ru_stime)

    def console_text(self):
        with open(self.console, "rb") as file:
            return file.read().replace(b"\r", b"")

    def verify_power_off(self, name):
        """The console of a guest that did all of its work."""
        text = self.console_text()
        for sign in (b"\nworkload: done\n", b"reboot: Power down"):
            if sign not in text:
                raise BenchError(f"{name}: the guest ended without {sign.strip().decode()!r} on its console")
        return text

    def describe(self):
        """What the figures hold for."""
        version = subprocess.run([self.qemu, "--version"], stdout=subprocess.PIPE, timeout=60, check=True)
        guest = {}
        if os.path.isfile(self.versions):
            with open(self.versions, encoding="utf-8") as file:
                guest = dict(line.strip().split(" ", 1) for line in file if " " in line)
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
        return {"qemu": version.stdout.decode().splitlines()[0], "kernel": guest.get("cloud", "unknown"),
                "cpu_model": model[1] if model else platform.machine(), "cpu_count": os.cpu_count()}

    def info(self, trace):
        """`hvrec info` of a trace."""
        return self.json("info", "--json", trace)

    def stat(self, trace):
        """`hvrec stat` of a trace."""
        return self.json("stat", "--format", "json", trace)

    def json(self, *arguments):
        text = subprocess.run([self.hvrec, *arguments], stdout=subprocess.PIPE, timeout=60, check=True)
        return json.loads(text.stdout)


def wait_for(child, deadline_s):
    """Exit status (None: it was killed at the deadline) and resource usage of the child and all it waited for."""
    killed = False
    try:
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid != 0:
                child.returncode = os.waitstatus_to_exitcode(status)
                return (None if killed else child.returncode), usage
            if time.monotonic() > deadline_s and not killed:
                child.kill()  # hvrec's QEMU dies with its parent
                killed = True
            time.sleep(0.005)
    finally:
        if child.returncode is None:  # the bench itself is being ended
            child.kill()
            child.wait()


def last_line(errors):
    """Of a file that a process wrote its errors to."""
    errors.seek(0)
    return (errors.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1]


def spread(values):
    """None if there are no values."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)} if values else None


def verdict(value, target, at_least=False):
    """How a value compares with a target that it has to stay below, or `at_least` come up to."""
    if target is None:
        return ""
    reached = value >= target if at_least else value <= target
    return f"target {target:g} {'reached' if reached else 'NOT reached'}"


def add_options(parser, rounds, scale):
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds to run (default: %(default)s)")
    parser.add_argument("--scale", type=int, default=scale,
                        help="the workload's size (default: %(default)s; 0: a smoke test)")
    parser.add_argument("--append", default="", metavar="TEXT",
                        help="more of the kernel command line, for every contestant")
    parser.add_argument("--json", metavar="FILE", help="write all samples and figures there")
    parser.add_argument("--build", metavar="DIR", default=os.path.join(TREE, "build"), help="where hvrec is")
    parser.add_argument("--guest", metavar="DIR", help="what tools/fetch-guest made (default: guest in --build)")


def parse(parser):
    options = parser.parse_args()
    options.guest = options.guest or os.path.join(options.build, "guest")
    if options.rounds < 1 or options.scale < 0:
        raise BenchError("--rounds has to be 1 or more and --scale 0 or more")
    return options


def write_json(path, report):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent="\t")
        file.write("\n")


def main(name, bench):
    """Runs `bench(folder)` and turns what goes wrong into one line."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        with tempfile.TemporaryDirectory(prefix="hvrec-bench-") as folder:
            bench(folder)
    except (BenchError, OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
