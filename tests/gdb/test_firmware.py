"""Backwards through firmware: U-Boot runs in flash and moves itself to RAM."""
import os

import rsp
import session
from session import Skipped, check, harness, test

RAM = 0x40000000
MOVED = 20000000  # U-Boot is in RAM long before this position


def recorded():
    """U-Boot's image, with a trace of it beside."""
    image = os.path.join(harness.GUEST, "u-boot", "u-boot.bin")
    if not os.path.exists(image):
        raise Skipped(f"no U-Boot in {harness.GUEST}: run tools/fetch-guest")
    harness.record("--firmware", image, "--until", "autoboot", "--timeout", "100", "--keyframe-every", "20ms")
    with open(image, "rb") as file:
        return file.read()


def first_in_ram(client):
    """The first position at which the guest is in RAM."""
    low, high = 0, MOVED
    while high - low > 1:
        middle = (low + high) // 2
        client.seek(middle)
        low, high = (middle, high) if client.pc < RAM else (low, middle)
    return high


@test
def it_steps_back_from_ram_into_flash():
    image = recorded()
    with session.Server() as server, server.client() as client:
        check(client.pc == 0 and client.n == 0, f"it begins at {client.pc:#x}")
        there = first_in_ram(client)
        client.seek(there - 5)
        places = [client.pc]
        for _ in range(10):
            client.step()
            places.append(client.pc)
        check(places[4] < len(image) and places[5] >= RAM, f"it goes {[hex(pc) for pc in places]}")
        back = [client.pc]
        for _ in range(10):
            client.reverse_step()
            back.append(client.pc)
        check(back[::-1] == places, f"and comes back {[hex(pc) for pc in back[::-1]]}")
        for pc in places[:5]:
            check(client.memory(pc, 4) == image[pc:pc + 4], f"the code at {pc:#x} is not the image's")
        check(client.memory(0, 4096) == image[:4096], "flash is not the image")


@test
def breakpoints_stop_in_flash_both_ways():
    image = recorded()
    with session.Server() as server, server.client() as client:
        client.seek(300000)
        pc, n = client.pc, client.n
        check(pc < len(image), f"it is at {pc:#x}, not in flash")
        client.insert(rsp.SOFTWARE, pc)
        client.seek(MOVED)
        client.go_back()
        last = client.n
        check(client.pc == pc and last >= n, f"backwards it stops at {client.pc:#x}, {last}")
        client.seek(0)
        client.go_on()
        check(client.pc == pc and client.n <= n, f"forwards it stops at {client.pc:#x}, {client.n}")
        client.remove(rsp.SOFTWARE, pc)


@test
def nothing_is_written_to_flash():
    recorded()
    with session.Server() as server, server.client() as client:
        check(client.request(f"M{0x1000:x},4:00000000").startswith("E"), "flash takes what gdb writes")


if __name__ == "__main__":
    harness.main()
