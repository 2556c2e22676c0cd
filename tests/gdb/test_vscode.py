"""VS Code's settings as docs/GDB.md gives them, driven as its C/C++ extension drives gdb: through gdb/MI.

The names of settings are those of the extension's schema (vscode-cpptools, Extension/tools/OptionsSchema.json)."""
import json
import os
import re
import subprocess

import session
from session import Skipped, check, harness, test

SETTINGS = {"name", "type", "request", "program", "args", "cwd", "environment", "MIMode", "miDebuggerPath", "miDebuggerArgs",
            "miDebuggerServerAddress", "useExtendedRemote", "stopAtEntry", "stopAtConnect", "setupCommands",
            "postRemoteConnectCommands", "externalConsole", "sourceFileMap", "symbolLoadInfo", "logging"}
COMMAND = {"text", "description", "ignoreFailures"}


WATCH, BACK, SEEK = "watch -l job->next", "reverse-continue", "monitor seek 50%"


def in_console(command):
    """As the extension sends what is typed behind -exec."""
    return '-interpreter-exec console "' + command.replace('"', '\\"') + '"'


def page():
    with open(os.path.join(harness.TOP, "docs", "GDB.md"), encoding="utf-8") as file:
        return file.read()


def settings():
    return json.loads(re.search(r"```json\n(.*?)```", page(), re.DOTALL).group(1))["configurations"][0]


class Mi:
    """gdb with the MI interpreter; a command answers its result record and what came before it."""

    def __init__(self, gdb):
        self.process = harness.start("--interpreter=mi3", "-nx", "-nh", "-q", program=gdb, stdin=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
        self.token = 0

    def until(self, pattern):
        lines = []
        for line in self.process.stdout:
            lines.append(line.rstrip())
            if re.match(pattern, line):
                return lines
        raise harness.Failed(f"gdb ended: {lines[-5:]}")

    def ask(self, command, result="done"):
        self.token += 1
        self.process.stdin.write(f"{self.token}{command}\n")
        self.process.stdin.flush()
        lines = self.until(rf"{self.token}\^")
        check(lines[-1].startswith(f"{self.token}^{result}"), f"{command}: {lines[-1]}")
        return lines

    def run(self, command):
        """One that ends with a stop."""
        self.ask(command, "running")
        return self.until(r"\*stopped")[-1]

    def console(self, command):
        return "\n".join(self.ask(in_console(command)))

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=300)


def expanded(text):
    return text.replace("${workspaceFolder}", harness.TOP)


@test
def settings_are_those_of_the_extension():
    found = settings()
    check(set(found) <= SETTINGS, f"the extension does not know {set(found) - SETTINGS}")
    check(found["type"] == "cppdbg" and found["request"] == "launch" and found["MIMode"] == "gdb", f"{found}")
    for command in found["setupCommands"]:
        check(set(command) <= COMMAND, f"{command}")


@test
def settings_lead_to_the_corruption_and_back():
    """And so does what the page says to type behind -exec."""
    if not session.GDB:
        raise Skipped("no gdb-multiarch")
    found = settings()
    check(os.path.basename(found["miDebuggerPath"]) == "gdb-multiarch", found["miDebuggerPath"])
    with session.served("corruption") as server:
        gdb = Mi(session.GDB)
        try:
            for command in found["setupCommands"]:
                gdb.console(expanded(command["text"]))
            name = os.path.basename(expanded(found["program"]))
            gdb.ask("-file-exec-and-symbols " + harness.payload(name))
            gdb.ask("-target-select remote " + server.path, "connected")
            gdb.ask("-break-insert -f jobs_broken")
            stop = gdb.run("-exec-continue")
            check('func="jobs_broken"' in stop and 'reason="breakpoint-hit"' in stop, stop)
            typed = set(re.findall(r"`-exec ([^`]+)`", page()))
            check(typed == {WATCH, BACK, SEEK}, f"the page says to type {typed}")
            check("atchpoint 2: -location job->next" in gdb.console(WATCH), WATCH)
            stop = gdb.run(in_console(BACK))
            check('func="sample_take"' in stop, f"{BACK}: {stop}")
            gdb.ask("-break-delete")
            for command in ("-exec-step --reverse", "-exec-next", "-exec-next-instruction --reverse", "-exec-step"):
                stop = gdb.run(command)
                check('reason="end-stepping-range"' in stop, f"{command}: {stop}")
            check(re.search(r"instruction \d+ of \d+ \((50.000|49.999) %\)", gdb.console(SEEK)), SEEK)
            stop = gdb.run("-exec-step-instruction")
            check('func="guest_main"' in stop, f"after {SEEK}: {stop}")
            gdb.ask("-target-detach")
        finally:
            gdb.close()


if __name__ == "__main__":
    harness.main()
