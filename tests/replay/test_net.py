"""The guest's network: Debian's cloud kernel with its own virtio_net, connections both ways, recorded and replayed.

What the guest runs is net_guest.c, in an initramfs that is put together here. Everything is on loopback.
"""
import contextlib
import gzip
import json
import os
import socket
import socketserver
import struct
import threading
import time

import harness
from harness import SOAK, check, finish, hvrec, replay, start, test

CONNECTIONS = 1000 if SOAK else 100
BULK = (64 if SOAK else 4) << 20
MASK = (1 << 64) - 1
ODD = 0x9E3779B97F4A7C15
BLOCK = b"".join(struct.pack("<Q", (i + 1) * ODD & MASK) for i in range(8192))
SERVICES = {"tcp": (1, 7, 9, 19), "udp": (7,)}
SECONDS = 60

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
ip link set lo up
ip link set eth0 up
udhcpc -q -n -f -i eth0 -s /dhcp >/dev/null || echo no DHCP
cat /etc/resolv.conf
net_guest serve || echo the services failed
for word in $(cat /proc/cmdline); do
	case $word in connect=*) net_guest connect $(echo ${word#connect=} | tr , ' ') || echo cannot connect ;; esac
done
cat /sys/class/net/eth0/statistics/rx_dropped /sys/class/net/eth0/statistics/tx_dropped
echo done
poweroff -f
"""
DHCP = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/24 dev eth0
ip route add default via $router
echo address $ip router $router dns $dns >/etc/resolv.conf
"""
APPLETS = ("cat", "insmod", "ip", "mount", "poweroff", "sh", "tr", "udhcpc")


# ---- the guest ----

def cpio(entries):
    """An archive "newc" of (name, mode, contents)."""
    out = bytearray()
    for number, (name, mode, contents) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        fields = (number, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + contents
        out += bytes(-len(out) % 4)
    return bytes(out)


def contents_of(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def build_initrd():
    modules = os.path.join(harness.GUEST, "cloud", "modules")
    if not os.path.exists(os.path.join(modules, "order")):
        raise harness.Skipped(f"no kernel modules in {modules}: run tools/fetch-guest")
    entries = [(name, 0o40755, b"") for name in ("bin", "dev", "etc", "modules", "proc", "sys")]
    entries += [(f"modules/{name}", 0o100644, contents_of(modules, name)) for name in os.listdir(modules)]
    entries += [("init", 0o100755, INIT.encode()), ("dhcp", 0o100755, DHCP.encode()),
                ("bin/busybox", 0o100755, contents_of(harness.GUEST, "busybox", "busybox")),
                ("bin/net_guest", 0o100755, contents_of(harness.BUILD, "tests", "net_guest"))]
    entries += [(f"bin/{name}", 0o120777, b"busybox") for name in APPLETS]
    with open("initrd", "wb") as file:
        file.write(gzip.compress(cpio(entries), 1))


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Guest:
    """A recording with the services' ports forwarded: self.tcp[7] is the host's port for the guest's 7."""

    def __init__(self, *options, append="", stderr=None):
        build_initrd()
        self.tcp = {port: free_port() for port in SERVICES["tcp"]}
        self.udp = {port: free_port(socket.SOCK_DGRAM) for port in SERVICES["udp"]}
        words = [f"hostfwd=tcp:127.0.0.1:{host}-:{guest}" for guest, host in self.tcp.items()]
        words += [f"hostfwd=udp::{host}-10.0.2.15:{guest}" for guest, host in self.udp.items()]
        self.console = open("console", "wb+")
        self.process = start("record", "-o", "trace", "--quiet", "--kernel", harness.debian_kernel("cloud"), "--initrd",
                             "initrd", "--append", f"console=ttyAMA0 quiet {append}", "--net",
                             ",".join(["user", *words]), *options, stdout=self.console)

    def shown(self):
        return contents_of("console")

    def wait(self, text):
        end = time.monotonic() + SECONDS
        while text not in self.shown():
            if self.process.poll() is not None:
                raise harness.Failed(f"the recording ended: {finish(self.process)}")
            check(time.monotonic() < end, f"{text} did not come, but {self.shown()[-200:]}")
            time.sleep(0.02)

    def connect(self, port):
        connection = socket.create_connection(("127.0.0.1", self.tcp[port]), SECONDS)
        connection.settimeout(SECONDS)
        return connection

    def end(self):
        """Has the guest power off; expects that the trace replays, and returns the console."""
        self.connect(1).close()
        result = finish(self.process)
        self.console.close()
        check(result.status == 0, f"record: {result}")
        console = self.shown()
        check(console.count(b"0\r\n0\r\ndone\r\n") == 1, f"the guest is not well: {console[-300:]}")
        replay(console=console)
        verified = hvrec("verify", "trace")
        check(verified.status == 0, f"verify: {verified}")
        return console


def received(connection, count=None):
    """So many bytes, or all until the end."""
    got = bytearray()
    while count is None or len(got) < count:
        part = connection.recv(1 << 16)
        if not part:
            break
        got += part
    return bytes(got)


def check_of(data):
    """What the guest's port 9 computes."""
    value = 0
    for word, in struct.iter_unpack("<Q", data + bytes(-len(data) % 8)):
        value = (value * ODD + word) & MASK
    return value


# ---- the tests ----

def echo_once(guest, data):
    with guest.connect(7) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        check(received(connection) == data, "an echo is not what was sent")


def bulk_in(guest, data):
    with guest.connect(9) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        check(received(connection) == struct.pack("<Q", check_of(data)), "the guest got other bytes")


def bulk_out(guest, count):
    with guest.connect(19) as connection:
        connection.sendall(struct.pack("<Q", count))
        data = received(connection)
        check(data == (BLOCK * (count // len(BLOCK) + 1))[:count], f"{len(data)} bytes came that are others")


def datagrams(guest):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.settimeout(SECONDS)
        for size in (1, 2, 41, 1471, 1472, 1473, 9000):  # in fragments, too
            data = harness.rng.randbytes(size)
            port.sendto(data, ("127.0.0.1", guest.udp[7]))
            check(port.recv(1 << 16) == data, f"a datagram of {size} bytes is not what was sent")


class EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


class EchoHandler(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.server.total += len(data)
            self.request.sendall(data)


@contextlib.contextmanager
def echo_server():
    with EchoServer(("127.0.0.1", 0), EchoHandler) as server:
        server.total = 0
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def traffic(*options):
    with echo_server() as server:
        guest = Guest(*options, append=f"connect={server.server_address[1]},{CONNECTIONS}")
        guest.wait(b"serving")
        for number in range(CONNECTIONS):
            echo_once(guest, b"connection %d" % number)
        bulk_in(guest, harness.rng.randbytes(BULK + 3))
        bulk_out(guest, BULK + 5)
        datagrams(guest)
        console = guest.end()
        check(b"address 10.0.2.15 router 10.0.2.2 dns 10.0.2.3" in console, f"DHCP gave something else: {console}")
        check(server.total == 21 * CONNECTIONS, f"the guest's connections sent {server.total} bytes")


@test
def connections_both_ways_with_one_vcpu():
    traffic()
    info = json.loads(hvrec("info", "trace", "--json").out)
    check(info["pace"] == "real" and info["events"]["PACKET_IN"] > CONNECTIONS, f"info: {info}")


@test
def connections_both_ways_with_four_vcpus():
    traffic("--smp", "4")


@test
def idle_time_is_skipped_if_asked_for():
    guest = Guest("--pace", "skip")
    guest.wait(b"serving")
    echo_once(guest, b"x" * 5000)
    guest.end()
    check(json.loads(hvrec("info", "trace", "--json").out)["pace"] == "skip", "info says another pace")


@test
def a_port_that_is_taken_is_an_error_and_costs_no_trace():
    with open("trace", "wb") as file:
        file.write(b"precious")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = harness.error_line(hvrec("record", "-o", "trace", "--net", f"user,hostfwd=tcp::{port}-:22",
                                        harness.payload("console")), "record")
        check(str(port) in line and "in use" in line, f"unclear message: {line}")
    check(contents_of("trace") == b"precious", "the file was overwritten")


@test
def a_network_that_cannot_be_is_an_error():
    for words in ("", "tap", "none,restrict", "user,hostfwd", "user,hostfwd=", "user,hostfwd=tcp:127.0.0.1:1", "user,,",
                  "user,hostfwd=sctp::1-:2", "user,hostfwd=tcp::0-:2", "user,hostfwd=tcp::1-:65536",
                  "user,hostfwd=tcp:localhost:1-:2", "user,hostfwd=tcp::1-10.0.2.256:2", "user,guestfwd=x",
                  "user," + ",".join(f"hostfwd=tcp::{port}-:22" for port in range(20000, 20065))):
        line = harness.error_line(hvrec("record", "--net", words, harness.payload("console")), "record")
        check("--net" in line, f"unclear message: {line}")
        harness.only_files()


if __name__ == "__main__":
    harness.main()
