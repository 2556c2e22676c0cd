"""Breakpoints and watchpoints of a client, and what they hit in one direction or the other.

A hit is (position of the instruction that is or accesses it, kind, address). Forwards both stop before that
instruction; backwards a watchpoint stops right behind it. From either side gdb takes the watchpoints out, makes one
step, and puts them back: so does `hits`.
"""
import rsp
from session import check


class Points:
    """What is inserted. `conditions`: {address: agent expression} of some of the breakpoints."""

    def __init__(self, client, breakpoints, watchpoints=(), conditions=()):
        self.client = client
        self.breakpoints, self.watchpoints = list(breakpoints), list(watchpoints)
        for address in self.breakpoints:
            code = dict(conditions).get(address)
            client.insert(rsp.SOFTWARE, address, condition=code)
        self.watch()

    def watch(self):
        for kind, address, count in self.watchpoints:
            self.client.insert(kind, address, count)

    def unwatch(self):
        for kind, address, count in self.watchpoints:
            self.client.remove(kind, address, count)

    def clear(self):
        self.unwatch()
        for address in self.breakpoints:
            self.client.remove(rsp.SOFTWARE, address)

    def watched(self, address):
        return next(at for _, at, count in self.watchpoints if at <= address < at + count)


def hits(points, back, count):
    """The next hits in one direction; fewer at its end."""
    client, found = points.client, []
    last = None
    while len(found) < count:
        stop = client.go_back() if back else client.go_on()
        if stop.kind in ("begin", "end"):
            break
        n = client.n
        check(n != last or stop.kind != found[-1][1], f"stopped twice at {n}: {stop}")
        last = n
        if stop.kind == "swbreak":
            found.append((n, "break", client.pc))
            continue
        check(stop.kind in ("watch", "rwatch", "awatch"), f"{stop} at {n}")
        found.append((n - 1 if back else n, stop.kind, points.watched(stop.address)))
        points.unwatch()
        stop = client.reverse_step() if back else client.step()
        points.watch()
        if stop.kind == "swbreak":
            found.append((client.n, "break", client.pc))
    return found
