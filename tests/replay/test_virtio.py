"""Disks and entropy under bare-metal drivers, an orderly one and one that does anything: recorded, replayed, verified
from keyframes, and what becomes of the disk's image."""
import os

import harness
from harness import SOAK, check, hvrec, payload, record, replay, rng, test

SECTOR, SECTORS = 512, 4400
DIGEST_BYTES = 8 * SECTOR
CASES, RECORDINGS = (500, 20) if SOAK else (150, 2)


def image(sectors=SECTORS):
    """A disk of random bytes, as `disk`. Answers them."""
    contents = rng.randbytes(sectors * SECTOR)
    with open("disk", "wb") as file:
        file.write(contents)
    return contents


def image_is(contents):
    with open("disk", "rb") as file:
        return file.read() == contents


def fnv(data):
    found = 0xcbf29ce484222325
    for byte in data:
        found = (found ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return found


def verify(trace="trace"):
    result = hvrec("verify", "-j", "2", trace)
    check(result.status == 0, f"verify: {result}", trace)


def driven(name, *arguments, disk="disk,serial=number-1"):
    """Records the payload. Answers its console."""
    console = record("--disk", disk, "--keyframe-every", "2ms", payload(name), *arguments).out
    check(console.endswith(f"PASS {name}\n".encode()), f"{name} says {console[-200:]!r}")
    replay(console=console)
    verify()
    return console


@test
def an_orderly_driver_finds_what_it_wrote():
    contents = image()
    console = driven("virtio_disk")
    check(console.startswith(b"serial number-1\n"), f"{console!r}")
    check(f"digest {fnv(contents[:DIGEST_BYTES]):#018x}\n".encode() in console, f"{console!r} of other bytes")
    check(image_is(contents), "the image has changed")


@test
def a_disk_may_end_within_a_block():
    for more in (1, 7):
        contents = image(4264 + more)
        driven("virtio_disk")
        check(image_is(contents), "the image has changed")


@test
def what_the_guest_wrote_is_in_an_image_that_is_to_be_written():
    """The payload writes back in the end what was there, behind its last flush."""
    contents = image()
    driven("virtio_disk", disk="disk,write")
    check(image_is(contents), "the image does not have what was written last")


@test
def a_part_has_the_disk_that_it_begins_with():
    """Trimmed, or all that a flight recorder kept: what the guest reads later was written, or first read, before."""
    image()
    for options in ((), ("--keep", "1ms")):
        record("--disk", "disk", "--keyframe-every", "2ms", "--console", "none", *options, payload("virtio_disk"))
        verify()
        end = harness.events("trace")[-1].n
        for place in (end // 4, end // 2, end):
            result = hvrec("trim", "trace", "-o", "part", "--from", str(place))
            check(result.status == 0, f"trim from {place}: {result}", "trace")
            replay("part")
            verify("part")
            os.remove("part")


@test
def a_console_does_not_overwrite_a_disk():
    contents = image()
    for name in ("disk", os.path.abspath("disk")):
        result = hvrec("record", "--disk", "disk", "--console", name, payload("virtio_disk"))
        check(result.status == 1 and b"would overwrite" in result.err, f"{result}")
        check(image_is(contents), "it was overwritten")


@test
def a_hostile_driver_is_replayed():
    for _ in range(RECORDINGS):
        contents = image()
        seed = rng.randrange(1 << 40)
        console = driven("virtio_hostile", str(seed), str(CASES))
        check(b"digest 0x" in console, f"{console!r}")
        check(b"broken 0x0000000000000000\n" not in console, f"seed {seed}: no device was ever broken: {console!r}")
        check(image_is(contents), f"seed {seed}: the image has changed")


@test
def a_trace_does_not_need_the_image():
    image()
    console = driven("virtio_disk")
    os.remove("disk")
    replay(console=console)


if __name__ == "__main__":
    harness.main()
