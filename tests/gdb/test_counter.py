"""A guest that polls CNTPCT_EL0 from a page that is data too: gdb sees the guest's own instructions wherever it stops, and
its stops change nothing."""
import time

import points
import rsp
import session
from session import SOAK, check, harness, rng, test

MRS_CNTPCT, MRS_CNTVCT = 0xd53be020, 0xd53be040
PLACES = 100 if SOAK else 12
DATA = 512 * 4  # in page, as the payload has it
WRITES = 100  # of page[DATA] in write_beside


def words(client, address, count=4096):
    data = client.memory(address, count)
    return [int.from_bytes(data[i:i + 4], "little") for i in range(0, count, 4)]


def snapshot(client, symbols, n):
    client.seek(n)
    page = words(client, symbols["page"])
    sites = words(client, symbols["sites"], 8192)
    check(client.n == n, f"seek {n} went to {client.n}")
    check(not any(word & ~31 == MRS_CNTVCT for word in sites), f"gdb sees an instruction of hv's own at {n}")
    return client.registers(), page, sites


def verify(client):
    text, good = client.monitor("verify")
    check(good and "the final state hash agrees" in text, f"verify: {text!r}")


@test
def waits_use_up_no_time_of_the_machine():
    """Before QEMU 8.2 a machine whose clock is ahead of the guest's counter is lost at a timer set to the end of time."""
    with session.served("timer_far") as server, server.client() as client:
        for _ in range(12):
            client.seek("end")
            time.sleep(0.05)
            client.seek("start")
        verify(client)


@test
def a_page_that_is_polled_from_is_the_guest_s_own():
    symbols = session.symbols("counter_polled")
    with session.served("counter_polled") as server, server.client() as client:
        _, end = client.position()
        places = sorted(rng.randrange(end // 20, end) for _ in range(PLACES))
        seen = {n: snapshot(client, symbols, n) for n in places}
        check(any(word & ~31 == MRS_CNTPCT for word in seen[places[-1]][2]), "the payload has no such instruction")
        for n in reversed(places):
            check(snapshot(client, symbols, n) == seen[n], f"another guest at {n} when it is gone to backwards")
            client.step()
            after = client.registers()
            client.reverse_step()
            check(client.registers() == seen[n][0], f"a step from {n} and back is not back")
            client.step()
            check(client.registers() == after, f"the step from {n} goes elsewhere the second time")
        verify(client)


@test
def a_word_beside_the_polling_is_watched_both_ways():
    symbols = session.symbols("counter_polled")
    with session.served("counter_polled") as server, server.client() as client:
        client.insert(rsp.SOFTWARE, symbols["write_beside"])
        check(client.go_on().kind == "swbreak", "write_beside is not reached")
        client.remove(rsp.SOFTWARE, symbols["write_beside"])
        watched = points.Points(client, (), [(rsp.WATCH, symbols["page"] + DATA, 4)])
        forwards = points.hits(watched, False, WRITES)
        check(len(forwards) == WRITES, f"{len(forwards)} of {WRITES} writes are seen")
        backwards = points.hits(watched, True, 6)
        check(backwards == forwards[:-7:-1], f"backwards {backwards}, forwards {forwards[-7:]}")
        watched.clear()
        verify(client)


@test
def what_gdb_writes_over_the_polling_is_executed():
    symbols = session.symbols("counter_polled")
    movz_ret = bytes.fromhex("e0ff9fd2c0035fd6")  # mov x0, #0xffff; ret
    with session.served("counter_polled") as server, server.client() as client:
        client.insert(rsp.SOFTWARE, symbols["lock"])
        check(client.go_on().kind == "swbreak", "lock is not reached")
        client.remove(rsp.SOFTWARE, symbols["lock"])
        client.insert(rsp.HARDWARE, symbols["page"] + 4)
        client.go_on()  # the second instruction: the first has been executed, and is the counter's
        check(client.register(0) != 0xffff, "x0 before")
        client.set_memory(symbols["page"], movz_ret)
        client.go_on()
        check(client.register(0) == 0xffff, f"x0 is {client.register(0):#x}: the old instruction was executed")
        check(client.memory(symbols["page"], 8) == movz_ret, "gdb does not see what it wrote")
        client.remove(rsp.HARDWARE, symbols["page"] + 4)
        client.seek("start")
        verify(client)


if __name__ == "__main__":
    harness.main()
