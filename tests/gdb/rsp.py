"""A small client of gdb's remote protocol over a Unix socket, for what gdb itself is too slow or too clever to show.

1. Acknowledgements are turned off at the start, where the server can (QEMU 7.2 cannot). Registers go by their number
   in gdbstub/gdb_registers.def.
2. A request has one reply. A resume's reply is the stop; `send` and `wait_stop` part the two, so that it can be
   interrupted meanwhile.
Source: GDB manual, "Remote Protocol".
"""
import re
import select
import socket
import time

SECONDS_MAX = 600
CROSSED_SECONDS = 10  # in which an interrupt that was kept is answered
SIGINT = 2
X0, SP, PC, CPSR = 0, 31, 32, 33
SP_EL0 = 68
SOFTWARE, HARDWARE, WATCH, RWATCH, AWATCH = range(5)


class ProtocolError(OSError):
    """An OSError, so that the harness takes it for a failure of the test."""


class Gone(ProtocolError):
    """The other side closed the connection."""


class Stop:
    """A stop reply. `kind` is swbreak, hwbreak, watch, rwatch, awatch, begin, end, or signal."""

    def __init__(self, text):
        if text[:1] not in ("T", "S"):
            raise ProtocolError(f"not a stop: {text[:80]}")
        self.signal, self.kind, self.address, self.thread = int(text[1:3], 16), "signal", None, None
        for name, _, value in (pair.partition(":") for pair in text[3:].split(";") if pair):
            if name in ("swbreak", "hwbreak"):
                self.kind = name
            elif name in ("watch", "rwatch", "awatch"):
                self.kind, self.address = name, int(value, 16)
            elif name == "replaylog":
                self.kind = value
            elif name == "thread":
                self.thread = int(value, 16)

    def __eq__(self, other):
        return (self.signal, self.kind, self.address) == (other.signal, other.kind, other.address)

    def __repr__(self):
        return f"signal {self.signal} {self.kind} {self.address or 0:#x}"


class Client:
    def __init__(self, path, seconds=SECONDS_MAX, no_ack=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.buffer = b""
        self.crossed = False  # whether an interrupt was sent that no stop has answered: the next resume does
        self.no_ack = False
        self.socket.connect(path)
        self.features = self.request("qSupported:swbreak+;hwbreak+")
        if no_ack:
            self.expect_ok("QStartNoAckMode")
            self.no_ack = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, text):
        data = text.encode("latin-1")
        try:
            self.socket.sendall(b"$%s#%02x" % (data, sum(data) & 0xff))
        except ConnectionError as error:
            raise Gone(str(error)) from None

    def _fill(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError as error:
            raise Gone(str(error)) from None
        except TimeoutError:
            raise ProtocolError(f"no answer within {self.socket.gettimeout()} s") from None
        if not data:
            raise Gone("the connection was closed")
        self.buffer += data

    def has_input(self, seconds):
        """Waits so long at most for something to receive."""
        return bool(self.buffer) or bool(select.select([self.socket], [], [], seconds)[0])

    def receive(self):
        """The next packet's text, run-length encoding expanded. Binary data stays escaped."""
        while True:
            match = re.search(rb"\$([^#]*)#..", self.buffer, re.DOTALL)
            if match:
                break
            self._fill()
        self.buffer = self.buffer[match.end():]
        if not self.no_ack:
            self.socket.sendall(b"+")
        text = match.group(1).decode("latin-1")
        return re.sub(r"(.)\*(.)", lambda run: run.group(1) * (ord(run.group(2)) - 28), text, flags=re.DOTALL)

    def request(self, text):
        self.send(text)
        return self.receive()

    def expect_ok(self, text):
        reply = self.request(text)
        if reply != "OK":
            raise ProtocolError(f"{text[:40]}: {reply or 'not supported'}")

    def wait_stop(self, seconds=None):
        """What is printed before the stop goes to `console`. None: there is no stop within so many seconds."""
        self.console = ""
        ends = time.monotonic() + seconds if seconds is not None else None
        while ends is None or self.has_input(max(0, ends - time.monotonic())):
            reply = self.receive()
            if reply[:1] != "O":
                stop = Stop(reply)
                self.crossed = self.crossed and stop.signal != SIGINT
                return stop
            self.console += bytes.fromhex(reply[1:]).decode(errors="replace")
        return None

    def resume(self, text, seconds=None):
        """The next stop; after so many seconds it is interrupted. An interrupt that crossed the last stop is passed over."""
        crossed = self.crossed
        self.send(text)
        stop = self.wait_stop(CROSSED_SECONDS) if crossed else None
        if stop and stop.signal == SIGINT:
            self.send(text)
        elif stop:
            return stop
        if seconds is not None:
            stop = self.wait_stop(seconds)
            if stop:
                return stop
            self.interrupt()
        return self.wait_stop()

    def step(self, thread=None):
        """Without a thread, one instruction of whoever's turn it is."""
        return self.resume("vCont;s" if thread is None else f"vCont;s:{thread:x};c")

    def reverse_step(self, thread=None):
        """Without a thread, of the one that is looked at."""
        if thread is not None:
            self.expect_ok(f"Hc{thread:x}")
        return self.resume("bs")

    def threads(self):
        """What each of them does, by its number."""
        xml = self.request("qXfer:threads:read::0,ffff")
        return {int(number, 16): text for number, text in re.findall(r'<thread id="(\w+)"[^>]*>([^<]*)<', xml)}

    def select(self, thread):
        """Whose registers and memory the following requests are about."""
        self.expect_ok(f"Hg{thread:x}")

    def registers_of_all(self):
        """The g packets of all threads. The one that was selected is another one then."""
        found = {}
        for thread in self.threads():
            self.select(thread)
            found[thread] = self.registers()
        return found

    def go_on(self):
        return self.resume("vCont;c")

    def go_back(self):
        return self.resume("bc")

    def interrupt(self):
        self.crossed = True
        self.socket.sendall(b"\x03")

    def registers(self):
        """All of the g packet, as text to be compared."""
        return self.request("g")

    def register(self, number):
        reply = self.request(f"p{number:x}")
        if not reply or reply[0] == "E":
            raise ProtocolError(f"register {number}: {reply}")
        return int.from_bytes(bytes.fromhex(reply), "little")

    def set_register(self, number, value, count=8):
        self.expect_ok(f"P{number:x}={value.to_bytes(count, 'little').hex()}")

    def set_memory(self, address, data):
        self.expect_ok(f"M{address:x},{len(data):x}:{data.hex()}")

    def named(self, name):
        """A register by the name that the target description gives it."""
        text = self.request("qXfer:features:read:target.xml:0,ffff")
        return self.register(re.findall(r'<reg name="(\w+)"', text).index(name))

    @property
    def pc(self):
        return self.register(PC)

    def memory(self, address, count):
        """None: an error reply."""
        reply = self.request(f"m{address:x},{count:x}")
        return None if reply[:1] == "E" and len(reply) == 3 else bytes.fromhex(reply)

    def u64(self, address):
        return int.from_bytes(self.memory(address, 8) or b"", "little")

    def insert(self, kind, address, count=4, condition=None):
        """`condition`: an agent expression's bytes."""
        tail = f";X{len(condition):x},{condition.hex()}" if condition else ""
        self.expect_ok(f"Z{kind},{address:x},{count:x}{tail}")

    def remove(self, kind, address, count=4):
        self.expect_ok(f"z{kind},{address:x},{count:x}")

    def monitor(self, command):
        """What it prints, and whether it succeeded."""
        self.send("qRcmd," + command.encode().hex())
        return self.monitor_answer()

    def monitor_answer(self):
        text = ""
        while True:
            reply = self.receive()
            if reply[:1] == "O" and reply != "OK":
                text += bytes.fromhex(reply[1:]).decode(errors="replace")
            elif reply == "OK" or reply[:1] == "E":
                return text, reply == "OK"
            else:  # refused: the reply is the last thing that it prints
                return text + bytes.fromhex(reply).decode(errors="replace"), False

    def position(self):
        """The instruction count here, and at the trace's end."""
        text, good = self.monitor("when")
        match = re.match(r"(?:\.+\n)?instruction (\d+) of (\d+) ", text)
        if not good or not match:
            raise ProtocolError(f"monitor when: {text!r}")
        return int(match.group(1)), int(match.group(2))

    @property
    def n(self):
        return self.position()[0]

    def seek(self, where):
        text, good = self.monitor(f"seek {where}")
        if not good:
            raise ProtocolError(f"monitor seek {where}: {text!r}")
