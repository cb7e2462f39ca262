"""Whatever clients send: the server goes on, tells no trace, and leaves no file."""

from __future__ import annotations

import json
import logging
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from gad_lightning.serving.app import Server
from gad_lightning.serving.limits import Limits
from tests.serving.making import ROWS, Bare, asked, jpeg_of, row, seeing, serving, wait_for

SECRET = "a-token-of-the-tests"
VALUES = [
    "start",
    "end",
    "restart",
    "jpeg",
    "features",
    4,
    -1,
    0.5,
    1e999,
    None,
    [],
    {},
    True,
    "x" * 300,
    "\u0000",
    "💥",
]


@pytest.fixture(scope="module")
def server() -> Server:
    """A server that takes pictures and features."""
    return Server(seeing(3), Limits(body_mb=0.05, start_seconds=2, frame_kb=64, jobs=1000), SECRET)


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Where it listens."""
    with serving(server) as place:
        yield place


def message(drawn: random.Random) -> str | bytes:
    """A message that may be right, nearly right, or nonsense."""
    kind = drawn.randrange(6)
    if kind == 0:
        return drawn.randbytes(drawn.choice([0, 1, 100, 384, 5000]))
    if kind == 1:
        data = bytearray(jpeg_of((32, 32), drawn.randrange(9)))
        for _ in range(drawn.randrange(4)):
            data[drawn.randrange(len(data))] = drawn.randrange(256)
        return bytes(data[: drawn.choice([len(data), len(data) // 2])])
    if kind == 2:
        return row(ROWS[drawn.randrange(60)])
    if kind == 3:
        return "".join(drawn.choice('{}[]",:0aé\\ ') for _ in range(drawn.randrange(40)))
    keys = ["type", "kind", "fps", "dtype", "events", "token", "resume", "after", "x"]
    given = {key: drawn.choice(VALUES) for key in drawn.sample(keys, drawn.randrange(1, 6))}
    start = {"type": "start", "kind": drawn.choice(["jpeg", "features"]), "fps": 4, "token": SECRET}
    return json.dumps(given if kind == 4 else {**start, **(given if drawn.random() < 0.3 else {})})


def send_nonsense(address: str, count: int, drawn: random.Random) -> str:
    """Send messages over connections that are made anew as they are closed; gives all that was answered."""
    told, client = [], None
    for _ in range(count):
        if client is None:
            client = connect(f"ws://{address}/stream", compression=None)
        client, answers = one_message(client, message(drawn))
        told += answers
    if client is not None:
        client.close()
    return "\n".join(told)


def one_message(client: ClientConnection, sent: str | bytes) -> tuple[ClientConnection | None, list[str]]:
    """Send a message and take what has been answered; None for a connection that was closed."""
    told = []
    try:
        client.send(sent)
        while True:
            told.append(str(client.recv(timeout=0.002)))
    except TimeoutError:
        return client, told
    except ConnectionClosed as error:
        return None, [*told, str(error)]


def check_whole(address: str, server: Server, told: str, caplog: pytest.LogCaptureFixture) -> None:
    """See that nothing was given away, and that the server labels as ever."""
    for word in ("Traceback", "/tmp", "site-packages", ".py", SECRET):
        assert word not in told, told[max(0, told.index(word) - 200) :][:400]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR], caplog.text
    assert asked(address, "/health")[0] == 200
    client = Bare(address, token=SECRET)
    labels = [client.label(frame)["label"] for frame in ROWS[:10]]
    assert labels == server.detector.classifier.detect(ROWS[:10]).labels
    client.send({"type": "end"})


def test_a_few_hundred_random_messages(address: str, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    told = send_nonsense(address, 300, random.Random(0))
    assert '"ready"' in told
    assert '"closed"' in told
    check_whole(address, server, told, caplog)


@pytest.mark.slow  # a minute
def test_ten_thousand_random_messages(address: str, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    told = send_nonsense(address, 10_000, random.Random(1))
    check_whole(address, server, told, caplog)


@pytest.mark.parametrize("count", [15, pytest.param(300, marks=pytest.mark.slow)])
def test_uploads_that_are_cut_off_or_damaged(
    address: str, server: Server, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    drawn, told = random.Random(count), b""
    host, port = address.split(":")
    kinds = ["video/mp4", "application/x-npy", "application/json", "text/plain"]
    for _ in range(count):
        body = drawn.randbytes(drawn.randrange(3000))
        head = f"POST /detect HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {SECRET}\r\nContent-Type: "
        head += f"{drawn.choice(kinds)}\r\nContent-Length: {drawn.choice([0, 3000, 10**9, len(body)])}\r\n\r\n"
        with socket.create_connection((host, int(port))) as client:
            client.settimeout(0.05)
            client.sendall(head.encode() + body)
            with suppress(OSError):  # the server waits for the rest, or has refused it
                told += client.recv(4096)
    for name in list(server.jobs.found):
        asked(address, f"/jobs/{name}/events", token=SECRET)
        told += asked(address, f"/jobs/{name}", token=SECRET)[1]
    check_whole(address, server, told.decode(), caplog)
    wait_for(lambda: not list(Path(server.jobs.folder.name).iterdir()))


@pytest.mark.slow  # hundreds of requests
def test_schemathesis_finds_nothing_that_the_description_does_not_say(address: str) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    program = [str(Path(sys.executable).with_name("schemathesis")), "run", f"http://{address}/openapi.json"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    program += ["--header", f"Authorization: Bearer {SECRET}", "--checks", checks, "--max-examples", "15"]
    program += ["--phases", "examples,coverage,fuzzing", "--seed", "1", "--exclude-path", "/health"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
