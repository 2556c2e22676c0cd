"""The guest's own use of breakpoints, watchpoints, software step and BRK, while gdb has points of its own."""
import rsp
import session
from points import Points, hits
from session import check, harness, test

DEBUG_EXCEPTION = 8  # the number of EVENT_DEBUG_EXCEPTION
USER = 0x40600000  # MMU_USER of tests/guest/lib/mmu.h
NOWHERE = 0x12350000
# Offsets of the instructions at EL0 in debug_full.c, in the order in which they are come to, and come to again after
# an exception of the guest's own.
VISITS = (0, 4, 4, 8, 8, 8, 12, 12, 16)


def own_exceptions():
    return [(event.n, event.pc, event.address, event.value) for event in harness.events("trace")
            if event.kind == DEBUG_EXCEPTION]


def all_hits(points):
    """Forwards from the start and backwards from the end, which must be the same."""
    client = points.client
    client.seek("start")
    forward = hits(points, False, 1000)
    check(client.n == client.position()[1], f"the replay ends at {client.n}")
    client.seek("end")
    backward = hits(points, True, 1000)
    check(forward == backward[::-1], f"forwards {forward}, backwards {backward[::-1]}")
    return forward


@test
def breakpoints_share_the_cpu_with_the_guests():
    """The guest uses all six, and all four watchpoints."""
    with session.served("debug_full") as server, server.client() as client:
        own = own_exceptions()
        check(len(own) == 6, f"the guest took {len(own)} debug exceptions")
        places = [USER + 4 * i for i in range(5)] + [own[4][1], own[5][1]]
        for others in (0, 6):
            points = Points(client, [NOWHERE + 4 * i for i in range(others)] + places)
            found = [pc for _, _, pc in all_hits(points)]
            expected = [USER + offset for offset in VISITS] + [own[4][1], own[5][1]]
            check(found == expected, f"hits at {[hex(pc) for pc in found]}")
            points.clear()
        for place in places:  # alone
            points = Points(client, [place])
            found = [pc for _, _, pc in all_hits(points)]
            expected = [USER + offset for offset in VISITS if USER + offset == place] or [place]
            check(found == expected, f"alone, hits at {[hex(pc) for pc in found]}")
            points.clear()


@test
def watchpoints_share_the_cpu_with_the_guests():
    with session.served("debug_full") as server, server.client() as client:
        own = own_exceptions()
        stack = own[2][3]  # FAR
        for kind, name, place in ((rsp.WATCH, "watch", USER + 8), (rsp.RWATCH, "rwatch", USER + 12)):
            points = Points(client, [NOWHERE], [(kind, stack, 8)] + [(kind, NOWHERE + 8 * i, 8) for i in range(5)])
            seen = []
            for n, _, _ in all_hits(points):
                client.seek(n)
                seen.append(client.pc)
            check(seen.count(place) == 1 or seen.count(place) == 2, f"{name}: hits at {[hex(pc) for pc in seen]}")
            points.clear()


@test
def the_guest_steps_itself_while_gdb_has_points():
    """brk: software step, BRK at both levels, a breakpoint and a watchpoint."""
    with session.served("brk") as server, server.client() as client:
        own = own_exceptions()
        classes = [address >> 26 & 0x3f for _, _, address, _ in own]
        check(classes == [0x3c, 0x3c, 0x32, 0x32, 0x30, 0x34], f"{[hex(number) for number in classes]}")
        code = [USER + 4 * i for i in range(6)]
        points = Points(client, code + [NOWHERE + 4 * i for i in range(6)])
        found = [pc - USER for _, _, pc in all_hits(points)]
        check(found == [0, 4, 8, 12, 16, 16, 16, 20], f"hits at {found}")


@test
def exceptions_of_the_guest_are_as_without_gdb():
    """What the guest sees of each: ESR, FAR, ELR, with every point of gdb on its way."""
    names = session.symbols("debug_full")
    with session.served("debug_full") as server, server.client() as client:
        points = Points(client, [USER + 4 * i for i in range(5)], [(rsp.AWATCH, own[3], 8) for own in own_exceptions()[2:4]])
        for n, pc, esr, far in own_exceptions():
            client.seek(n + 1)
            vector = 0x400 if pc < USER + 0x1000 and pc >= USER else 0x200
            check(client.pc == names["vectors"] + vector + 4, f"the exception at {n} leads to {client.pc:#x}")
            level = 0 if vector == 0x400 else 1
            check(client.named("ESR_EL1") == esr + (level << 26), f"ESR_EL1 {client.named('ESR_EL1'):#x}")
            check(client.named("ELR_EL1") == pc, f"ELR_EL1 {client.named('ELR_EL1'):#x} instead of {pc:#x}")
            check(far in (0, client.named("FAR_EL1")), f"FAR_EL1 {client.named('FAR_EL1'):#x}")
        points.clear()


@test
def what_the_guests_masked_watchpoint_is_hit_by_may_miss_gdbs():
    """An unaligned load makes QEMU look at whole words."""
    with session.served("debug_masked") as server, server.client() as client:
        area = session.symbols("debug_masked")["area"]
        client.insert(rsp.AWATCH, area + 6, 1)
        stop = client.go_on()
        check(stop.address == area + 6, f"{stop} at {client.n}")
        check(client.memory(area, 8) == bytes(range(8)), "the store is not done yet")
        client.remove(rsp.AWATCH, area + 6, 1)


@test
def gdbs_watchpoint_in_the_guests_doubleword_is_not_the_guests():
    """The guest watches the other word of it, and is not told of a load that reaches neither."""
    with session.served("debug_masked") as server, server.client() as client:
        area = session.symbols("debug_masked")["area"]
        client.insert(rsp.AWATCH, area + 14, 1)
        stop = client.go_on()
        check(stop.address == area + 14, f"{stop} at {client.n}")
        client.remove(rsp.AWATCH, area + 14, 1)
        check(not own_exceptions(), "the guest takes none")


if __name__ == "__main__":
    harness.main()
