"""The end points of a server, over real sockets."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch

from gad_lightning.serving.app import Server
from gad_lightning.serving.limits import Limits
from gad_lightning.video.encoders import SmallEncoder
from gad_lightning.video.jpeg import JPEGReader
from tests.serving.making import ROWS, Bare, asked, detector, jpeg_of, seeing, serving, wait_for
from tests.video.serving import write_scenes

TOKEN = "a-token-of-the-tests"
TOO_LARGE = BytesIO()
np.save(TOO_LARGE, np.full((9, 96), 3e38, np.float32))


@pytest.fixture(scope="module")
def server() -> Server:
    """A server with a token."""
    return Server(seeing(2), Limits(body_mb=0.1, jobs=4, start_seconds=2), TOKEN, None)


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Where it listens."""
    with serving(server) as place:
        yield place


def test_what_tells_of_classes_and_streams_needs_the_token(address: str) -> None:
    for path in ("/classes", "/metrics", "/jobs/x", "/nothing"):
        for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer é"}):
            status, body, _ = asked(address, path, headers=sent)
            assert status == 401
            assert json.loads(body)["error"]["why"] == "The token is missing or wrong."
    for path in ("/", "/page.css", "/page.js", "/health", "/ready", "/openapi.json"):
        assert asked(address, path)[0] == 200
    assert json.loads(asked(address, "/classes", token=TOKEN)[1])["fps"] == 4.0
    assert Bare(address).ready["code"] == 4401
    assert Bare(address, token="wrong").ready["code"] == 4401
    for client in (Bare(address, token=TOKEN), Bare(address, {"Authorization": f"Bearer {TOKEN}"})):
        assert client.ready["type"] == "ready"
        client.send({"type": "end"})


def test_figures_count_frames_and_streams(address: str) -> None:
    client = Bare(address, token=TOKEN)
    client.label(ROWS[0])
    client.send(b"x")
    client.next()
    text = asked(address, "/metrics", token=TOKEN)[1].decode()
    assert "gad_streams_open 1.0" in text
    assert "gad_frames_refused_total 1.0" in text
    client.send({"type": "end"})


@pytest.mark.parametrize("path", ["/", "/health", "/nothing", "/classes"])
def test_every_answer_keeps_browsers_safe(address: str, path: str) -> None:
    headers = asked(address, path)[2]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_pages_of_other_sites_and_other_names_are_refused(address: str) -> None:
    other = {"Origin": "https://evil.example"}
    assert asked(address, "/health", headers=other)[0] == 403
    assert asked(address, "/health", headers={"Origin": f"http://{address}"})[0] == 200
    plain = Server(detector(1))
    with serving(plain) as place:
        assert asked(place, "/health", headers={"Host": "rebound.example"})[0] == 403
        assert asked(place, "/health", headers={"Host": "localhost:80"})[0] == 200
        with pytest.raises(Exception, match="403"):
            Bare(place, other)


def test_an_unknown_path_and_method_are_told_in_json(address: str) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("POST", "/health", 405), ("GET", "/detect", 405)):
        found, body, _ = asked(address, path, method=method, token=TOKEN)
        assert found == status
        assert json.loads(body)["error"]["remedy"] == "see /openapi.json"


def test_a_slow_head_is_closed_and_nobody_waits_for_it(address: str) -> None:
    host, port = address.split(":")
    slow = [socket.create_connection((host, int(port))) for _ in range(20)]
    for one in slow:
        one.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
    began = time.monotonic()
    assert asked(address, "/health")[0] == 200
    assert time.monotonic() - began < 5
    for one in slow:
        one.settimeout(15)
        assert one.recv(10) == b""
    kept = socket.create_connection((host, int(port)))
    kept.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    kept.settimeout(15)
    answer = b""
    while b"healthy" not in answer:
        answer += kept.recv(4096)
    kept.sendall(b"GET /health HTTP/1.1\r\nHo")
    assert kept.recv(10) == b""


def test_features_are_labeled_and_the_result_has_three_forms(address: str, server: Server, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ROWS.numpy())
    body = (tmp_path / "x.npy").read_bytes()
    status, answer, headers = asked(address, "/detect", body, {"Content-Type": "application/x-npy"}, token=TOKEN)
    assert status == 202
    job = json.loads(answer)["job"]
    assert headers["location"] == f"/jobs/{job}"
    events = asked(address, f"/jobs/{job}/events", token=TOKEN)[1].decode()
    told = [json.loads(line[6:]) for line in events.splitlines() if line.startswith("data: ")]
    assert told[-1] == {"job": job, "state": "done", "labeled": 60, "frames": 60}
    expected = server.detector.classifier.detect(ROWS)
    found = json.loads(asked(address, f"/jobs/{job}/result", token=TOKEN)[1])
    assert found["labels"] == expected.labels
    assert [segment["label"] for segment in found["segments"]] == [segment.label for segment in expected.segments]
    table = asked(address, f"/jobs/{job}/result?format=csv", token=TOKEN)[1].decode().splitlines()
    assert len(table) == 1 + len(expected.segments)
    cues = asked(address, f"/jobs/{job}/result?format=vtt", token=TOKEN)[1].decode()
    assert cues.startswith("WEBVTT\n\n00:00:0")
    assert asked(address, f"/jobs/{job}/result?format=xml", token=TOKEN)[0] == 400
    assert asked(address, f"/jobs/{job}", method="DELETE", token=TOKEN)[0] == 204
    assert asked(address, f"/jobs/{job}", token=TOKEN)[0] == 404
    assert not list(Path(server.jobs.folder.name).iterdir())


def test_a_server_without_an_encoder_says_so() -> None:
    with serving(Server(detector(1))) as place:
        for kind in ("video/mp4", "application/json"):
            status, body, _ = asked(place, "/detect", b"x", {"Content-Type": kind})
            assert status == 415
            assert b"no encoder" in body
        assert "no encoder" in Bare(place, kind="jpeg").ready["why"]


def test_pictures_and_videos_are_labeled_as_whole_videos_are(address: str, server: Server, tmp_path: Path) -> None:
    write_scenes(tmp_path / "x.mp4", [("red", 1.0), ("blue", 1.0)])
    body = (tmp_path / "x.mp4").read_bytes()
    status, answer, _ = asked(address, "/detect", body, {"Content-Type": "video/mp4"}, token=TOKEN)
    assert status == 202, answer
    job = json.loads(answer)["job"]
    asked(address, f"/jobs/{job}/events", token=TOKEN)
    found = json.loads(asked(address, f"/jobs/{job}/result", token=TOKEN)[1])
    assert found["labels"] == server.detector.classifier.detect(tmp_path / "x.mp4").labels
    client = Bare(address, kind="jpeg", token=TOKEN)
    rows, labels = [], []
    for size in [(64, 48), (80, 80), (64, 48), (320, 200), (64, 48)] * 2:
        data = jpeg_of(size, len(rows))
        client.send(data)
        labels.append(client.next()["label"])
        picture = JPEGReader(SmallEncoder.shrink).read(data)
        rows.append(SmallEncoder().encode(picture[None]).half().float()[0])
    assert labels == server.detector.classifier.detect(torch.stack(rows)).labels
    for bad, why in ((data[:50], "no JPEG"), (data[:-40], "its end is missing"), (b"GIF89a", "no JPEG")):
        client.send(bad)
        assert why in client.next()["why"]
    client.send({"type": "end"})


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (b"not a video", "video/mp4", "cannot be opened as a video"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "video/mp4", "cannot be opened as a video"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "application/x-npy", ""),
        (b"\x93NUMPY", "application/x-npy", ""),
        (TOO_LARGE.getvalue(), "application/x-npy", "too large for the classifier"),
    ],
)
def test_what_cannot_be_labeled_fails_without_a_path(
    address: str, server: Server, body: bytes, kind: str, why: str
) -> None:
    status, answer, _ = asked(address, "/detect", body, {"Content-Type": kind}, token=TOKEN)
    assert status == 202
    job = json.loads(answer)["job"]
    events = asked(address, f"/jobs/{job}/events", token=TOKEN)[1].decode()
    last = json.loads(events.strip().splitlines()[-1][6:])
    assert last["state"] == "failed"
    assert why in last["why"]
    assert last["why"]
    assert "/" not in last["why"].replace("/jobs/", "")
    assert asked(address, f"/jobs/{job}/result", token=TOKEN)[0] == 409
    asked(address, f"/jobs/{job}", method="DELETE", token=TOKEN)
    assert not list(Path(server.jobs.folder.name).iterdir())


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * 100_001, {"Content-Type": "video/mp4"}, 413),
        (b"", {"Content-Type": "video/mp4"}, 400),
        (b"x", {"Content-Type": "text/plain"}, 415),
        (b"x", {}, 415),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[" * 4000, {"Content-Type": "application/json"}, 400),
        (b'{"url": "https://example.org/x.mp4"}', {"Content-Type": "application/json"}, 403),
        (b'{"url": "' + b"x" * 5000, {"Content-Type": "application/json"}, 413),
    ],
)
def test_a_body_that_is_not_taken_is_refused_in_words(
    address: str, server: Server, body: bytes, headers: dict[str, str], status: int
) -> None:
    found, answer, _ = asked(address, "/detect", body, headers, token=TOKEN)
    assert found == status
    assert set(json.loads(answer)["error"]) == {"why", "remedy"}
    assert not list(Path(server.jobs.folder.name).iterdir())


def test_an_upload_that_is_cut_off_or_too_slow_leaves_no_file(address: str, server: Server) -> None:
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.putrequest("POST", "/detect")
    for name, value in {"Authorization": f"Bearer {TOKEN}", "Content-Type": "video/mp4"}.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", "5000")
    connection.endheaders(b"half")
    wait_for(lambda: len(list(Path(server.jobs.folder.name).iterdir())) == 1)
    connection.close()
    wait_for(lambda: not list(Path(server.jobs.folder.name).iterdir()))
    wait_for(lambda: server.jobs.arriving == 0)


def test_a_video_that_is_forgotten_while_it_waits_leaves_no_file(address: str, server: Server) -> None:
    go_on = Event()
    server.jobs.worker.submit(go_on.wait)
    try:
        for _ in range(2):
            status, answer, _ = asked(address, "/detect", b"x", {"Content-Type": "video/mp4"}, token=TOKEN)
            assert status == 202
            asked(address, f"/jobs/{json.loads(answer)['job']}", method="DELETE", token=TOKEN)
            assert not list(Path(server.jobs.folder.name).iterdir())
    finally:
        go_on.set()


def test_a_disk_that_does_not_take_a_video_is_told_and_nothing_stays(
    address: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(body: object, path: Path) -> None:
        path.write_bytes(b"a part")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(server.jobs, "_write", full)
    status, answer, _ = asked(address, "/detect", b"x", {"Content-Type": "video/mp4"}, token=TOKEN)
    assert status == 503
    assert json.loads(answer)["error"]["why"] == "The server's disk does not take the video."
    assert not list(Path(server.jobs.folder.name).iterdir())


def test_names_are_the_same_in_capitals() -> None:
    with serving(Server(detector(1), hosts=frozenset({"Labels.Example.org"}))) as place:
        for host, status in (("LABELS.example.org:80", 200), ("LocalHost", 200), ("example.org", 403)):
            assert asked(place, "/health", headers={"Host": host})[0] == status
