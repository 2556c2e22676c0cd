"""Debian's U-Boot, unchanged: it comes to its prompt, takes scripted commands, and replays, in RAM and in flash."""
import hashlib
import os
import re
import sqlite3
import zlib

import harness
from harness import SOAK, check, record, replay, test

COMMANDS = (  # after which text of the console
    ("autoboot:", b"\n"),  # any key
    ("=> ", b"version\n"),
    ("=> ", b"md.l 4000000 1; mw.b 4000000 12; md.b 4000000 1\n"),
    ("=> ", b"fdt addr 40000000; fdt print /chosen stdout-path\n"),
    ("=> ", b"sleep 0.02; setexpr x 6 * 7; printenv x\n"),
)


def u_boot():
    image = os.path.join(harness.GUEST, "u-boot", "u-boot.bin")
    if not os.path.exists(image):
        raise harness.Skipped(f"no U-Boot in {harness.GUEST}: run tools/fetch-guest")
    return image


def typed(commands):
    """Arguments of hvrec record that type these."""
    with open("input", "wb") as file:
        file.write(b"".join(command for _, command in commands))
    return ["--input", "input", *(word for prompt, _ in commands for word in ("--input-after", prompt))]


@test
def uboot_takes_commands_and_replays():
    image = u_boot()
    console = record(*typed(COMMANDS), "--until", "x=2a", "--timeout", "100", image).out
    for text in (b"DRAM:  512 MiB", b"bad CRC, using default environment", b"\nU-Boot 20", b"04000000: 00000000 ",
                 b"04000000: 00 ", b'stdout-path = "/pl011@9000000"', b"x=2a"):
        check(text in console, f"no {text!r}; the console ends {console[-300:]!r}")
    check(console.endswith(b"x=2a"), f"the console ends {console[-80:]!r}")
    replay(console=console)
    result = harness.hvrec("verify", "trace")
    check(result.status == 0, f"verify: {result}")


FLASH_COMMANDS = (
    ("autoboot:", b"\n"),
    ("=> ", b"md.q 0 2; md.q 40000000 1; md.q 4000000 1\n"),
    ("=> ", b"mw.l 0 12345678; md.q 0 1; bdinfo; echo over\n"),
)


def quads(console, address):
    """What md.q showed there, each time."""
    return re.findall(rb"%08x: ((?:[0-9a-f]{16} ?)+)" % address, console)


@test
def uboot_starts_in_flash_and_replays_in_parts():
    with open(u_boot(), "rb") as file:
        image = file.read()
    console = record("--firmware", u_boot(), *typed([*FLASH_COMMANDS, ("\nover", b"poweroff\n")]), "--timeout", "100",
                     "--keyframe-every", "10ms").out
    first = b"%016x" % int.from_bytes(image[:8], "little")
    shown = [words.split() for words in quads(console, 0)]
    check(len(shown) == 2 and shown[0][0] == shown[1][0] == first, f"flash shows {shown}, it begins {first}")
    check(quads(console, 0x40000000)[0].split()[0].endswith(b"edfe0dd0"), "no device tree at the start of RAM")
    check(quads(console, 0x4000000)[0].split()[0] == bytes(b"0" * 16), "the second bank is not empty")
    offset = re.search(rb"reloc off += 0x([0-9a-f]+)", console)
    check(offset and int(offset.group(1), 16) > 0x40000000, "it did not move from flash to RAM")
    for _ in range(3):
        replay(console=console)
    result = harness.hvrec("verify", "trace")
    check(result.status == 0 and int(re.search(rb"in (\d+) intervals", result.err).group(1)) > 3, f"verify: {result}")
    kept = harness.hvrec("trim", "trace", "-o", "end", "--from", "70M")
    check(kept.status == 0, f"trim: {kept}")
    replay("end")
    extracted = harness.hvrec("extract", "trace", "-o", "files")
    check(extracted.status == 0, f"extract: {extracted}")
    with open("files/firmware", "rb") as file:
        check(file.read() == image, "other firmware than was given")
    check(b"u-boot.bin (firmware)" in harness.hvrec("info", "trace").out, "info does not name it")


@test
def uboot_reads_a_file_system():
    disk = os.path.join(harness.GUEST, "disk", "small.ext4")
    if not os.path.exists(disk):
        raise harness.Skipped(f"no small disk in {harness.GUEST}: run tools/fetch-guest")
    text = b"".join(b"%d\n" % number for number in range(1, 1000001))  # as tools/guest-disk/build-small makes it
    commands = (("autoboot:", b"\n"), ("=> ", b"ext4load virtio 0 $kernel_addr_r /data/text\n"),
                ("bytes read", b"crc32 $kernel_addr_r $filesize; poweroff\n"))
    console = record("--firmware", u_boot(), "--disk", disk, *typed(commands), "--timeout", "100").out
    check(b"==> %08x" % zlib.crc32(text) in console, f"another sum of {len(text)} bytes: {console[-200:]!r}")
    replay(console=console)


@test
def uboot_starts_debian_from_its_disk():
    disk = os.path.join(harness.GUEST, "disk", "debian.img")
    if not SOAK or not os.path.exists(disk):
        raise harness.Skipped("it takes minutes: --soak, and tools/fetch-guest --disk")
    commands = (("login: ", b"root\n"), ("Password: ", b"hvrec\n"), ("# ", b"systemctl is-system-running\n"),
                ("# ", b"python3 -c 'print(6 * 7)' >a; sync; cat a; poweroff\n"))
    with open(disk, "rb") as file:
        before = hashlib.file_digest(file, "sha256").digest()
    console = record("--firmware", u_boot(), "--disk", disk, "--memory", "1G", *typed(commands), seconds=3600).out
    for text in (b"GNU GRUB", b"hvrec login: ", b"\r42\r\n", b"Power down"):
        check(text in console, f"no {text!r}; the console ends {console[-300:]!r}")
    with open(disk, "rb") as file:
        check(hashlib.file_digest(file, "sha256").digest() == before, "the image was changed")
    replay(console=console, seconds=3600)
    result = harness.hvrec("verify", "trace", seconds=3600)
    check(result.status == 0, f"verify: {result}")


@test
def uboot_resets():
    u_boot()
    result = record("--firmware", "u-boot", *typed((("autoboot:", b"\n"), ("=> ", b"reset\n"))), "--timeout", "100")
    check(b"resetting ..." in result.out, f"the console ends {result.out[-80:]!r}")
    check(b'end           reset' in harness.hvrec("info", "trace").out, "the end is no reset")
    replay(console=result.out)


@test
def firmware_is_damaged_or_missing_in_a_trace():
    record("--firmware", u_boot(), "--until", "DRAM:", "--timeout", "100")
    database = sqlite3.connect("trace")
    database.execute("DELETE FROM file WHERE name = 'flash/0'")
    database.commit()
    database.close()
    harness.trace_edit("seal", "trace")
    result = harness.hvrec("replay", "trace")
    check(result.status == 1 and result.err.count(b"\n") == 1 and b"damaged" in result.err, f"replay: {result}")


@test
def firmware_is_started_alone():
    image = u_boot()
    for arguments, word in ((["--kernel", image], b"--kernel"), (["--append", "quiet"], b"--append"),
                            (["--initrd", image], b"--initrd"), ([image], image.encode())):
        result = harness.hvrec("record", "-o", "none", "--firmware", image, *arguments)
        check(result.status == 1 and b"both --firmware and " + word in result.err, f"{arguments}: {result}")
    result = harness.hvrec("record", "-o", "none", "--firmware", "nowhere")
    check(result.status == 1 and b"cannot open the firmware nowhere" in result.err, str(result))
    result = harness.hvrec("record", "-o", "none", "--firmware", harness.payload("echo"))
    check(result.status == 1 and b"ELF" in result.err, str(result))
    check(not os.path.exists("none"), "an error left a trace")


if __name__ == "__main__":
    harness.main()
