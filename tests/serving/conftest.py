"""What every test of the server leaves behind."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gad_lightning.serving.app import Server
from tests.serving.making import Bare


@pytest.fixture(autouse=True)
def leave(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test find the streams of another one open: a server may hear of their end late."""
    yield
    for client in Bare.every:
        client.socket.close()
    Bare.every.clear()
    if "server" in request.fixturenames:
        server: Server = request.getfixturevalue("server")
        until = time.monotonic() + 30
        while server.batcher.open and time.monotonic() < until:
            time.sleep(0.01)
        assert not server.batcher.open
