"""A browser without a screen, asked over a pipe: what a page does, costs and looks like."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


class Browser:
    """Chromium, with everything it would like to fetch refused and counted."""

    def __init__(self, home: Path):
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()

        # Chromium reads from 3 and writes to 4.
        here = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        self._process = subprocess.Popen(
            [
                shutil.which("bash"), "-c", here, "bash",
                CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={home}",
                "--proxy-server=127.0.0.1:9", "--disable-background-networking",
            ],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._buffer, self._last, self._session = b"", 0, None
        self.requests, self.complaints = [], []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self, patience=30.0):
        end = time.monotonic() + patience
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            assert ready, "the browser is silent"
            self._buffer += os.read(self._read, 2**20)
        line, _, self._buffer = self._buffer.partition(b"\0")
        event = json.loads(line)
        about = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent" if about["request"]["url"][:5] != "data:":
                self.requests.append(about["request"]["url"][:200])
            case "Runtime.exceptionThrown":
                self.complaints.append(about["exceptionDetails"].get("exception", about))
            case "Runtime.consoleAPICalled" if about["type"] in {"error", "warning"}:
                self.complaints.append(about["args"])
            case "Log.entryAdded" if about["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(about["entry"])
        return event

    def size(self, width, height=900, *, theme="light"):
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        feature = {"name": "prefers-color-scheme", "value": theme}
        self.ask("Emulation.setEmulatedMedia", features=[feature])

    def open(self, path):
        self.ask("Page.navigate", url=path.resolve().as_uri())
        end = time.monotonic() + 30
        # A page says when its script is done; a picture has none.
        ready = (
            "document.readyState === 'complete' && "
            "(!document.getElementById('tables') || !!document.documentElement.dataset.ready)"
        )
        while not self.run(ready):
            assert time.monotonic() < end, "the page does not load"
            time.sleep(0.05)

    def run(self, script):
        answer = self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, path, *, top=0, width=1280, height=1200):
        shot = self.ask(
            "Page.captureScreenshot",
            captureBeyondViewport=True,
            clip={"x": 0, "y": top, "width": width, "height": height, "scale": 1},
        )
        path.write_bytes(base64.b64decode(shot["data"]))

    def press(self, key):
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r" if key == "Enter" else key} if key in {"Enter", " "} else {}
            self.ask(
                "Input.dispatchKeyEvent",
                type=kind, key=key, code="Space" if key == " " else key,
                windowsVirtualKeyCode=codes[key], **(text if kind == "keyDown" else {}),
            )  # fmt: skip

    def close(self):
        self._process.terminate()
        self._process.wait(10)
        os.close(self._read)
        os.close(self._write)
