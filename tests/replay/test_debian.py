"""Debian's kernels boot to power-off, print what they print on QEMU's own virt board, and replay to the last bit."""
import collections
import contextlib
import difflib
import re
import subprocess

import harness
from harness import SOAK, busy, check, debian, debian_kernel, record, replay, test

REPLAYS = 100 if SOAK else 1
APPEND = "hvrec.scale=1" if SOAK else "hvrec.scale=0"

# What two boots may say differently, each with its reason: (pattern, replacement).
SAME = [
    (r"^\[ *\d+\.\d+\] ", ""),                                # time of the line
    (r"0x[0-9a-f]+|\b[0-9a-f]{8,16}\b", "ADDRESS"),           # KASLR, seeds, and where loaders put things
    (r"setting system clock to .*", "setting system clock"),  # the date
    (r"audit\(\d+\.\d+:\d+\)", "audit"),                      # time
    (r"initialised in \d+ms", "initialised"),                 # time
    (r"uptime and idle seconds .*", "uptime"),                # time
    (r"\d+K reserved", "reserved"),                           # QEMU's DTB has 1 MiB, ours what it needs
    (r"GICv3: \d+ SPIs", "GICv3: SPIs"),                      # hv's distributor has 256, QEMU's 224 (hv/abi/machine.h)
]

# Lines of devices that hv's machine does not have; on QEMU's board only.
ONLY_ON_QEMU = [
    r"^ITS[ @]", r"^GICv3: using LPI property table", r"^GICv3: CPU0: using allocated LPI",
    r"MSI: .*its@ADDRESS domain created|MSI: .*its@\d+ domain created",  # the GIC's ITS, and who would use it
    r"^hw perfevents: enabled with armv8_pmuv3",  # no PMU in the device tree: perf is not promised
    r"^pl061_gpio ",                                                     # the GPIO of the power button
    r"^pci-host-generic |^pci_bus |^pci \d",                             # the PCIe host bridge
]



def normal(console):
    """The console's lines without what may differ, by origin: {origin: lines in order}. Kernel threads print when they
    get their turn, so only lines of one origin have an order: what stands before the colon, or the line itself, in the
    kernel's lines (which begin with their time); all that user space prints."""
    origins = collections.defaultdict(list)
    for line in console.decode(errors="replace").replace("\r", "").splitlines():
        is_kernel = re.match(r"\[ *\d+\.\d+\] ", line)
        for pattern, replacement in SAME:
            line = re.sub(pattern, replacement, line)
        origins[line.partition(":")[0] if is_kernel else "user space"].append(line)
    return origins


def qemu_console(flavour):
    """The same kernel on QEMU's own virt board, without hv; in its own time, however busy this machine is."""
    command = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "neoverse-n1", "-m", "512", "-nic", "none",
               "-icount", "shift=0,sleep=off",
               "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-serial", "stdio",
               "-no-reboot", "-kernel", debian_kernel(flavour), "-initrd", harness.INITRD, "-append", APPEND]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=harness.SECONDS_MAX,
                          env=harness.environment(), check=False)
    check(done.returncode == 0, f"QEMU without hv: exit status {done.returncode}: {done.stderr[-200:]}")
    return done.stdout


def differences(ours, reference):
    found, our_origins, origins = [], normal(ours), normal(reference)
    for origin in sorted(origins.keys() | our_origins.keys()):
        lines = [line for line in origins[origin] if not any(re.search(pattern, line) for pattern in ONLY_ON_QEMU)]
        found += [line for line in difflib.ndiff(lines, our_origins[origin]) if line[0] in "+-"]
    return found


def boots_and_replays(flavour, replays, loads):
    console = record(*debian(flavour, APPEND)).out
    for line in (b"workload: done", b"reboot: Power down"):
        check(line in console, f"the console lacks {line!r}; it ends {console[-200:]!r}")
    check(b"FAILED" not in console, "a part of the workload failed")
    for turn in range(replays):
        with busy() if loads[turn % len(loads)] else contextlib.nullcontext():
            replay(console=console)
    return console


@test
def debian_cloud_kernel_replays():
    boots_and_replays("cloud", REPLAYS + 1, [True] if SOAK else [False, True])


@test
def debian_generic_kernel_replays():
    boots_and_replays("generic", REPLAYS, [SOAK])


def as_on_qemu(flavour):
    ours = record(*debian(flavour, APPEND)).out
    found = differences(ours, qemu_console(flavour))
    check(not found, f"{len(found)} lines differ from QEMU's board: {found[:6]}")
    # the filter must be able to see a difference: another line, a lost line, the order of lines of one origin
    changed = ours.replace(b"Power down", b"Power up").replace(b"workload: done\r\n", b"")
    check(len(differences(changed, ours)) >= 2, "the comparison sees no difference where there is one")
    lines = ours.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if b"psci: " in line)
    second = next(i for i in range(first + 1, len(lines)) if b"psci: " in lines[i])
    lines[first], lines[second] = lines[second], lines[first]
    check(differences(b"".join(lines), ours), "the comparison sees no other order of lines of one origin")


@test
def debian_cloud_console_is_as_on_qemu():
    as_on_qemu("cloud")


@test
def debian_generic_console_is_as_on_qemu():
    as_on_qemu("generic")


@test
def debian_records_under_load():
    with busy():
        console = record(*debian("cloud", APPEND)).out
    replay(console=console)


@test
def debian_cut_anywhere_replays():
    """A recording that ends at any instruction replays up to just there."""
    for _ in range(20 if SOAK else 2):
        limit = harness.rng.randrange(10 ** 6, 900 * 10 ** 6)
        console = record(*debian("cloud", APPEND), "--max-instructions", str(limit), status=3).out
        check(harness.events("trace")[-1].n == limit, f"--max-instructions {limit}: ends elsewhere")
        replay(console=console)


if __name__ == "__main__":
    harness.main()
