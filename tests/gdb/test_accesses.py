"""Watchpoints against every form of access to memory, of the payload access_forms: which instructions are hit is known
beforehand, whatever part of an access is watched. What is seen at a hit is what a seek shows there.
"""
import rsp
import session
from points import Points, hits
from session import SOAK, check, harness, rng, test

RANGES = 400 if SOAK else 40
PAGE = 4096
# Of every second instruction from `forms` on: "r", "w", both or none, and the bytes of `area` from and to which it accesses.
FORMS = (("w", 8, 16), ("w", 3, 4), ("w", 6, 8), ("w", 4, 8), ("w", 16, 32), ("w", 12, 20), ("w", 5, 13), ("w", 61, 69),
         ("w", 32, 48), ("w", 32, 64), ("w", 25, 41), ("w", 0, 64), ("w", 0, 32), ("w", 0, 64), ("w", 56, 64),
         ("w", 56, 72), ("r", 16, 32), ("r", 32, 64), ("r", 48, 64), ("r", 13, 21), ("r", 0, 32), ("r", 8, 16),
         ("r", 7, 8), ("rw", 0, 8), ("rw", 12, 16), ("r", 0, 8), ("rw", 0, 8), ("r", 0, 16), ("rw", 0, 16), ("w", 0, 8),
         ("r", 0, 8), ("", 0, 64), ("w", PAGE - 3, PAGE + 5), ("w", PAGE - 8, PAGE + 8), ("r", PAGE - 3, PAGE + 5),
         ("r", PAGE - 8, PAGE + 8))
KINDS = {rsp.WATCH: "w", rsp.RWATCH: "r", rsp.AWATCH: "rw"}
V0, V_COUNT = 34, 32


def state(client, area):
    return client.registers(), client.memory(area, 2 * PAGE), [client.register(V0 + i) for i in range(V_COUNT)]


def begin(client):
    """The positions of the forms, and where `area` is."""
    names = session.symbols("access_forms")
    check(names["forms_end"] - names["forms"] == 8 * len(FORMS), "the payload has other forms")
    client.insert(rsp.SOFTWARE, names["forms"])
    client.go_on()
    client.remove(rsp.SOFTWARE, names["forms"])
    return range(client.n + 1, client.n + 2 * len(FORMS), 2), names["area"]


def ranges():
    """Of one byte to some hundred, at the start of the pages and between them."""
    for _ in range(RANGES):
        middle, reach = rng.choice(((32, 48), (PAGE, 12)))
        count = rng.choice((1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 33, 64, 200))
        start = max(0, middle + rng.randrange(-reach, reach) - (count if count > 64 else 0))
        yield rng.choice(list(KINDS)), start, count


@test
def each_form_of_access_is_seen():
    with session.served("access_forms") as server, server.client() as client:
        places, area = begin(client)
        for kind, start, count in ranges():
            expected = [n for n, (access, low, high) in zip(places, FORMS)
                        if set(access) & set(KINDS[kind]) and low < start + count and start < high]
            points = Points(client, [], [(kind, area + start, count)])
            client.seek(places[0])
            forward = [n for n, _, _ in hits(points, False, len(expected) + 1) if n in places]
            client.seek(places[-1] + 1)
            backward = [n for n, _, _ in hits(points, True, len(expected) + 1) if n in places]
            points.clear()
            if kind == rsp.WATCH and expected and count <= 128:
                client.seek(places[-1] + 1)
                text, good = client.monitor(f"who-wrote {area + start} {count}")
                check(good and f"instruction {expected[-1]}," in text, f"{start}..{start + count}: {text}")
            for way, found in (("on", forward), ("back", backward[::-1])):
                check(found == expected, f"{KINDS[kind]} {start}..{start + count} {way}: the forms "
                      f"{[places.index(n) for n in found]}, expected {[places.index(n) for n in expected]}")


@test
def at_a_watched_access_nothing_of_it_is_done():
    """QEMU does an access of several words word by word: the watched one may be the last."""
    with session.served("access_forms") as server, server.client() as client:
        places, area = begin(client)
        for n, (access, low, high) in zip(places, FORMS):
            client.seek(n)
            before = state(client, area)
            for kind in [kind for kind, letters in KINDS.items() if set(access) & set(letters)]:
                for at in {low, high - 1}:
                    client.seek(n - 1)
                    client.insert(kind, area + at, 1)
                    stop = client.go_on()
                    client.remove(kind, area + at, 1)
                    form = f"form {places.index(n)} ({access} {low}..{high}) watched at {at}"
                    check((client.n, stop.address) == (n, area + at), f"{form}: {stop} at {client.n}, not {n}")
                    same = [a == b for a, b in zip(before, state(client, area))]
                    check(all(same), f"{form}: registers, memory and SIMD registers are as before: {same}")


@test
def a_store_that_changes_no_watched_value_is_told_for_the_awatch():
    """gdb looks at a watch's value, and would go on. Form 9 stores the value of form 8 again, and behind it another."""
    with session.served("access_forms") as server, server.client() as client:
        places, area = begin(client)
        n = places[9]
        for kind, offset, told in ((rsp.AWATCH, 40, 40), (rsp.RWATCH, 40, 32), (rsp.AWATCH, 56, 56), (rsp.WATCH, 56, 56)):
            points = [(rsp.WATCH, area + 32, 8), (kind, area + offset, 8)]
            for inserted in (points, points[::-1]):
                for back in (False, True):
                    client.seek(n + 1 if back else n - 1)
                    for point in inserted:
                        client.insert(*point)
                    stop = client.go_back() if back else client.go_on()
                    for point in inserted:
                        client.remove(*point)
                    check((client.n, stop.address) == (n + back, area + told),
                          f"{inserted}, {'back' if back else 'on'}: {stop} at {client.n}")


if __name__ == "__main__":
    harness.main()
