"""A connection says truly why it ends, and gives all it got."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest

from gad_lightning.errors import DataError
from gad_lightning.video.live import LiveSource, Notice
from tests.video.clips import gray, number_of


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """29 frames at 10 a second, each behind two that are decoded before it; the index lies in front."""
    path = tmp_path_factory.mktemp("recording") / "clip.mp4"
    with av.open(str(path), "w", container_options={"movflags": "faststart"}) as container:
        options = {"bf": "2", "x264-params": "b-adapt=0", "crf": "1"}
        stream = container.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for index in range(29):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray(index, 64, 64), format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def places(content: bytes, folder: Path) -> list[int]:
    """Where each packet of a recording begins."""
    (folder / "clip.mp4").write_bytes(content)
    with av.open(str(folder / "clip.mp4")) as container:
        return [packet.pos for packet in container.demux(video=0) if packet.size and packet.pos is not None]


@contextmanager
def broken_server(content: bytes, ends: list[int], silent: bool = False) -> Iterator[int]:
    """Port of a server that states the whole length and sends less: up to the next of ``ends``, then the last one."""
    asked = iter([*ends, *ends[-1:] * 100])

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: next(asked)])
            time.sleep(2.5 if silent else 0)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("silent", "why"), [(False, "Input/output error"), (True, "nothing has come for 1 s")])
def test_a_loss_is_told_with_its_reason_and_no_frame_is_lost(
    recording: bytes, tmp_path: Path, silent: bool, why: str
) -> None:
    end = places(recording, tmp_path)[16]
    notices: list[Notice] = []
    with broken_server(recording, [end], silent) as port:
        source = LiveSource(f"http://127.0.0.1:{port}/a.mp4", 10.0, pace="arrival", retries=0, timeout_seconds=1.0)
        source.tell = notices.append
        frames = list(source)
    assert notices[-1] == Notice("ended", why)
    assert [number_of(picture) for _, picture in frames] == list(range(16))


def test_a_recording_that_breaks_off_goes_on_where_it_was(recording: bytes, tmp_path: Path) -> None:
    found = places(recording, tmp_path)
    with broken_server(recording, [found[10], found[22], len(recording)]) as port:
        source = LiveSource(f"http://127.0.0.1:{port}/a.mp4", 10.0, pace="arrival", retries=2, wait_seconds=(0.1, 0.1))
        frames = list(source)
    assert [number_of(picture) for _, picture in frames] == list(range(29))
    assert [frame.seconds for frame in frames] == pytest.approx([index / 10 for index in range(29)])


def test_a_recording_that_brings_nothing_new_is_given_up(recording: bytes, tmp_path: Path) -> None:
    end, frames = places(recording, tmp_path)[16], []
    with broken_server(recording, [end]) as port:
        source = LiveSource(f"http://127.0.0.1:{port}/a.mp4", 10.0, pace="arrival", retries=2, wait_seconds=(0.1, 0.1))
        with pytest.raises(DataError, match=r"brought nothing new in 2 attempts: Input/output error"):
            frames.extend(number_of(picture) for _, picture in source)
    assert frames == list(range(16))


def test_a_camera_that_refuses_tcp_gets_a_hint() -> None:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            while request := connection.recv(4096).decode():
                number = next(line for line in request.splitlines() if line.startswith("CSeq"))
                sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=c\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:video\r\n"
                head = (
                    f"RTSP/1.0 {'461 Unsupported Transport' if request.startswith('SETUP') else '200 OK'}\r\n{number}"
                )
                body = f"\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}" if request.startswith("DESC") else "\r\n\r\n"
                connection.sendall((head + body).encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/live"
        with pytest.raises(
            DataError, match=r"(?s)cannot be opened: .*by UDP only, set options to {rtsp_transport: udp}"
        ):
            list(LiveSource(url, fps=4, timeout_seconds=3))
