"""What comes from a URL is read within limits, and who exceeds them is told which they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO

import pytest

from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.training.checkpoint_reading import read_checkpoint
from gad_lightning.training.download import GIGABYTES, SECONDS, download


class Server(BaseHTTPRequestHandler):
    """Gives ``/whole`` at once, ``/cut`` in part, and ``/drops`` byte by byte without an end."""

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path != "/drops":
            self.send_header("Content-Length", "4000")
        self.end_headers()
        try:
            self.wfile.write(bytes({"/whole": 4000, "/cut": 3000, "/drops": 0}[self.path]))
            while self.path == "/drops":
                self.wfile.write(b"x")
                time.sleep(0.01)
        except OSError:
            pass  # nobody reads any more

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Of a server on this machine."""
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_comes_whole_or_not_at_all(address: str) -> None:
    file = BytesIO()
    download(f"{address}/whole", file)
    assert file.getvalue() == bytes(4000)
    with pytest.raises(OSError, match="it ends 1000 bytes early"):
        download(f"{address}/cut", BytesIO())


def test_a_body_without_an_end_is_left_after_the_stated_time(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, "0.2")
    with pytest.raises(MissingDataError, match=f"has not come within 0.2 s; {SECONDS} sets the limit"):
        read_checkpoint(f"{address}/drops")


def test_a_body_that_is_too_large_is_left(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIGABYTES, "1e-6")
    with pytest.raises(MissingDataError, match=f"is larger than 1e-06 GB; {GIGABYTES} sets the limit"):
        read_checkpoint(f"{address}/whole")


@pytest.mark.parametrize("given", ["0", "nan", "much"])
def test_a_limit_that_cannot_be_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, given)
    with pytest.raises(SettingError, match=f"{SECONDS} is '{given}'"):
        download("http://127.0.0.1:9/x", BytesIO())
