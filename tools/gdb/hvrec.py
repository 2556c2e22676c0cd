"""gdb's side of hvrec: its monitor commands as gdb commands, and gdb's view kept true after them.

`hvrec debug` loads this file; elsewhere: `source hvrec.py`, then `target remote`. It knows none of the commands: `hvrec
WORD …` is `monitor WORD …`, and `hvrec help` asks the target. Only numbers may be said in gdb's words. A monitor command
may move the target without a stop that gdb sees, so whatever the command was, gdb's copies of registers and memory are
dropped behind it.
"""

import re
import struct

import gdb
import gdb.unwinder

SHORT_NAMES = ("when", "seek", "back-to-replay")

before = {"pc": None}


def current_pc():
    """The newest frame's pc; None without a target."""
    try:
        return gdb.newest_frame().pc()
    except gdb.error:
        return None


def caches_drop():
    for command in ("maintenance flush register-cache", "maintenance flush dcache"):
        try:
            gdb.execute(command, to_string=True)
        except gdb.error:  # gdb before 11 has only this
            gdb.execute("flushregs", to_string=True)


def asked(packet):
    """The target's reply to a packet; empty where it has none, or gdb cannot ask."""
    connection = gdb.selected_inferior().connection
    if not isinstance(connection, getattr(gdb, "RemoteTargetConnection", ())):  # since gdb 12
        return ""
    return (connection.send_packet(packet) or b"").decode(errors="replace")


def show_notice(event):
    """After the user has written: what that has begun."""
    gdb.write(bytes.fromhex(asked("qhvrec.Notice")).decode())


def monitor_begins():
    before["pc"] = current_pc()


def thread_follow():
    """Where the target has moved gdb looks at the vCPU whose turn it is there. Whether it looked at another one."""
    number = asked("qhvrec.Moved")
    for thread in gdb.selected_inferior().threads() if number else ():
        if thread.ptid[1] == int(number, 16) and thread != gdb.selected_thread():
            gdb.execute(f"thread {thread.num}")
            return True
    return False


def monitor_ended():
    """Drops what gdb remembers, and shows the place if it is another one."""
    caches_drop()
    if thread_follow():
        return
    pc = current_pc()
    if pc is not None and pc != before["pc"]:
        gdb.newest_frame().select()
        gdb.execute("frame")


def monitor_abandon():
    """Ends the monitor command that gdb does not listen to any more, and reads what it still says.

    gdb would take that for the replies to what it asks next. The packet that ends the command has no reply, so each
    one that is sent reads one packet of the command's: pieces of text, and its result at last."""
    connection = gdb.selected_inferior().connection
    while re.fullmatch(b"O([0-9a-f]{2})+", connection.send_packet("Qhvrec.Interrupt")):
        pass


def evaluated(words):
    """The words with each that begins with $ or & replaced by its value; but a text to look for is left alone."""
    if re.search(r"\bconsole\b", words):
        return words
    number = lambda match: "0x%x" % (int(gdb.parse_and_eval(match.group())) & (1 << 64) - 1)
    return re.sub(r"(?<!\S)[$&]\S+", number, words)


def monitor(words):
    """Runs a monitor command. gdb runs its hooks too, unless it is inside of one."""
    try:
        words = evaluated(words)
        gdb.execute("monitor " + words)
        refused = asked("qhvrec.Refused") == "1"
    except KeyboardInterrupt:
        if hasattr(gdb, "TargetConnection"):  # since gdb 12
            monitor_abandon()
            caches_drop()
        raise gdb.GdbError("interrupted") from None
    except gdb.error as error:  # without gdb's talk of Python
        raise gdb.GdbError(str(error)) from None
    if refused:  # the target has said why
        raise gdb.GdbError(words.split()[0] + " failed")


class Hvrec(gdb.Command):
    """Travel in the recording: hvrec COMMAND [ARGUMENT]...
`hvrec help` lists the commands; each is a monitor command of the same name.
$REGISTER, $VARIABLE and &SYMBOL stand for their values: hvrec who-wrote &counter"""

    def __init__(self):
        super().__init__("hvrec", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        monitor(argument or "help")
        self.dont_repeat()

    def complete(self, text, word):
        if " " in text:
            return []
        try:
            listed = gdb.execute("monitor help", to_string=True)
        except gdb.error:
            return []
        words = re.findall(r"^monitor (\S+)", listed, re.MULTILINE)
        return [name for name in words if name.startswith(text)]


class Short(gdb.Command):
    """A command of hvrec under its own name; see `hvrec help`."""

    def __init__(self, name):
        self.name = name
        super().__init__(name, gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        monitor((self.name + " " + argument).strip())
        self.dont_repeat()


class Own(gdb.Command):
    """A command of gdb's own that means something else in a recording: `doc` says what."""

    def __init__(self, name, doc, action):
        self.__doc__ = doc
        self.action = action
        super().__init__(name, gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        self.action(argument.strip())
        self.dont_repeat()


def checkpoints_show(argument):
    """Without the guests that the target keeps for itself."""
    listed = gdb.execute("monitor checkpoints", to_string=True)
    places = [line for line in listed.splitlines() if line.startswith("$")]
    print("\n".join(places) if places else "No checkpoints.")


def checkpoints_delete(argument):
    for number in argument.split():
        monitor("delete " + number)
    if not argument:
        raise gdb.GdbError("which ones? info checkpoints lists them")


def run(argument):
    """From the start to the first stop, whichever way gdb goes."""
    if argument:
        raise gdb.GdbError("a recording has the arguments that it was made with")
    gdb.execute("set exec-direction forward")
    gdb.execute("monitor seek start", to_string=True)
    gdb.execute("continue")


def start(argument):
    gdb.execute("tbreak " + (argument or "main"))
    run("")


OWN = (
    ("checkpoint", "Keep this place of the recording, for `restart` and `info checkpoints`.",
     lambda argument: monitor("checkpoint " + argument)),
    ("restart", "Go to a place that `checkpoint` kept: restart N; without N to the start of the recording.",
     lambda argument: monitor("restart " + argument if argument else "seek start")),
    ("info checkpoints", "The places of the recording that `checkpoint` kept.", checkpoints_show),
    ("delete checkpoint", "Forget places that `checkpoint` kept: delete checkpoint N...", checkpoints_delete),
    ("run", "Go to the start of the recording, and continue from there.", run),
    ("start", "Run to a temporary breakpoint on main, or where the argument says.", start),
    ("starti", "Go to the start of the recording.", lambda argument: monitor("seek start")),
)


class Position(gdb.Function):
    """$hvrec_n(): the position in the recording, in instructions from its start."""

    def __init__(self):
        super().__init__("hvrec_n")

    def invoke(self):
        answer = gdb.execute("monitor when", to_string=True)
        match = re.search(r"instruction (\d+)", answer)
        if not match:
            raise gdb.GdbError("the target does not say where it is")
        return int(match.group(1))


class ExceptionUnwinder(gdb.unwinder.Unwinder):
    """At either end of a handler, in the table of vectors and at ERET: the caller is where the exception was taken, or
    where it returns to. So `next` and `reverse-next` pass over it.

    In the table only the stack pointer is moved before the handler saves what it needs."""

    MASK = (1 << 64) - 1
    VECTOR_BYTES, VECTORS_BYTES = 0x80, 0x800
    ERET = bytes.fromhex("e0039fd6")
    REGISTERS = ["x%d" % i for i in range(31)] + ["v%d" % i for i in range(32)] + ["fpsr", "fpcr"]

    def __init__(self):
        super().__init__("hvrec-exception")

    def __call__(self, pending):
        try:
            if not KernelUnwinder.is_newest(pending):
                return None
            return self.caller(pending, lambda name: int(pending.read_register(name)) & self.MASK)
        except (gdb.error, ValueError):  # another target has no such registers, and code may be unreadable
            return None

    def caller(self, pending, value):
        pc = value("pc")
        if value("cpsr") & 0xF != 5:
            return None
        vbar = value("VBAR_EL1")
        start = pc - (pc - vbar) % self.VECTOR_BYTES
        lowered = Function.lowered_by(start, pc) if 0 <= pc - vbar < self.VECTORS_BYTES else None
        own_sp = value("SP_EL1") + (lowered or 0)
        if lowered is None:
            if bytes(gdb.selected_inferior().read_memory(pc, 4)) != self.ERET:
                return None
            # At the handler's beginning gdb knows its frame by the stack pointer that the vector has left.
            start = Function(pc).start
            own_sp -= self.lowered_before(vbar, start)
        sp = (value("SP_EL1") + (lowered or 0)) & self.MASK if value("SPSR_EL1") & 0xF == 5 else value("SP_EL0")
        made = pending.create_unwind_info(KernelFrame(gdb.Value(own_sp & self.MASK), gdb.Value(start)))
        for name in self.REGISTERS:
            made.add_saved_register(name, pending.read_register(name))
        for name, number in (("pc", value("ELR_EL1")), ("sp", sp), ("cpsr", value("SPSR_EL1"))):
            kind = pending.read_register(name).type
            made.add_saved_register(name, gdb.Value(number.to_bytes(8, "little")[: kind.sizeof], kind))
        return made


    def lowered_before(self, vbar, handler):
        """By how much a vector that branches to `handler` lowers the stack; 0 without one."""
        table = bytes(gdb.selected_inferior().read_memory(vbar, self.VECTORS_BYTES))
        for at, (word,) in enumerate(struct.iter_unpack("<I", table)):
            target = vbar + 4 * at + 4 * ((word & 0x3FFFFFF ^ 0x2000000) - 0x2000000)
            if word & 0xFC000000 == 0x14000000 and target & self.MASK == handler:
                pc = vbar + 4 * at
                return Function.lowered_by(pc - pc % self.VECTOR_BYTES, pc) or 0
        return 0


class KernelFrame:
    """A frame's identity for gdb: where the caller's stack ends, and where the function begins."""

    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Function:
    """What the instructions of a function before `pc` have done to the stack, as compilers write them."""

    PROLOGUE_BYTES = 512
    CODE_BYTES_MAX = 1 << 16

    def __init__(self, pc):
        match = re.search(r" \+ (\d+) in section", gdb.execute("info symbol 0x%x" % pc, to_string=True))
        size = int(match.group(1)) & ~3 if match else 0
        self.start = pc - size
        self.whole = size <= self.CODE_BYTES_MAX
        size = size if self.whole else self.PROLOGUE_BYTES
        code = bytes(gdb.selected_inferior().read_memory(self.start, size)) if size else b""
        self.words = struct.unpack("<%dI" % (size // 4), code)
        self.lowered = 0  # bytes of stack taken before the record is made
        self.above = None  # bytes from the record to the caller's stack; None: no record is made
        for word in self.words[: self.PROLOGUE_BYTES // 4]:
            if self.above is None:
                self.read(word)

    def read(self, word):
        immediate = word >> 10 & 0xFFF
        if word & 0xFFC07FFF == 0xA9807BFD:  # stp x29, x30, [sp, #-N]!
            self.lowered += (128 - (word >> 15 & 0x7F)) * 8
        elif word & 0xFF8003FF == 0xD10003FF:  # sub sp, sp, #N
            self.lowered += immediate << (12 if word & 1 << 22 else 0)
        elif word & 0xFFC003FF == 0x910003FD:  # add x29, sp, #N; with 0: mov x29, sp
            self.above = self.lowered - immediate

    @staticmethod
    def lowered_by(start, pc):
        """By how many bytes the straight code from `start` to `pc` lowers the stack; None: it branches."""
        lowered = 0
        code = bytes(gdb.selected_inferior().read_memory(start, pc - start)) if pc > start else b""
        for (word,) in struct.iter_unpack("<I", code):
            if word & 0xFF8003FF == 0xD10003FF or word & 0xFF8003FF == 0x910003FF:  # sub, add sp, sp, #N
                bytes_moved = (word >> 10 & 0xFFF) << (12 if word & 1 << 22 else 0)
                lowered += bytes_moved if word & 1 << 30 else -bytes_moved
            elif word & 0xFFC003E0 == 0xA98003E0:  # stp X, X, [sp, #-N]!
                lowered += ((word >> 15 & 0x7F ^ 0x40) - 0x40) * -8
            elif word & 0xFFE00FE0 == 0xF8000FE0:  # str X, [sp, #-N]!
                lowered += ((word >> 12 & 0x1FF ^ 0x100) - 0x100) * -1
            elif word & 0xFC000000 == 0x14000000 or word & 0xFE000000 == 0xD6000000:  # b, br, ret, eret
                return None
        return lowered

    def record_is_gone(self):
        """Whether the straight way to `pc` goes through ldp x29, x30, [sp…]."""
        for word in reversed(self.words if self.whole else ()):
            if word & 0xFFC07FFF in (0xA8C07BFD, 0xA9407BFD):
                return True
            if word & 0xFC000000 == 0x14000000 or word & 0xFFFFFC1F in (0xD61F0000, 0xD65F0000):  # b, br, ret
                return False
        return False


class KernelUnwinder(gdb.unwinder.Unwinder):
    """Callers in a Linux kernel without debug information.

    arm64 kernels keep frame records (x29 points to the caller's x29 and the return address) in every function that
    calls, and through exceptions. gdb would guess from each function's first instructions, and often fail. Only the
    newest frame may be without its record: before it is made, after it is gone, or in a leaf."""

    MASK = (1 << 64) - 1

    def __init__(self):
        super().__init__("hvrec-kernel")

    def __call__(self, pending):
        pc, sp, fp = (self.register(pending, name) for name in ("pc", "sp", "x29"))
        if not pc >> 63 or gdb.find_pc_line(pc).symtab:
            return None
        try:
            if self.is_newest(pending):
                function = Function(pc)
                if function.above is None or function.record_is_gone():
                    lowered = 0 if function.record_is_gone() else function.lowered
                    return self.caller(
                        pending, function, self.register(pending, "x30"), (sp + lowered) & self.MASK, fp
                    )
            else:
                function = Function(pc - 4)  # the call, that may be a function's last instruction
            if not fp >> 63:
                return None
            caller_fp, caller_pc = struct.unpack("<QQ", bytes(gdb.selected_inferior().read_memory(fp, 16)))
        except gdb.MemoryError:
            return None
        return self.caller(pending, function, caller_pc, fp + max(function.above or 16, 16), caller_fp)

    def register(self, pending, name):
        return int(pending.read_register(name)) & self.MASK

    @staticmethod
    def is_newest(pending):
        """gdb before 13 cannot say; the newest frame's stack pointer is the thread's own."""
        if hasattr(pending, "level"):
            return pending.level() == 0
        return pending.read_register("sp") == gdb.parse_and_eval("$sp")

    @staticmethod
    def caller(pending, function, pc, sp, fp):
        made = pending.create_unwind_info(KernelFrame(gdb.Value(sp), gdb.Value(function.start)))
        # A call leaves the return address in x30.
        for name, value in (("pc", pc), ("sp", sp), ("x29", fp), ("x30", pc)):
            like = "x29" if name == "x30" else name  # of x30 gdb may not know the value here
            made.add_saved_register(name, gdb.Value(value).cast(pending.read_register(like).type))
        return made


class KernelFrames:
    """A backtrace without the frame at 0 that the last record of a kernel stack leads to."""

    name = "hvrec-kernel"
    priority = 100
    enabled = True

    @staticmethod
    def filter(frames):
        return (frame for frame in frames if frame.inferior_frame().pc() != 0)


# A seek can take longer than the 2 s after which gdb complains.
gdb.execute("set remotetimeout 60")
gdb.events.memory_changed.connect(show_notice)
gdb.events.register_changed.connect(show_notice)
gdb.unwinder.register_unwinder(None, KernelUnwinder(), replace=True)
gdb.unwinder.register_unwinder(None, ExceptionUnwinder(), replace=True)
gdb.execute("define hook-monitor\npython monitor_begins()\nend", to_string=True)
gdb.execute("define hookpost-monitor\npython monitor_ended()\nend", to_string=True)
gdb.frame_filters[KernelFrames.name] = KernelFrames()
Hvrec()
Position()
for short_name in SHORT_NAMES:
    Short(short_name)
for own in OWN:
    Own(*own)
