"""A trace depends on nothing but itself: not on host, user, path, environment, time or load."""
import os
import shutil
import stat
import subprocess

import harness
from harness import SOAK, busy, check, environment, hvrec, payload, record, replay, test

NOBODY = 65534


def sample_trace():
    """A payload with input, timers and idle time. Returns its console."""
    with open("input", "wb") as file:
        file.write(b"some text q")
    return record("--input", "input", payload("echo"), "argument").out


@test
def a_trace_replays_in_another_environment():
    console = sample_trace()
    for name in ("trace", "input"):
        os.rename(name, name + ".moved")
    os.makedirs("other/folder with spaces é")
    os.rename("trace.moved", "other/folder with spaces é/-renamed 100%.bin")
    strange = environment(HOME="/nonexistent", TZ="Pacific/Kiritimati", LANG="tr_TR.UTF-8", LC_ALL="tr_TR.UTF-8",
                          TMPDIR="/nonexistent", COLUMNS="1", MALLOC_PERTURB_="165", XDG_RUNTIME_DIR="/nonexistent")
    bare = {"PATH": os.environ["PATH"], harness.MARK: harness.mark}
    for env in (strange, bare):
        replay(os.path.abspath("other/folder with spaces é/-renamed 100%.bin"), console=console, env=env, cwd="/")
        replay("./-renamed 100%.bin", console=console, env=env, cwd="other/folder with spaces é")


@test
def a_trace_replays_with_the_program_elsewhere():
    console = sample_trace()
    os.makedirs("installed/bin")
    os.makedirs("installed/lib/hvrec")
    shutil.copy(harness.HVREC, "installed/bin/hvrec")
    shutil.copy(os.path.join(harness.BUILD, "hv.elf"), "installed/lib/hvrec/hv.elf")
    replay(console=console, program="installed/bin/hvrec")
    os.mkdir("side by side")
    shutil.copy(harness.HVREC, "side by side/hvrec")
    shutil.copy(os.path.join(harness.BUILD, "hv.elf"), "side by side/hv.elf")
    replay(console=console, program="side by side/hvrec")


def as_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


@test
def a_read_only_trace_replays_for_another_user():
    console = sample_trace()
    os.mkdir("shelf")
    shutil.move("trace", "shelf/trace")
    # for another user, who may not enter the folders above the build
    shutil.copy(harness.HVREC, "shelf/hvrec")
    shutil.copy(os.path.join(harness.BUILD, "hv.elf"), "shelf/hv.elf")
    for path in (".", os.environ["TEST_FOLDER"]):
        os.chmod(path, 0o755)
    os.chmod("shelf/trace", 0o444)
    os.chmod("shelf", 0o555)
    try:
        more = {"preexec_fn": as_nobody} if os.geteuid() == 0 else {}
        replay("shelf/trace", console=console, program="shelf/hvrec", **more)
        check(hvrec("info", "shelf/trace", program="shelf/hvrec", **more).status == 0, "info failed")
        check(sorted(os.listdir("shelf")) == ["hv.elf", "hvrec", "trace"], f"files beside: {os.listdir('shelf')}")
        result = hvrec("record", "-o", "shelf/new", payload("psci"), program="shelf/hvrec", **more)
        harness.error_line(result, "record")
    finally:
        os.chmod("shelf", stat.S_IRWXU)


@test
def an_incomplete_trace_can_be_moved_with_its_wal():
    process = harness.start("record", "-o", "trace", "--quiet", payload("hang"))
    harness.machine_pid()
    process.stdout.read(5)
    subprocess.run(["sleep", "1"], check=True)  # a commit
    process.kill()
    harness.finish(process)
    os.mkdir("moved")
    for name in ("trace", "trace-wal"):
        if os.path.exists(name):
            os.rename(name, "moved/" + name)
    check(replay("moved/trace", hashed=False).out == b"hang: spinning\n", "replay: another console")


@test
def a_trace_replays_under_load():
    console = record(payload("timer_virtual")).out
    with busy():
        for _ in range(20 if SOAK else 3):
            replay(console=console)
    with busy(8):
        replay(console=console)


@test
def a_trace_replays_next_to_itself():
    console = sample_trace()
    at_once = [harness.start("replay", "trace") for _ in range(6)]
    for process in at_once:
        result = harness.finish(process)
        check(result.status == 0 and result.out == console, f"replay: {result}")


@test
def equal_inputs_at_equal_times_give_equal_guests():
    """Not promised, but what the instruction clock means: two recordings differ in seeds and the date only."""
    lengths = set()
    for _ in range(3):
        record(payload("timer_virtual"))
        lengths.add(tuple((event.n, event.kind) for event in harness.events("trace")))
    check(len(lengths) == 1, "recordings of a guest without input and seeds differ")


if __name__ == "__main__":
    harness.main()
