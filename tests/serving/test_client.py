"""The client gives the labels of whole videos, and comes back whatever happens to its connection."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from gad_lightning.errors import MissingDataError
from gad_lightning.serving import AsyncClient, Client, ServerError
from gad_lightning.serving.app import Server
from gad_lightning.serving.client import Stream
from gad_lightning.serving.limits import Limits
from tests.serving.making import ROWS, VIDEOS, Bare, detector, seeing, serving


@pytest.fixture(scope="module")
def server() -> Server:
    """A server of streams of features."""
    return Server(detector(4))


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Where it listens."""
    with serving(server) as place:
        yield place


def test_labels_and_events_are_those_of_the_whole_video(address: str, server: Server) -> None:
    client = Client(f"ws://{address}")
    assert client.classes()["streams"] == 4
    with client.stream("features", probabilities=True) as stream:
        told = [stream.label(frame) for frame in VIDEOS[0, :25].numpy()]
        left = stream.end()
    expected = server.detector.classifier.detect(VIDEOS[0, :25])
    assert [each.label for each in told] == expected.labels
    assert np.allclose([each.probabilities for each in told], expected.probabilities, atol=1e-5)
    found = sorted(event[:3] for each in [*(one.ended for one in told), left] for event in each)
    assert found == sorted(segment[:3] for segment in expected.segments)


def test_a_connection_that_is_lost_again_and_again_is_not_noticed(address: str, server: Server) -> None:
    async def work() -> list[str]:
        stream = await AsyncClient(f"http://{address}").stream("features")
        labels = []
        for number, frame in enumerate(VIDEOS[1, :20].numpy()):
            if number % 5 == 3:
                assert stream.socket is not None
                stream.socket.transport.abort()
            labels.append((await stream.label(frame)).label)
        await stream.end()
        return labels

    assert asyncio.run(work()) == server.detector.classifier.detect(VIDEOS[1, :20]).labels


def test_one_task_sends_while_another_reads_and_the_connection_is_lost_in_between() -> None:
    server = Server(detector(1), Limits(waiting=60))

    async def work(address: str) -> dict[int, str]:
        stream = await AsyncClient(f"http://{address}").stream("features")
        found: dict[int, str] = {}

        async def read() -> None:
            async for told in stream:
                assert told.frame not in found
                found[told.frame] = told.label

        reader = asyncio.create_task(read())
        for number, frame in enumerate(VIDEOS[3].numpy()):
            if number % 4 == 3 and stream.socket is not None:
                stream.socket.transport.abort()
                await asyncio.sleep(number / 5000)  # meanwhile the reader connects again
            await stream.send(frame)
        await stream.finish()
        await reader
        assert stream.dropped == 0
        return found

    with serving(server) as address:
        found = asyncio.run(work(address))
    assert list(found) == list(range(60))
    assert list(found.values()) == server.detector.classifier.detect(VIDEOS[3]).labels


def test_a_server_that_has_lost_the_stream_begins_it_anew_and_says_so(address: str, server: Server) -> None:
    with Client(address if "://" in address else f"http://{address}").stream("features") as stream:
        before = [stream.label(frame).label for frame in VIDEOS[2, :10].numpy()]
        stream.stream.ready["resume"] = "of-another-server"
        stream.loop.loop.call_soon_threadsafe(stream.stream.socket.transport.abort)  # type: ignore[union-attr]  # open
        told = [stream.label(frame) for frame in VIDEOS[2, 10:20].numpy()]
        stream.end()
    assert [each.restarted for each in told] == [True, *[False] * 9]
    assert [each.frame for each in told] == list(range(10, 20))
    classifier = server.detector.classifier
    assert before == classifier.detect(VIDEOS[2, :10]).labels
    assert [each.label for each in told] == classifier.detect(VIDEOS[2, 10:20]).labels


@contextmanager
def process(folder: Path, port: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its port."""
    command = [sys.executable, "-m", "gad_lightning", "serve", "--ckpt_path", str(folder), "--port", port]
    with subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            line = next(line for line in started.stdout if "serving at" in line)
            yield started, line.split("http://127.0.0.1:")[1].split(",")[0]
        finally:
            started.kill()


@pytest.mark.slow  # starts two processes
def test_after_kill_9_every_stream_begins_anew_and_has_its_own_labels(server: Server, tmp_path: Path) -> None:
    classifier = server.detector.classifier
    classifier.save_pretrained(tmp_path)

    def labels(streams: list[Stream], first: int) -> list[list[str]]:
        told = [
            [stream.label(frame) for stream, frame in zip(streams, VIDEOS[:3, first + number].numpy(), strict=True)]
            for number in range(15)
        ]
        assert [[each.restarted for each in row] for row in told] == [[first > 0] * 3, *[[False] * 3] * 14]
        return [[row[number].label for row in told] for number in range(3)]

    with process(tmp_path, "0") as (first, port):
        client = Client(f"http://127.0.0.1:{port}")
        streams = [client.stream("features", retry_seconds=300) for _ in range(3)]
        assert labels(streams, 0) == [classifier.detect(video[:15]).labels for video in VIDEOS[:3]]
        first.kill()
        first.wait()
    with process(tmp_path, port):
        assert labels(streams, 15) == [classifier.detect(video[15:30]).labels for video in VIDEOS[:3]]
        assert not [stream.end() for stream in streams if stream.stream.dropped]


def test_a_refusal_and_a_server_that_is_not_there_are_errors_with_a_remedy(address: str) -> None:
    with pytest.raises(ServerError, match="no encoder"):
        Client(f"http://{address}").stream("jpeg")
    with pytest.raises(ServerError, match="no address of a server"):
        Client("127.0.0.1:8000")
    with pytest.raises(ServerError, match="no address of a server"):
        Client("http://127.0.0.1:99999")
    with pytest.raises(ServerError, match="gives no answer"):
        Client("http://127.0.0.1:9").classes()
    clients = [Bare(address) for _ in range(4)]
    with pytest.raises(ServerError, match="All 4 places are taken") as error:
        Client(f"http://{address}").stream("features")
    assert error.value.code == 4503
    for client in clients:
        client.send({"type": "end"})


def test_whole_files_are_labeled_with_progress(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ROWS.numpy())
    seen: list[tuple[int, int]] = []
    with serving(Server(seeing(1), token="a-token-of-the-tests")) as place:
        client = Client(f"http://{place}", "a-token-of-the-tests")
        found = client.detect(tmp_path / "x.npy", lambda labeled, frames: seen.append((labeled, frames)))
        assert len(found["labels"]) == 60
        assert seen[-1] == (60, 60)
        (tmp_path / "y.mp4").write_bytes(b"nothing")
        with pytest.raises(ServerError, match="cannot be opened") as error:
            client.detect(tmp_path / "y.mp4")
        assert error.value.code == 409
        with pytest.raises(ServerError, match="token is missing"):
            Client(f"http://{place}").classes()
        with client.stream() as stream:
            told = stream.label(np.zeros((48, 64, 3), np.uint8))
            assert told.label
            assert stream.label(b"no picture").refused == "The picture is no JPEG."
        with pytest.raises(MissingDataError, match="no file"):
            client.detect(tmp_path / "z.mp4")


def test_a_frame_that_is_too_large_is_an_error_and_not_sent_again(address: str) -> None:
    with Client(f"http://{address}").stream("features") as stream:
        with pytest.raises(ServerError, match="larger than the server takes") as error:
            stream.label(b"x" * 3_000_000)
        assert error.value.code == 1009


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [(404, b'{"detail": "Not Found"}', "answers 404"), (500, b"", "answers 500"), (200, b"[]", "Another server")],
)
def test_another_server_is_told_from_ours(status: int, body: bytes, why: str) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.handle_request, daemon=True).start()
        with pytest.raises(ServerError, match=why):
            Client(f"http://127.0.0.1:{server.server_port}").stream("features")
