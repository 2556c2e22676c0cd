"""What works on a stranger's trace, or for a hostile guest, has given up what it does not need: a taken-over machine and
a taken-over hvrec reach nothing (hv/host/sandbox.h)."""
import contextlib
import ctypes
import os
import re
import socket

import harness
from harness import Skipped, check, hvrec, payload, record, test

ESCAPE = os.path.join(harness.BUILD, "tests", "escape")
LANDLOCK_CREATE_RULESET, LANDLOCK_VERSION_FLAG = 444, 1


def landlock_abi():
    return ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION_FLAG)


@contextlib.contextmanager
def surroundings():
    """A file worth reading, and a server worth connecting to; yields the environment that names them."""
    if landlock_abi() < 1:
        raise Skipped("this kernel has no Landlock")
    with open("secret", "w", encoding="utf-8") as file:
        file.write("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield {"ESCAPE_FILE": os.path.abspath("secret"), "ESCAPE_PORT": str(server.getsockname()[1])}
    with open("secret", encoding="utf-8") as file:
        check(file.read() == "secret", "the secret was destroyed")
    for name in ("secret.written", "secret.shell", "hvrec-escape", "/tmp/hvrec-escape"):
        check(not os.path.exists(name), f"{name} was written")


def ways(result):
    """The ways out that were found."""
    found = re.search(rb"escaped by:([a-z ]*)", result.err)
    check(found, f"nothing was tried: {result}")
    return set(found[1].decode().split())


@test
def the_stand_in_for_a_taken_over_machine_escapes_nowhere():
    record(payload("console"))
    with surroundings() as environment:
        environment = harness.environment(HVREC_QEMU=ESCAPE, **environment)
        for command in (["replay", "trace"], ["verify", "trace"],
                        ["record", "-o", "other.trace", payload("console")]):
            # it may make processes, like a QEMU that starts, but these are confined, too; its parent it may not touch
            newer = {"signal"} if landlock_abi() < 6 else set()
            check(ways(hvrec(*command, env=environment)) <= {"fork"} | newer, f"{command}: it escaped")


@test
def the_stand_in_escapes_where_nothing_confines_it():
    """The attempts are real ones."""
    record(payload("console"))
    with contextlib.suppress(harness.Failed), surroundings() as environment:
        environment = harness.environment(HVREC_QEMU=ESCAPE, HVREC_PATIENT="1", **environment)
        found = ways(hvrec("replay", "trace", env=environment))
    for name in ("secret.written", "secret.shell", "hvrec-escape", "/tmp/hvrec-escape"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    check(found >= {"writing", "destroying", "socket", "connecting", "fork", "shell", "signal"}, f"only by {found}")


@test
def a_taken_over_hvrec_escapes_nowhere():
    record(payload("console"))
    with surroundings() as environment:
        for command, allowed in ((["info"], set()), (["events"], set()), (["stat"], set()), (["console"], set()),
                                 (["replay"], {"fork", "signal"}), (["verify"], {"fork", "signal"})):
            more = harness.environment(LD_PRELOAD=f"{ESCAPE}.so", ESCAPE_AT="decompress", **environment)
            found = ways(hvrec(*command, "trace", env=more))
            check(found <= allowed | {"reading", "signal"}, f"{command}: escaped by {found}")
        more = harness.environment(LD_PRELOAD=f"{ESCAPE}.so", ESCAPE_AT="judge", **environment)
        found = ways(hvrec("replay", "trace", env=more))
        check(found <= {"reading"}, f"a replay that runs: escaped by {found}")


@test
def the_machine_is_confined_while_it_runs():
    process = harness.start("record", "-o", "trace", "--console", "none", payload("wfi_forever"), "--pace", "real")
    pid = harness.machine_pid()
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        status = file.read()
    process.terminate()
    harness.finish(process)
    check(re.search(r"^Seccomp:\t2$", status, re.M), "the machine filters no system calls")
    check(re.search(r"^NoNewPrivs:\t1$", status, re.M), "the machine may gain privileges")


if __name__ == "__main__":
    harness.main()
