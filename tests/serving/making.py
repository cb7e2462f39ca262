"""A small server on a real socket, and bare clients of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from io import BytesIO
from queue import Queue
from threading import Thread
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from websockets.sync.client import ClientConnection, connect

from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.serving.app import Server
from gad_lightning.serving.running import run_server
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.video.encoders import SmallEncoder
from tests.classifiers.making import make, random_frames, schema
from tests.streaming.test_events import unsure

VIDEOS = random_frames(8, 60)
ROWS = random_frames(1, 60, width=96)[0]


def detector(streams: int = 4, **more: Any) -> OnlineDetector:
    """A detector whose labels change often."""
    return OnlineDetector(unsure(), streams, **more)


def seeing(streams: int = 4) -> OnlineDetector:
    """A detector that takes pictures too."""
    spec = SmallEncoder().feature_spec(4.0)
    classifier = make(GADClassifier, schema=schema(mode="one_pass", short=5, chunk=8)._replace(features=spec))
    return OnlineDetector(classifier, streams, encoder=SmallEncoder())


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until it is true; a loaded machine may take its time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


@contextmanager
def serving(server: Server) -> Iterator[str]:
    """Run a server in a thread; gives host and port."""
    said: Queue[str] = Queue()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            run_server(server, "127.0.0.1", 0, said.put)
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            failed.append(error)
            said.put("")

    thread = Thread(target=run)
    thread.start()
    try:
        text = said.get(timeout=60)
        if not text:
            raise failed[0]
        yield text.split("http://")[1].split(",")[0]
    finally:
        server.give_up()
        thread.join(60)
        assert not thread.is_alive()


def start_of(**more: Any) -> dict[str, Any]:
    """The first message of a stream of features."""
    return {"type": "start", "kind": "features", "fps": schema().features.fps, **more}


def row(frame: torch.Tensor | np.ndarray) -> bytes:
    """A frame of features as a message."""
    return np.asarray(frame, dtype="<f4").tobytes()


class Bare:
    """A client that only knows JSON and bytes."""

    every: ClassVar[list[Bare]] = []

    def __init__(self, address: str, /, headers: dict[str, str] | None = None, **more: Any) -> None:
        self.socket: ClientConnection = connect(
            f"ws://{address}/stream", additional_headers=headers, max_size=None, compression=None
        )
        self.every.append(self)
        self.send(start_of(**more) if "resume" not in more else {"type": "start", **more})
        self.ready = self.next()

    def send(self, message: dict[str, Any] | bytes) -> None:
        """Send a message."""
        self.socket.send(message if isinstance(message, bytes) else json.dumps(message))

    def next(self, seconds: float = 30) -> dict[str, Any]:
        """The next message."""
        found: dict[str, Any] = json.loads(self.socket.recv(timeout=seconds))
        return found

    def label(self, frame: torch.Tensor) -> dict[str, Any]:
        """Send a frame and wait for its label."""
        self.send(row(frame))
        return self.next()


def asked(
    address: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    method: str | None = None,
    token: str = "",
) -> tuple[int, bytes, dict[str, str]]:
    """Ask by HTTP: status, body, and headers by their names in small letters."""
    connection = HTTPConnection(address, timeout=60)
    guard = {"Authorization": f"Bearer {token}"} if token else {}
    sent = {name: value.encode("utf-8") for name, value in {**guard, **(headers or {})}.items()}
    connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
    answer = connection.getresponse()
    found = answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    connection.close()
    return found


def jpeg_of(size: tuple[int, int], seed: int) -> bytes:
    """A picture of smooth colors as a JPEG file."""
    small = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(small).resize(size).save(file, "JPEG")
    return file.getvalue()
