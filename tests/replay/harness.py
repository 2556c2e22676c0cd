"""What the test programs of tests/replay share: running hvrec, replaying a trace, finding what was left behind.

A test program is a file test_*.py with functions marked @test, and ends in `harness.main()`. It prints `ok NAME`,
`ok NAME # SKIP why` or `not ok NAME: why` for each, and its exit status is 1 if one failed.
1. Every test gets an empty folder of its own, which is also its working folder, and is removed afterwards.
2. Every process that a test starts carries MARK in its environment, so that strays are found in /proc, whoever their
   parent is by now, and killed. A stray is a failure of the test.
3. The trace of a replay that should have agreed and did not is kept in $BUILD/failed, for whoever looks into it. A test
   that passes leaves nothing there.
"""
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
HVREC = os.path.join(BUILD, "hvrec")
TRACE_EDIT = os.path.join(BUILD, "tests", "trace_edit")
GUEST = os.path.join(BUILD, "guest")
INITRD = os.path.join(GUEST, "initramfs.cpio.gz")
SOAK = "--soak" in sys.argv[1:]
MARK = "HVREC_TEST_MARK"
SECONDS_MAX = 600  # of one run of hvrec, on a machine that is busy with much else

tests = []
kept_files = []  # by the test that runs
mark = f"{os.getpid()}-{time.time_ns()}"
seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
rng = random.Random(seed)


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def test(function):
    tests.append(function)
    return function


def check(good, why, trace=None):
    """Fails the test unless `good`; a `trace` that has to do with it is kept."""
    if not good:
        raise Failed(f"{why}; the trace is kept as {keep(trace)}" if trace else why)


def payload(name):
    return os.path.join(GUEST, name if "." in name else name + ".elf")


def debian_kernel(flavour):
    image = os.path.join(GUEST, flavour, "Image")
    if not os.path.exists(image) or not os.path.exists(INITRD):
        raise Skipped(f"no Debian guest in {GUEST}: run tools/fetch-guest")
    return image


NEVER_ENDS = "hvrec.scale=99"  # a workload of more seconds than any test takes, on the fastest machine too


def debian(flavour, append="hvrec.scale=0"):
    """Arguments of hvrec record."""
    return ["--kernel", debian_kernel(flavour), "--initrd", INITRD, "--append", append]


class Result:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def __str__(self):
        text = self.err.decode(errors="replace").strip()
        return f"exit status {self.status}: {text.splitlines()[-1] if text else 'no message'}"


def environment(**changes):
    env = dict(os.environ, **{MARK: mark})
    env.update(changes)
    return {key: value for key, value in env.items() if value is not None}


def start(*arguments, program=HVREC, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=None,
          **more):
    return subprocess.Popen([program, *arguments], stdin=stdin, stdout=stdout, stderr=stderr, env=env or environment(),
                            **more)


def finish(process, since=None, seconds=SECONDS_MAX):
    """Waits for a process from start(). One that does not end is killed, and the test fails."""
    since = since or time.monotonic()
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failed(f"{' '.join(process.args[:3])} … did not end within {seconds} s") from None
    return Result(process.returncode, out or b"", err or b"", time.monotonic() - since)


def hvrec(*arguments, stdin=subprocess.DEVNULL, seconds=SECONDS_MAX, **more):
    since = time.monotonic()
    return finish(start(*arguments, stdin=stdin, **more), since, seconds)


def record(*arguments, trace="trace", status=0, **more):
    result = hvrec("record", "-o", trace, "--quiet", *arguments, **more)
    check(result.status == status, f"record: {result}, expected status {status}")
    return result


def keep(trace):
    """Copies a trace to $BUILD/failed and says where."""
    folder = os.path.join(BUILD, "failed")
    os.makedirs(folder, exist_ok=True)
    kept = os.path.join(folder, f"{current_name}-{time.time_ns() % 10 ** 9}.trace")
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(trace + suffix):
            shutil.copy(trace + suffix, kept + suffix)
            kept_files.append(kept + suffix)
    return kept


def replay(trace="trace", console=None, hashed=True, **more):
    """Replays and expects that all agrees: events, the final state hash (if `hashed`), the console (unless None)."""
    try:
        result = hvrec("replay", trace, **more)
        check(result.status == 0, f"replay: {result}")
        check(console is None or result.out == console, "replay: other console bytes than were recorded")
        check(not hashed or b"the final state hash agrees" in result.err, f"replay: no final state hash: {result}")
    except Failed as failure:
        raise Failed(f"{failure}; the trace is kept as {keep(trace)}") from None
    return result


def trace_edit(*arguments):
    done = subprocess.run([TRACE_EDIT, *map(str, arguments)], capture_output=True, check=False)
    check(done.returncode == 0, f"trace_edit {arguments}: {done.stderr.decode().strip()}")
    return done.stdout.decode()


class Event:
    def __init__(self, line):
        numbers = [int(word) for word in line.split()]
        self.index, self.kind, self.n, self.pc, self.address, self.value, self.vcpu, self.size = numbers


def events(trace):
    return [Event(line) for line in trace_edit("events", trace).splitlines()]


def error_line(result, command, status=1):
    """Expects a failure that is told in one line."""
    check(result.status == status, f"{result}, expected status {status}")
    lines = result.err.decode(errors="replace").splitlines()
    check(len(lines) == 1, f"{len(lines)} lines on standard error instead of one: {lines[:3]}")
    check(lines[0].startswith(f"hvrec {command}: ") and len(lines[0]) > len(command) + 20, f"poor message: {lines[0]}")
    return lines[0]


@contextlib.contextmanager
def busy(count=None):
    """Keeps all cores busy with other work."""
    loop = "while kill -0 $PPID 2>/dev/null; do :; done"
    spinners = [subprocess.Popen(["sh", "-c", loop]) for _ in range(count or os.cpu_count())]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def strays():
    """Processes with our mark, but this one: {pid: command line}."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/environ", "rb") as file:
                if f"{MARK}={mark}".encode() not in file.read():
                    continue
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            if command:  # a zombie has none
                found[int(entry)] = command
    return found


def machine_pid(seconds=300):
    """The process of the machine that a test's hvrec runs, once there is one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for pid, command in strays().items():
            if "-icount" in command:
                return pid
        time.sleep(0.002)
    raise Failed("the machine did not start")


def no_strays(seconds=60):
    """Expects that nothing runs any more; what does is killed."""
    end = time.monotonic() + seconds
    while strays() and time.monotonic() < end:
        time.sleep(0.02)
    left = strays()
    for pid in left:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    check(not left, f"left running: {list(left.values())}")


def shared_folders():
    """What lies in the folders where programs leave files behind, as far as the name tells that it could be ours (and
    not that of other tests, which may run at the same time)."""
    return {os.path.join(folder, name) for folder in ("/tmp", "/var/tmp", "/dev/shm") if os.path.isdir(folder)
            for name in os.listdir(folder)
            if "qemu" in name.lower() or name.startswith("hvrec") and "test" not in name}


def only_files(*allowed):
    """Expects nothing in the working folder but what is named."""
    left = set(os.listdir(".")) - set(allowed)
    check(not left, f"files left behind: {sorted(left)}")


def nothing_kept():
    """Expects that a test that passes kept no trace; what it kept is removed."""
    for path in kept_files:
        os.remove(path)
    check(not kept_files, f"passes, and kept {kept_files}")


def run_one(function):
    global current_name
    current_name = function.__name__
    kept_files.clear()
    home = os.getcwd()
    folder = tempfile.mkdtemp(dir=os.environ["TEST_FOLDER"])
    os.chdir(folder)
    rng.seed(f"{seed} {current_name}")
    try:
        function()
        no_strays()
        nothing_kept()
        return f"ok {current_name}", True
    except Skipped as why:
        return f"ok {current_name} # SKIP {why}", True
    except (Failed, OSError, subprocess.SubprocessError) as why:
        return f"not ok {current_name}: {why} (SEED={seed})", False
    finally:
        with contextlib.suppress(Failed):
            no_strays(0)
        os.chdir(home)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    def end(number, _frame):
        sys.exit(128 + number)

    names = [name for name in sys.argv[1:] if not name.startswith("--")]
    if "--list" in sys.argv:
        print("\n".join(function.__name__ for function in tests))
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    good = True
    with tempfile.TemporaryDirectory(prefix="test-replay.") as folder:
        os.chmod(folder, 0o755)  # a test runs hvrec as another user
        os.environ.setdefault("TEST_FOLDER", folder)
        for function in tests:
            if names and function.__name__ not in names:
                continue
            since = time.monotonic()
            line, passed = run_one(function)
            good = good and passed
            if "--times" in sys.argv:
                line += f" [{time.monotonic() - since:.1f} s]"
            print(line, flush=True)
    sys.exit(0 if good else 1)


current_name = ""
