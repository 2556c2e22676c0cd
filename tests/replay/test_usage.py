"""What is asked for wrongly is refused: exit status 1 and one line that begins with the command's name."""
import contextlib
import os
import re
import shutil
import sqlite3

import harness
from harness import check, error_line, hvrec, payload, record, replay, test


def refused(*arguments, mention=None, **more):
    try:
        line = error_line(hvrec(*arguments, **more), arguments[0])
    except harness.Failed as why:
        raise harness.Failed(f"hvrec {' '.join(arguments)}: {why}") from None
    check(mention is None or mention in line, f"the message does not mention {mention}: {line}")


def untouched(path, text=b"precious\n"):
    with open(path, "rb") as file:
        check(file.read() == text, f"{path} was changed")


@test
def no_command_prints_usage():
    for arguments in ((), ("nonsense",), ("--nonsense",)):
        result = hvrec(*arguments)
        check(result.status == 1 and b"usage: hvrec" in result.err and not result.out, f"{arguments}: {result}")
    for arguments in (("--help",), ("record", "--help"), ("replay", "--help"), ("info", "--help"),
                      ("sql", "--help"), ("export", "--help")):
        result = hvrec(*arguments)
        check(result.status == 0 and b"usage: hvrec" in result.out and not result.err, f"{arguments}: {result}")
    harness.only_files()


@test
def wrong_options_are_refused():
    program = payload("console")
    for command in ("record", "replay", "info", "sql", "export"):
        refused(command)
        refused(command, "--nonsense", program)
        refused(command, "")
    for option in ("--kernel", "--initrd", "--append", "--dtb", "--memory", "--input", "--console", "--pace",
                   "--max-instructions", "--timeout", "-o"):
        refused("record", option)
    for option, value in (("--memory", "0"), ("--memory", "-1"), ("--memory", "1000000G"), ("--memory", "12x"),
                          ("--memory", "99999999999999999999"), ("--memory", ""), ("--memory", "1K"),
                          ("--pace", "fast"), ("--timeout", "0"), ("--timeout", "-1"), ("--timeout", "nan"),
                          ("--timeout", "soon"), ("--max-instructions", "many"), ("--max-instructions", "-5"),
                          ("--max-instructions", "0")):
        refused("record", option, value, program, mention=option)
    refused("replay", "--until", "x", "trace", mention="--until")
    refused("replay", "--until", "5", "--gdb", "trace", mention="--until")
    refused("replay", "--console", "none", "--gdb", "trace", mention="--console")
    refused("record", "--kernel", program, program)
    refused("record", "--append", "a", program, "b")
    refused("replay", "one", "two")


@test
def the_manual_has_the_options_that_help_lists():
    with open(os.path.join(harness.TOP, "tools", "hvrec.1"), encoding="utf-8") as file:
        manual = file.read()
    synopses = manual[manual.index(".Sh SYNOPSIS"):manual.index(".Sh DESCRIPTION") + 4]
    commands = re.findall(r"^  ([a-z]+) ", hvrec("--help").out.decode(), re.MULTILINE)
    check(len(commands) == 16, f"{commands}")
    for command in commands:
        result = hvrec(command, "--help")
        check(result.status == 0 and not result.err, f"{command} --help: {result}")
        listed = re.findall(r"^  (?:-(\w), |    )--([a-z-]+)", result.out.decode(), re.MULTILINE)
        check(listed or "OPTIONS" not in result.out.decode(), f"{command} --help lists nothing")
        # what the manual has of a command: its synopsis, all of it but `record`'s, and the section about it
        synopsis = "".join(re.findall(rf"^\.Nm\n\.Cm {command}\n(.*?)(?=^\.(?:Nm|Sh))", synopses, re.MULTILINE | re.DOTALL))
        section = re.search(rf"^\.Ss hvrec {command}\n(.*?)^\.S[sh]", manual, re.MULTILINE | re.DOTALL)
        options = set(re.findall(r"Fl -?([a-z][a-z-]*)", synopsis + (section.group(1) if section else "")))
        for letter, name in listed:
            check(name in options or letter in options or name == "qemu", f"the manual has no {command} --{name}")
        known = {word for option in listed for word in option}
        for name in re.findall(r"Fl -?([a-z][a-z-]*)", synopsis):
            check(name in known, f"{command} --help does not list {name}, which the manual has")


@test
def numbers_are_written_alike():
    trace = os.path.join(harness.TOP, "tests", "golden", "v2-m1-timer_start_n.trace")
    for arguments in (("events", trace, "--from"), ("trim", trace, "-o", "part", "--from"),
                      ("replay", trace, "--console", "none", "--until")):
        for number in ("2500000", "2_500_000", "0x2625a0", "2500k"):
            result = hvrec(*arguments, number)
            check(result.status == 0, f"{arguments} {number}: {result}")
    refused("replay", trace, "--until", "2107354", mention="2107355")  # it starts there


@test
def files_that_cannot_be_read_are_refused():
    os.mkdir("folder")
    open("empty", "wb").close()
    for name in ("missing", "folder", "empty", "missing/file"):
        refused("record", "-o", "trace", name, mention=name)
        refused("record", "-o", "trace", "--kernel", name, mention=name)
        refused("replay", name, mention=name)
        refused("info", name, mention=name)
        if name != "empty":
            refused("record", "-o", "trace", "--input", name, payload("console"), mention=name)
        refused("record", "-o", "trace", "--dtb", name, payload("console"), mention=name)
        refused("record", "-o", "trace", "--kernel", payload("console"), "--initrd", name, mention=name)


@test
def programs_of_other_machines_are_refused():
    with open("header", "wb") as file:
        with open(payload("console"), "rb") as elf:
            file.write(elf.read(64))
    refused("record", "/bin/true", mention="/bin/true")
    refused("record", harness.HVREC, mention=harness.HVREC)
    refused("record", "header", mention="header")


@test
def a_guest_too_large_for_its_memory_is_refused():
    with open("large", "wb") as file:
        file.truncate(200 << 20)
    refused("record", "--memory", "64M", "large", mention="large")
    refused("record", "--memory", "64M", "--kernel", payload("console"), "--initrd", "large", mention="large")


@test
def files_that_are_no_traces_are_refused_and_stay():
    def reading_refused(name):
        refused("replay", name, mention=name)
        refused("info", name, mention=name)

    with open("text", "wb") as file:
        file.write(b"precious\n")
    database = sqlite3.connect("database")
    database.execute("CREATE TABLE meta(key, value)")
    database.commit()
    database.close()
    with open("database", "rb") as file:
        before = file.read()
    for name in ("text", "database", payload("console")):
        reading_refused(name)
    for name in ("text", "database"):
        refused("record", "-o", name, payload("console"), mention=name)
    untouched("text")
    untouched("database", before)
    harness.only_files("text", "database")


@test
def outputs_that_cannot_be_written_are_refused():
    os.mkdir("folder")
    program = payload("console")
    refused("record", "-o", "folder", program, mention="folder")
    refused("record", "-o", "missing/trace", program, mention="missing/trace")
    refused("record", "-o", "/proc/trace", program, mention="/proc/trace")
    refused("record", "-o", "/dev/null", program, mention="/dev/null")
    refused("record", "-o", "", program)
    refused("record", "-o", "trace", "--console", "missing/console", program, mention="missing/console")
    refused("record", "-o", "trace", "--console", "folder", program, mention="folder")
    record(program)
    refused("replay", "trace", "--console", "missing/console", mention="missing/console")
    refused("replay", "trace", "--console", "folder", mention="folder")


@test
def an_output_that_is_an_input_is_not_destroyed():
    with open(payload("console"), "rb") as file:
        program = file.read()
    with open("program", "wb") as file:
        file.write(program)
    refused("record", "-o", "program", "program", mention="program")
    untouched("program", program)


@test
def a_replay_does_not_write_its_console_over_its_trace():
    record(payload("console"))
    with open("trace", "rb") as file:
        trace = file.read()
    refused("replay", "trace", "--console", "trace", mention="trace")
    untouched("trace", trace)


@test
def a_recording_that_cannot_start_keeps_the_trace_in_the_way():
    record(payload("console"))
    with open("trace", "rb") as file:
        trace = file.read()
    refused("record", "-o", "trace", "missing", mention="missing")
    untouched("trace", trace)
    refused("record", "-o", "new", "missing", mention="missing")
    harness.only_files("trace")


@test
def traces_of_a_newer_version_are_refused():
    record(payload("console"))
    with open("trace", "r+b") as file:
        file.seek(60)  # user_version, big-endian
        version = int.from_bytes(file.read(4), "big")
        file.seek(60)
        file.write((version + 1).to_bytes(4, "big"))
    refused("replay", "trace", mention=str(version + 1))
    refused("info", "trace", mention=str(version + 1))


@test
def a_trace_in_the_way_is_replaced():
    record(payload("console"))
    console = record(payload("psci")).out
    harness.replay(console=console)
    harness.only_files("trace")


@test
def no_output_replaces_a_trace_by_something_else():
    record(payload("console"))
    record(payload("psci"), trace="other")
    kept = {}
    for name in ("trace", "other"):
        with open(name, "rb") as file:
            kept[name] = file.read()
        for arguments in (("report", "trace", "-o", name), ("symbols", "trace", "-o", name),
                          ("export", "trace", "--format", "perfetto", "-o", name), ("replay", "trace", "--console", name),
                          ("record", "-o", "new", "--console", name, payload("psci"))):
            refused(*arguments, mention=f"{name}: is a trace")
            for held, text in kept.items():
                untouched(held, text)
    harness.only_files("trace", "other")


@test
def the_option_names_the_qemu_whatever_the_variable_says():
    """One of the test's own, which leaves a mark and is the usual one."""
    real = shutil.which(os.environ.get("HVREC_QEMU") or "qemu-system-aarch64")
    with open("mine", "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\necho "$1" >> used\nexec {real} "$@"\n')
    os.chmod("mine", 0o755)
    env = harness.environment(HVREC_QEMU="/bin/false", HVREC_PATIENT="1")  # unconfined, so that it can leave its mark
    record("--qemu", "./mine", "--keyframe-every", "none", payload("psci"), env=env)
    for command in (("replay", "trace", "--qemu", "./mine"), ("verify", "--qemu=./mine", "trace"),
                    ("debug", "trace", "--qemu", "./mine", "--", "-batch")):
        done = harness.hvrec(*command, env=env)
        check(done.status == 0, f"{command}: {done}")
    with open("used", encoding="ascii") as file:
        started = file.read().split().count("-M")
    check(started == 4, f"{started} machines were of the named program instead of 4")
    version = harness.hvrec("--version").out.decode()
    check("hvrec " in version and "QEMU emulator version" in version, f"--version: {version}")


@test
def without_qemu_or_hv_the_message_says_so():
    missing = harness.environment(HVREC_QEMU="/nonexistent/qemu")
    refused("record", payload("console"), env=missing, mention="qemu")
    refused("record", payload("console"), env=harness.environment(HVREC_QEMU="/bin/false"))
    refused("record", "--qemu", "/nonexistent/qemu", payload("console"), mention="--qemu /nonexistent/qemu")
    os.mkdir("bin")
    os.symlink(harness.HVREC, "bin/linked")  # a link is no other place
    record(payload("console"), program="bin/linked")
    with open(harness.HVREC, "rb") as file, open("bin/hvrec", "wb") as copy:
        copy.write(file.read())
    os.chmod("bin/hvrec", 0o755)
    refused("record", payload("console"), program="bin/hvrec", mention="hv.elf")


@test
def timeout_ends_a_recording_whose_output_nobody_reads():
    out, into = os.pipe()
    os.set_blocking(into, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(into, b"x" * 4096)
    os.set_blocking(into, True)
    process = harness.start("record", "-o", "trace", "--quiet", "--timeout", "1", harness.payload("hang"), stdout=into)
    result = harness.finish(process, seconds=60)
    check("--timeout 1 " in harness.error_line(result, "record", 3), f"{result}")
    os.close(out)
    os.close(into)
    replay(console=b"hang: spinning\n")


@test
def what_a_lost_guest_looked_for_is_named():
    for arguments, words in ((["write", "8010000"], "wrote to 0x8010000, where QEMU's virt board has the CPU interface of a GICv2"),
                             (["read", "9020000"], "read 0x9020000, where QEMU's virt board has fw_cfg"),
                             (["read", "9030000"], "PL061 GPIO"), (["read", "3f000000"], "PCI configuration space"),
                             (["run", "4000000"], "ran code at 0x4000000, where QEMU's virt board has CFI flash"),
                             (["read", "b000000"], "nothing either"), (["semihosting"], "no semihosting")):
        result = harness.record("--max-instructions", "200k", harness.payload("lost"), *arguments, status=3)
        line = harness.error_line(result, "record", 3)
        check(words in line, f"{arguments}: {line}")
        check("--max-instructions" in line, line)


if __name__ == "__main__":
    harness.main()
