"""Symbols where the code really is: a relocated payload and a kernel that KASLR has moved, through plain gdb (qOffsets)
and through hvrec debug."""
import os
import re
import subprocess

import session
from session import check, harness, test

LINKED = 0xffff800008000000  # where arm64 kernels are linked
FUNCTIONS = ("schedule", "vfs_read")
PRINT = "".join(f'printf "@{name}=%lx\\n", &{name}\n' for name in FUNCTIONS)
STOP = "monitor when\nhbreak *&vfs_read\ncontinue\nprintf \"@pc=%lx\\n\", $pc\n"


def hvrec_debug(trace, *options, script):
    """hvrec debug with a gdb script behind it. Answers what gdb printed."""
    with open("debug.gdb", "w", encoding="utf-8") as file:
        file.write("set pagination off\nset confirm off\n" + script)
    result = harness.hvrec("debug", trace, *options, "--", "-nx", "-nh", "-batch", "-x", "debug.gdb",
                           stderr=subprocess.STDOUT)
    return result.out.decode(errors="replace")


def kernel_symbols(trace):
    """{name: address} of the running kernel, from its own tables, and the address of _text."""
    result = harness.hvrec("symbols", trace, "-o", "running.elf")
    text = re.search(rb"_text at (0x[0-9a-f]+)", result.err)
    check(text, f"hvrec symbols: {result}")
    return session.symbols_of("running.elf"), int(text.group(1), 16)


def vmlinux_like(names, text):
    """An ELF file with these functions where the kernel is linked, not where it runs; without its code. As the kernel's
    own linker script does it, the first segment begins with _text."""
    lines = [".section .head.text,\"ax\"", ".globl _text", "_text: .skip 0x1000"]
    for name in FUNCTIONS:
        lines += [f".globl {name}", f".type {name}, %function", f".set {name}, _text + {names[name] - text:#x}"]
    with open("kernel.s", "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    with open("kernel.lds", "w", encoding="ascii") as file:
        file.write(f"SECTIONS {{ . = {LINKED:#x}; .head.text : {{ *(.head.text) }} }}\n")
    subprocess.run(["aarch64-linux-gnu-as", "-o", "kernel.o", "kernel.s"], check=True)
    subprocess.run(["aarch64-linux-gnu-ld", "-o", "vmlinux", "-T", "kernel.lds", "-e", "_text", "kernel.o"], check=True)
    return os.path.abspath("vmlinux")


def expect_places(output, names, how):
    found = session.marked(output)
    for name in FUNCTIONS:
        check(found.get(name) == [f"{names[name]:x}"],
              f"{how}: {name} is at {found.get(name)} instead of {names[name]:x}: {output[-600:]}")
    check("\ninstruction 0 of " in output, f"{how}: gdb does not begin at the start: {output[-600:]}")
    check(found.get("pc") == [f"{names['vfs_read']:x}"], f"{how}: stopped at {found.get('pc')}: {output[-600:]}")


@test
def kernel_moved_by_kaslr_is_found_with_its_vmlinux():
    trace = session.debian_trace()
    names, text = kernel_symbols(trace)
    check(text != LINKED, "the kernel was not moved, so that this shows nothing")
    vmlinux = vmlinux_like(names, text)
    with session.Server(trace) as server:
        expect_places(session.gdb(server, PRINT + STOP, vmlinux), names, "target remote")
    expect_places(hvrec_debug(trace, "--symbols", vmlinux, script=PRINT + STOP), names, "hvrec debug")
    expect_places(hvrec_debug(trace, script=PRINT + STOP), names, "hvrec debug without a file")


@test
def symbols_of_the_running_kernel_are_not_moved():
    """What hvrec symbols writes has the addresses of the running kernel already."""
    trace = session.debian_trace()
    names, _ = kernel_symbols(trace)
    with session.Server(trace) as server:
        expect_places(session.gdb(server, PRINT + STOP, os.path.abspath("running.elf")), names, "target remote")


PIE = '''
printf "@main=%lx\\n", &guest_main
break guest_main
continue
printf "@pc=%lx\\n", $pc
printf "@name=%s\\n", guest_name
printf "@word=%s\\n", words[1]
'''


@test
def relocated_payload_is_found_where_it_was_loaded():
    linked = session.symbols("pie")["guest_main"]
    with session.served("pie") as server:
        outputs = {"target remote": session.gdb(server, PIE, "pie")}
    outputs["hvrec debug"] = hvrec_debug("trace", script=PIE)
    outputs["hvrec debug --symbols"] = hvrec_debug("trace", "--symbols", harness.payload("pie"), script=PIE)
    for how, output in outputs.items():
        found = session.marked(output)
        main = int(found.get("main", ["0"])[0], 16)
        check(main - linked >= 0x40000000 and found.get("pc", ["1"]) == [f"{main:x}"], f"{how}: {output[-600:]}")
        check(found.get("name") == ["pie"] and found.get("word") == ["two"], f"{how}: {output[-600:]}")


@test
def flat_image_is_found_where_it_was_loaded():
    harness.record(harness.payload("pie.bin"))
    output = hvrec_debug("trace", "--symbols", harness.payload("pie"), script=PIE)
    found, linked = session.marked(output), session.symbols("pie")["guest_main"]
    check(found.get("main") == [f"{0x40080000 + linked:x}"] == found.get("pc"), f"{found}: {output[-600:]}")
    check(found.get("name") == ["pie"] and found.get("word") == ["two"], f"{found}: {output[-600:]}")
    harness.record(harness.payload("console.bin"))
    script = 'printf "@main=%lx\\n", &guest_main\n'
    output = hvrec_debug("trace", "--symbols", harness.payload("console"), script=script)
    check(session.marked(output).get("main") == [f"{session.symbols('console')['guest_main']:x}"], f"{output[-600:]}")


@test
def payload_at_its_linked_address_is_not_moved():
    with session.served("corruption") as server, server.client() as client:
        check(client.request("qOffsets") == "", "qOffsets is answered for a program that was not moved")


VALUES = '''
hvrec seek 100%
hvrec who-wrote &jobs
hvrec who-wrote $sp
python
def tried(words):
    try:
        gdb.execute(words)
    except gdb.error as error:
        print("@failed=" + str(error))
end
python tried("hvrec who-wrote &nothing")
python tried("hvrec who-wrote elsewhere")
python tried("hvrec next console &nothing")
'''


@test
def commands_take_values_of_gdb():
    harness.record(harness.payload("corruption"))
    output = hvrec_debug("trace", "--symbols", harness.payload("corruption"), script=VALUES)
    writes = [line for line in output.splitlines() if line.startswith("written by ")]
    check(len(writes) == 2, f"{output[-900:]}")
    check("job_add (cost=cost@entry=12)" in output and "jobs = job;" in output, f"{output[-900:]}")
    failed = session.marked(output).get("failed")
    check(failed == ['No symbol "nothing" in current context.', "who-wrote failed", "next failed"], f"{output[-900:]}")
    check("Python" not in output, f"{output[-900:]}")


INTERRUPT = '''
python
import os, signal, threading, time
def sleeps():
    with open(f"/proc/self/task/{os.getpid()}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"
def interrupt():
    times = 0
    while times < 10:  # gdb has slept so long: it waits for the command's reply
        time.sleep(0.03)
        times = times + 1 if sleeps() else 0
    os.kill(os.getpid(), signal.SIGINT)
def interrupted(words):
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        gdb.execute("hvrec " + words)
        print("@" + words.split()[0] + "=done")
    except gdb.error as error:
        print("\\n@" + words.split()[0] + "=" + str(error))
end
hvrec seek 1000
python interrupted("verify")
stepi
hvrec when
printf "@n=%d\\n", $hvrec_n()
python interrupted("seek end")
printf "@n=%d\\n", $hvrec_n()
'''


@test
def ctrl_c_in_gdb_ends_a_monitor_command():
    """And what gdb asks afterwards is answered with what it asked for."""
    harness.record(*harness.debian("cloud", "console=ttyAMA0 hvrec.scale=0"), "--console", "none", "--keyframe-every",
                   "none", trace="slow.trace")  # with keyframes a seek is over too soon
    output = hvrec_debug("slow.trace", script=INTERRUPT)
    found = session.marked(output)
    check(found.get("verify") == ["interrupted"] and found.get("seek") == ["interrupted"], f"{output[-600:]}")
    check(found.get("n") == ["1001", "1001"], f"{output[-600:]}")
    check(re.search(r"^instruction 1001 of ", output, re.MULTILINE), f"{output[-600:]}")


if __name__ == "__main__":
    harness.main()
