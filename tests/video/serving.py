"""Live sources for tests, on 127.0.0.1: small clips of plain colors, and servers that can be killed."""

from __future__ import annotations

import base64
import functools
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np

FPS = 10
COLORS = {"background": (40, 40, 40), "red": (220, 30, 30), "blue": (30, 30, 220)}


def write_scenes(
    path: Path, scenes: Sequence[tuple[str, float]], form: str | None = None, codec: str = "libx264"
) -> Path:
    """Write scenes of one color each, (name, seconds), at 10 frames a second with a key frame every half second."""
    with av.open(str(path), "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=FPS, options={"g": "5", "bf": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for name, seconds in scenes:
            for _ in range(round(seconds * FPS)):
                picture = np.full((64, 64, 3), COLORS[name], np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


class LiveServer:
    """Serves bytes as a live stream without a length, at a steady rate; it can be killed and come back.

    Args:
        content: what every connection gets, from its beginning.
        seconds: how long that takes.
        login: ``user:password`` that it asks for.
        goes_on: keep a connection open after the content, in silence.
        mime: type of the content.
    """

    def __init__(
        self,
        content: bytes,
        seconds: float,
        login: str | None = None,
        goes_on: bool = False,
        mime: str = "application/octet-stream",
    ) -> None:
        self.content, self.seconds, self.login, self.goes_on, self.mime = content, seconds, login, goes_on, mime
        self.port = 0
        self.alive = False
        self.connections = 0
        self.server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen, on the same port as before."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port, self.alive = self.server.server_port, True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Send the content, a piece every 20 ms, as long as the server lives."""
        wanted = None if self.login is None else "Basic " + base64.b64encode(self.login.encode()).decode()
        if wanted and request.headers["Authorization"] != wanted:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
            return
        self.connections += 1
        request.send_response(200)
        request.send_header("Connection", "close")
        request.send_header("Content-Type", self.mime)
        request.end_headers()
        begin, sent = time.monotonic(), 0
        while self.alive and (sent < len(self.content) or self.goes_on):
            due = int(len(self.content) * min(1.0, (time.monotonic() - begin) / self.seconds))
            try:
                request.wfile.write(self.content[sent:due])
            except OSError:
                return
            sent = due
            time.sleep(0.02)
        if not self.alive:
            request.connection.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """Cut all connections and stop listening."""
        self.alive = False
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


@contextmanager
def live_server(content: bytes, seconds: float, **settings: Any) -> Iterator[LiveServer]:
    """A running :class:`LiveServer`."""
    server = LiveServer(content, seconds, **settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def folder_server(folder: Path) -> Iterator[int]:
    """Port of a plain web server of a folder: lengths are stated, parts are not."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()
