"""A headless Chromium that a test opens a page in, driven by the DevTools protocol over a pipe: no port, no library.

    with Browser() as browser:
        browser.open(path)
        browser.ask("document.title")

1. Everything that the browser writes is in a folder of its own in the working folder, removed at the end.
2. Every answer is waited for at most SECONDS_MAX; a page that throws in `ask` fails the test.
"""
import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import struct
import subprocess
import time
import zlib

import harness
from harness import Failed, check

SECONDS_MAX = 60
FOLDER = "browser"
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
           "--no-first-run", "--disable-extensions", "--disable-crash-reporter", "--disable-background-networking",
           "--disable-component-update", "--remote-debugging-pipe", f"--user-data-dir={FOLDER}"]
KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35}


def high(fd):
    """The same file at a number that is not in the way of 3 and 4."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return moved


class Browser:
    def __enter__(self):
        program = shutil.which("chromium")
        check(program, "there is no chromium to look at the page with: run tools/install-deps check")
        os.makedirs(FOLDER, exist_ok=True)
        (commands, self.out), (self.inp, answers) = map(lambda pair: tuple(map(high, pair)), (os.pipe(), os.pipe()))

        def pipes():
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        self.process = subprocess.Popen([program, *OPTIONS, "about:blank"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False,
                                        env=harness.environment(HOME=os.path.abspath(FOLDER)), preexec_fn=pipes)
        os.close(commands)
        os.close(answers)
        self.buffer, self.number, self.session = b"", 0, None
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self.call("Page.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Failed, OSError):
            self.session = None
            self.call("Browser.close")
        os.close(self.out)
        os.close(self.inp)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(FOLDER, ignore_errors=True)

    def receive(self):
        end = time.monotonic() + SECONDS_MAX
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.inp], [], [], max(end - time.monotonic(), 0))
            check(ready, f"the browser said nothing for {SECONDS_MAX} s")
            got = os.read(self.inp, 1 << 20)
            check(got, "the browser ended")
            self.buffer += got
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                check("error" not in answer, f"{method}: {answer.get('error')}")
                return answer["result"]

    def ask(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        check("exceptionDetails" not in answer, f"in the page, {expression}: {answer.get('exceptionDetails')}")
        return answer["result"].get("value")

    def wait(self, expression):
        """Waits until the page finds that true."""
        end = time.monotonic() + SECONDS_MAX
        while not self.ask(expression):
            check(time.monotonic() < end, f"the page never came to {expression}")
            time.sleep(0.05)

    def window(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, path):
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")
        self.settle()

    def settle(self):
        """Waits for two frames, so that what was asked for is drawn."""
        self.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y, count=1):
        for number in range(1, count + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.mouse(kind, x, y, button="left", buttons=1, clickCount=number)
        self.settle()

    def drag(self, x, y, to_x, buttons="left"):
        self.mouse("mousePressed", x, y, button=buttons, buttons=1, clickCount=1)
        for step in range(1, 6):
            self.mouse("mouseMoved", x + (to_x - x) * step / 5, y, button=buttons, buttons=1)
        self.mouse("mouseReleased", to_x, y, button=buttons, clickCount=1)
        self.settle()

    def wheel(self, x, y, delta):
        self.mouse("mouseWheel", x, y, deltaX=0, deltaY=delta)
        self.settle()

    def key(self, name):
        more = {"windowsVirtualKeyCode": KEYS[name]} if name in KEYS else {"text": name}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=name, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name)
        self.settle()

    def screenshot(self, path, **more):
        self.settle()
        picture = base64.b64decode(self.call("Page.captureScreenshot", format="png", **more)["data"])
        with open(path, "wb") as file:
            file.write(picture)
        return picture


def picture_colors(png):
    """How many different colours a PNG of 8 bits a channel has (RFC 2083)."""
    at, packed = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        at += length + 12
    check(depth == 8 and color in (2, 6), f"a picture of a form that is not known: {depth}, {color}")
    raw, size, colors = zlib.decompress(packed), {2: 3, 6: 4}[color], set()
    row = bytearray(width * size)
    for y in range(height):
        start = y * (len(row) + 1)
        row = unfilter(raw[start], raw[start + 1:start + 1 + len(row)], row, size)
        colors.update(bytes(row[x:x + 3]) for x in range(0, len(row), size))
    return len(colors)


def unfilter(kind, line, above, size):
    row = bytearray(line)
    for i, value in enumerate(line):
        left, up = row[i - size] if i >= size else 0, above[i]
        corner = above[i - size] if i >= size else 0
        if kind == 4:
            guess = min((abs(up - corner), 0, left), (abs(left - corner), 1, up),
                        (abs(left + up - 2 * corner), 2, corner))[2]
        else:
            guess = (0, left, up, (left + up) // 2)[kind]
        row[i] = (value + guess) & 0xff
    return row
