"""A camera for tests: an RTSP server that asks for a password and sends MPEG-TS over RTP in the same connection."""

from __future__ import annotations

import base64
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PACKET = 7 * 188  # bytes of MPEG-TS in one RTP packet
SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:video\r\n"


def reply(request: str, login: str) -> str:
    """Answer one RTSP request."""
    method = request.split()[0]
    number = next(line for line in request.splitlines() if line.lower().startswith("cseq"))
    if base64.b64encode(login.encode()).decode() not in request and method != "OPTIONS":
        return f'RTSP/1.0 401 Unauthorized\r\n{number}\r\nWWW-Authenticate: Basic realm="camera"\r\n\r\n'
    head = f"RTSP/1.0 200 OK\r\n{number}\r\nSession: 1\r\n"
    if method == "DESCRIBE":
        return f"{head}Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
    if method == "SETUP":
        return f"{head}Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
    return f"{head}Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"


def send(connection: socket.socket, content: bytes, seconds: float) -> None:
    """Send MPEG-TS as RTP packets (payload type 33) framed by RTSP, at a steady rate."""
    pieces = range(0, len(content), PACKET)
    for number, start in enumerate(pieces):
        clock = int(90000 * seconds * start / len(content))
        piece = struct.pack("!BBHII", 0x80, 33, number, clock, 7) + content[start : start + PACKET]
        connection.sendall(b"$" + struct.pack("!BH", 0, len(piece)) + piece)
        time.sleep(seconds / len(pieces))


def serve(listener: socket.socket, content: bytes, seconds: float, login: str) -> None:
    """Talk to one client after the other until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            try:
                while request := connection.recv(4096).decode():
                    connection.sendall(reply(request, login).encode())
                    if request.startswith("PLAY"):
                        send(connection, content, seconds)
                        break
            except OSError:
                pass


@contextmanager
def rtsp_server(content: bytes, seconds: float, login: str) -> Iterator[int]:
    """Port of a running camera that shows ``content`` to everyone who knows ``user:password``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, content, seconds, login), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
