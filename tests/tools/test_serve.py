"""`gad-lightning serve` as a user starts, stops and kills it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gad_lightning.errors import SettingError
from gad_lightning.serving.limits import TOKEN
from gad_lightning.tools.serve import main
from tests.serving.making import VIDEOS, Bare, asked, detector


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier in a folder."""
    folder = tmp_path_factory.mktemp("classifier")
    detector(1).classifier.save_pretrained(folder)
    return folder


@contextmanager
def process(*words: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command; gives its process and address. It is killed at the end if it still runs."""
    command = [sys.executable, "-m", "gad_lightning", "serve", "--port", "0", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert started.stdout is not None
    said = ""
    try:
        for line in started.stdout:
            said += line
            if found := re.search(r"serving at http://(\S+),", line):
                yield started, found[1]
                return
        pytest.fail(said)
    finally:
        started.kill()
        started.wait()
        started.stdout.close()


@pytest.mark.parametrize(
    ("given", "token", "why"),
    [
        ({"host": "0.0.0.0"}, "", "which others can reach, and there is no token"),
        ({}, "short", "no secret of at least 16"),
        ({}, "a token with blanks in it", "no secret of at least 16"),
        ({"urls": ["file:///etc/"]}, "", "no folder of a host"),
        ({"urls": ["https://example.org/video"]}, "", "no folder of a host"),
        ({"urls": ["https://user@example.org/"]}, "", "no folder of a host"),
    ],
)
def test_what_would_be_unsafe_is_refused_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, object], token: str, why: str
) -> None:
    monkeypatch.setenv(TOKEN, token)
    with pytest.raises(SettingError, match=why) as error:
        main(ckpt_path="nowhere.ckpt", **given)  # type: ignore[arg-type]  # of several kinds
    assert "short" not in str(error.value) or not token


def test_more_streams_than_memory_holds_are_refused_in_words(checkpoint: Path) -> None:
    with pytest.raises(SettingError, match=f"no memory for {10**14} streams"):
        main(ckpt_path=checkpoint, streams=10**14)


def test_a_port_that_is_taken_is_named(checkpoint: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=f"cannot listen at 127.0.0.1:{port}"):
            main(ckpt_path=checkpoint, port=port, streams=1, device="cpu")


@pytest.mark.slow  # starts three processes
def test_streams_survive_a_stop_and_begin_anew_after_a_kill(checkpoint: Path, tmp_path: Path) -> None:
    state = tmp_path / "streams"
    words = ("--ckpt_path", str(checkpoint), "--streams", "2", "--state", str(state), "--device", "cpu")
    offline = detector(1).classifier
    with process(*words) as (server, address):
        client = Bare(address)
        labels = [client.label(frame)["label"] for frame in VIDEOS[0, :10]]
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) in (0, -signal.SIGTERM)
    assert state.is_file()
    with process(*words) as (server, address):
        again = Bare(address, resume=client.ready["resume"], after=9)
        labels += [again.label(frame)["label"] for frame in VIDEOS[0, 10:20]]
        assert labels == offline.detect(VIDEOS[0, :20]).labels
        server.send_signal(signal.SIGKILL)
        server.wait(60)
    assert not state.exists()
    with process(*words) as (server, address):
        assert Bare(address, resume=client.ready["resume"], after=19).ready["code"] == 4404
        new = [Bare(address), Bare(address)]
        for number, video in enumerate(VIDEOS[2:4, :10]):
            found = [new[number].label(frame)["label"] for frame in video]
            assert found == offline.detect(video).labels


@pytest.mark.slow  # starts a process
def test_the_token_of_the_environment_is_asked_for_and_never_shown(checkpoint: Path) -> None:
    token = "0123456789-of-a-test"
    with process("--ckpt_path", str(checkpoint), "--device", "cpu", **{TOKEN: token}) as (server, address):
        assert asked(address, "/classes")[0] == 401
        assert asked(address, "/classes", token=token)[0] == 200
        server.send_signal(signal.SIGINT)
        began = time.monotonic()
        server.wait(60)
        assert time.monotonic() - began < 30
        assert server.stdout is not None
        assert token not in server.stdout.read()
