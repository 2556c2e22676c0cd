"""A search that is interrupted says how far it got, and does not search that part again; a long one says where it is."""
import re

import rsp
import session
from session import check, harness, rng, test

NOWHERE = [0xdead0000, *range(0x1000, 0x1020, 4)]  # more than the CPU has: they are looked for in two runs
INTERRUPTS_MAX, LONGER = 60, 1.15


@test
def a_search_back_that_is_interrupted_again_and_again_comes_to_the_beginning():
    """Each goes on where the last one got to, and none begins anew."""
    with session.Server(session.debian_trace(), "--at", "end") as server, server.client() as client:
        end = client.n
        for count in (1, len(NOWHERE)):
            client.seek("end")
            for address in NOWHERE[:count]:
                client.insert(rsp.HARDWARE, address)
            told, last = 0, end
            for i in range(INTERRUPTS_MAX):
                stop = client.resume("bc", (0.1 + rng.random() * 0.1) * LONGER ** i)
                if stop.kind == "begin":
                    break
                check(stop.signal == 2 and client.n == end, f"{stop} at {client.n}")
                found = re.search(r"nothing from instruction (\d+) to here, (\d+)", client.console)
                if found:
                    told += 1
                    check(int(found[2]) == end and int(found[1]) <= last, f"after {last}: {client.console}")
                    last = int(found[1])
            check(stop.kind == "begin", f"it is at {last} of {end} after {INTERRUPTS_MAX} interrupts")
            check(client.n == 0, f"the beginning is at {client.n}")
            session.say(f"{count} points: {told} interrupts (SEED={harness.seed})")
            for address in NOWHERE[:count]:
                client.remove(rsp.HARDWARE, address)


if __name__ == "__main__":
    harness.main()
