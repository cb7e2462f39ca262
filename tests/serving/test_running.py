"""A server holds little for a client that does not read."""

from __future__ import annotations

import socket

import pytest

from gad_lightning.serving.app import Server
from tests.serving.making import detector, serving

HELLO = (
    b"GET /stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PINGS = (b"\x89\xfd\0\0\0\0" + b"x" * 125) * 1000
CLOSE = b"\x88\x80\0\0\0\0"


@pytest.mark.slow  # the buffers of the system alone hold ten megabytes
def test_pings_whose_answers_nobody_reads_are_not_answered() -> None:
    with serving(Server(detector(1))) as address, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        host, port = address.split(":")
        client.settimeout(60)
        client.connect((host, int(port)))
        client.sendall(HELLO)
        assert b"101" in client.recv(4096)
        for _ in range(200):
            client.sendall(PINGS)
        client.sendall(CLOSE)
        answered = 0
        while part := client.recv(1 << 20):
            answered += len(part)
    assert 0 < answered < 0.6 * 200 * len(PINGS)
