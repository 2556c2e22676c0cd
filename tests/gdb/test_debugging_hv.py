"""The session of docs/DEBUGGING-HV.md: each of its commands prints what the page shows, but for the numbers, which any
change of hv or of the payload moves."""
import os
import re
import time

import session
from session import check, harness, test

DEBUG = os.path.join(harness.BUILD, "debug")
PAGE = os.path.join(harness.TOP, "docs", "DEBUGGING-HV.md")
BEFORE = "@command {}\n"


def shape(line):
    """The line with numbers as #, up to what the page elides."""
    return re.sub(r"0x[0-9a-f]+|\d+", "#", line).split("...")[0].rstrip()


def page_commands():
    """[(command, lines that it prints)] of the session."""
    with open(PAGE, encoding="utf-8") as file:
        part = file.read().split("\n## A session\n")[1].split("\n## ")[0]
    found = []
    for line in re.findall(r"^ {4}(.*)", part, re.MULTILINE):
        if line.startswith("(gdb) "):
            found.append((line.removeprefix("(gdb) "), []))
        else:
            found[-1][1].append(line.strip())
    return found


def printed(output, number):
    after = output.split(BEFORE.format(number), 1)
    check(len(after) == 2, f"gdb did not come to command {number}: {output[-500:]}")
    return [line.strip() for line in after[1].split(BEFORE.format(number + 1), 1)[0].splitlines()]


@test
def the_session_of_the_page_is_what_gdb_prints():
    process = harness.start("record", "-o", "trace", "--quiet", "--console", "none", harness.payload("timer_virtual"),
                            program=os.path.join(DEBUG, "hvrec"),
                            env=harness.environment(HVREC_GDB=f"unix:{os.getcwd()}/gdb,server=on,wait=off",
                                                    HVREC_PATIENT="1",
                                                    HVREC_QEMU=os.path.join(harness.TOP, "tools", "qemu-debug")))
    while not os.path.exists("gdb"):
        check(process.poll() is None, "there is no machine")
        time.sleep(0.01)
    wanted = page_commands()
    script = "".join(f"echo \\n@command {number}\\n\n{command}\n" for number, (command, _) in enumerate(wanted))
    output = session.gdb_at("gdb", script + "delete\ndetach\n", os.path.join(DEBUG, "hv.elf"))
    for number, (command, lines) in enumerate(wanted):
        rest = [shape(line) for line in printed(output, number)]
        for line in lines:
            place = next((i for i, got in enumerate(rest) if got.startswith(shape(line))), None)
            check(place is not None, f"{command}: instead of {line!r} it prints {printed(output, number)}")
            rest = rest[place + 1:]
    check(harness.finish(process).status == 0, "the recording failed")


if __name__ == "__main__":
    harness.main()
