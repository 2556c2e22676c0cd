"""Guests that take exceptions for ever, under gdb: the end is at the vector, with the registers of the crash, and leads
back to its cause. See tests/guest/standstill.c.
"""
import session
from rsp import HARDWARE
from session import check, harness, test

# With the first exception retiring nothing, or counted; seen by hv, or taken at EL1.
DEATHS = {"no_vectors": 0x200, "bad_stack": None, "vectors_unmapped": 0x80000200, "bad_stack_unmapped": None,
          "vectors_in_flash": 0x04000200}
SEEN_LATE = ("undefined_instruction", "endless_branch")
EC_UNKNOWN = 0


def died(name):
    harness.record("--timeout", "100", harness.payload("standstill"), name, status=3)
    return session.Server("trace", "--at", "end")


def crash_is_shown(client, bug, vector, name):
    check(vector is None or client.pc == vector, f"{name}: the end is at {client.pc:#x}")
    check(client.named("ELR_EL1") == bug, f"{name}: ELR_EL1 is {client.named('ELR_EL1'):#x} at the end")
    check(client.named("ESR_EL1") >> 26 == EC_UNKNOWN, f"{name}: ESR_EL1 is {client.named('ESR_EL1'):#x} at the end")


def goes_back_and_comes_again(client, bug, name):
    vector, position = client.pc, client.position()
    check(client.reverse_step().kind == "signal" and client.pc == bug, f"{name}: a step back leads to {client.pc:#x}")
    check(client.step().kind == "signal" and client.pc == vector, f"{name}: a step on leads to {client.pc:#x}")
    check(client.step().kind == "end", f"{name}: there is something behind the end")
    client.insert(HARDWARE, bug)
    check(client.go_back().kind == "hwbreak" and client.pc == bug, f"{name}: back to {client.pc:#x}")
    check(client.go_on().kind == "end" and client.pc == vector, f"{name}: on to {client.pc:#x}")
    client.remove(HARDWARE, bug)
    client.monitor("seek start")
    client.insert(HARDWARE, vector)
    check(client.go_on().kind == "hwbreak" and client.pc == vector, f"{name}: the vector is not hit")
    check(client.position() == position and client.named("ELR_EL1") == bug, f"{name}: the vector is hit elsewhere")
    check(client.go_on().kind == "end" and client.pc == vector, f"{name}: behind the vector comes no end")
    client.remove(HARDWARE, vector)
    verified, good = client.monitor("verify")
    check(good, f"{name}: {verified}")


@test
def a_crash_is_shown_and_leads_back_to_its_cause():
    bug = session.symbols("standstill")["standstill_bug"]
    for name, vector in DEATHS.items():
        with died(name) as server, server.client() as client:
            crash_is_shown(client, bug, vector, name)
            goes_back_and_comes_again(client, bug, name)


@test
def a_fault_that_shares_its_position_with_the_vector_is_the_place_before():
    with died("tables_in_nothing") as server, server.client() as client:
        vector, (end, _) = client.pc, client.position()
        cause = client.named("ELR_EL1")
        check(cause != vector and vector & 0x7ff == 0x200, f"the end is at {vector:#x}, ELR_EL1 {cause:#x}")
        for _ in range(3):
            client.reverse_step()
            check((client.pc, client.position()[0]) == (cause, end), f"a step back leads to {client.pc:#x}")
            client.step()
            check((client.pc, client.position()[0]) == (vector, end), f"a step on leads to {client.pc:#x}")
        check(client.reverse_step() and client.reverse_step() and client.position()[0] == end - 1, "two steps back")
        check(client.go_on().kind == "end" and client.pc == vector, f"on to {client.pc:#x}")
        client.monitor("seek 50%")
        client.monitor("seek end")
        check(client.pc == vector and client.named("ELR_EL1") == cause, f"seek end leads to {client.pc:#x}")


@test
def a_loop_that_was_seen_late_is_gone_back_through():
    bug = session.symbols("standstill")["standstill_bug"]
    for name in SEEN_LATE:
        with died(name) as server, server.client() as client:
            vector = client.pc
            check(vector & 0x7ff == 0x200, f"{name}: the end is at {vector:#x}")
            client.reverse_step()
            check(client.pc == vector, f"{name}: a step back leads to {client.pc:#x}")
            client.insert(HARDWARE, bug)
            check(client.go_back().kind == "hwbreak" and client.pc == bug, f"{name}: back to {client.pc:#x}")
            client.step()
            check(client.pc == vector and client.named("ELR_EL1") == bug, f"{name}: a step on leads to {client.pc:#x}")
            check(client.go_on().kind == "end" and client.pc == vector, f"{name}: on to {client.pc:#x}")


if __name__ == "__main__":
    harness.main()
