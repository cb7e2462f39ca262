"""A headless Chromium, driven by its own protocol over a WebSocket."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import connect

Known = dict[str, Any]


class Browser:
    """One page of a browser."""

    def __init__(self, address: str) -> None:
        targets = json.loads(urlopen(f"http://{address}/json", timeout=60).read())
        place = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
        self.socket = connect(place, max_size=None, origin=None)
        self.numbers = count()
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **given: Any) -> Known:
        """Ask the browser for something; what it complains of meanwhile is kept."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": given}))
        while True:
            told: Known = json.loads(self.socket.recv(timeout=120))
            logged = told.get("params", {}).get("entry", {"level": "error"})["level"] in ("warning", "error")
            if told.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded") and logged:
                self.complaints.append(json.dumps(told["params"]))
            if told.get("id") == number:
                assert "error" not in told, told
                found: Known = told["result"]
                return found

    def run(self, script: str) -> Any:
        """Evaluate a script, as a user's gesture; gives its value."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = 240) -> None:
        """Wait until a script is true."""
        until = time.monotonic() + seconds
        while not self.run(f"(() => {{ try {{ return Boolean({script}) }} catch {{ return false }} }})()"):
            assert time.monotonic() < until, f"{script}: {self.run('document.body.innerText')}"
            time.sleep(0.1)

    def key(self, key: str) -> None:
        """Press a key."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" else "")

    def shoot(self, path: Path) -> None:
        """Write a picture of the page."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]))


@contextmanager
def browsing(folder: Path, camera: Path | None = None) -> Iterator[Browser]:
    """Start Chromium, with a fake camera that shows a file of JPEG pictures if one is given."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    if camera is not None:
        command += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        command += [f"--use-file-for-fake-video-capture={camera}"]
    command += [f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"DevTools listening on ws://([^/]+)/", line):
                    yield Browser(found[1])
                    return
        finally:
            process.terminate()
            process.stderr.close()
