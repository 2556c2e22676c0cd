"""Debian's U-Boot, unchanged: it comes to its prompt, takes scripted commands, and replays."""
import os

import harness
from harness import check, record, replay, test

COMMANDS = (  # after which text of the console
    ("autoboot:", b"\n"),  # any key
    ("=> ", b"version\n"),
    ("=> ", b"md.l 4000000 1; mw.b 4000000 12; md.b 4000000 1\n"),
    ("=> ", b"fdt addr 40000000; fdt print /chosen stdout-path\n"),
    ("=> ", b"sleep 0.02; setexpr x 6 * 7; printenv x\n"),
)


@test
def uboot_takes_commands_and_replays():
    image = os.path.join(harness.GUEST, "u-boot", "u-boot.bin")
    if not os.path.exists(image):
        raise harness.Skipped(f"no U-Boot in {harness.GUEST}: run tools/fetch-guest")
    with open("input", "wb") as file:
        file.write(b"".join(command for _, command in COMMANDS))
    prompts = [word for prompt, _ in COMMANDS for word in ("--input-after", prompt)]
    console = record("--input", "input", *prompts, "--until", "x=2a", "--timeout", "100", image).out
    for text in (b"DRAM:  512 MiB", b"bad CRC, using default environment", b"\nU-Boot 20", b"04000000: 00000000 ",
                 b"04000000: 00 ", b'stdout-path = "/pl011@9000000"', b"x=2a"):
        check(text in console, f"no {text!r}; the console ends {console[-300:]!r}")
    check(console.endswith(b"x=2a"), f"the console ends {console[-80:]!r}")
    replay(console=console)
    result = harness.hvrec("verify", "trace")
    check(result.status == 0, f"verify: {result}")


if __name__ == "__main__":
    harness.main()
