"""A server that stops hands its streams to the one that starts after it, to the bit."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import torch

from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.serving.app import Server
from gad_lightning.serving.keeping import load_streams
from tests.serving.making import VIDEOS, Bare, detector, row, serving


def test_streams_go_on_after_a_restart_with_the_very_scores_of_a_server_that_never_stopped(tmp_path: Path) -> None:
    state = tmp_path / "streams"
    never = detector(3)
    messages: list[list[dict[str, object]]] = [[], []]
    first = Server(detector(3), state=state)
    with serving(first) as address:
        clients = [Bare(address), Bare(address)]
        for frame in range(13):
            for number, client in enumerate(clients):
                messages[number].append(client.label(VIDEOS[number, frame]))
        with first.detector.classifier.turns:
            clients[1].send(row(VIDEOS[1, 13]))  # labeled before the server stops, and told by the next one
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert clients[0].ready["resume"].encode() not in state.read_bytes()
    second = Server(detector(3), state=state)
    with serving(second) as address:
        assert not state.exists()
        assert Bare(address, resume="x" * 32).ready["code"] == 4404
        again = [Bare(address, resume=client.ready["resume"], after=12) for client in clients]
        messages[1].append(again[1].next())
        for number, client in enumerate(again):
            assert client.ready["next"] == 13 + number
            messages[number] += [client.label(frame) for frame in VIDEOS[number, 13 + number : 40]]
        new = Bare(address)
        assert [new.label(frame)["label"] for frame in VIDEOS[2, :5]] == never.classifier.detect(VIDEOS[2, :5]).labels
    for number in range(2):
        expected = never.classifier.detect(VIDEOS[number, :40])
        assert [message["label"] for message in messages[number]] == expected.labels
        pushed = [never.decide(never.push(frame[None], [number]))[0] for frame in VIDEOS[number, :40]]
        scores = [float((step.probabilities * step.chosen).max()) for step in pushed]
        assert [message["score"] for message in messages[number]] == pytest.approx(scores, abs=1e-6)
        assert [message["id"] for message in messages[number]] == list(range(40))


def test_the_state_of_the_detector_is_the_same_to_the_bit(tmp_path: Path) -> None:
    state = tmp_path / "streams"
    first = Server(detector(2), state=state)
    with serving(first) as address:
        client = Bare(address)
        for frame in VIDEOS[0, :11]:
            client.label(frame)
    second = Server(detector(2))
    load_streams(state, second.places)
    theirs, mine = first.detector.state_dict(), second.detector.state_dict()
    assert theirs.keys() == mine.keys()
    assert all(torch.equal(part, mine[name]) for name, part in theirs.items())
    assert second.places.taken.keys() == {0}


@pytest.mark.parametrize("text", [b"", b"nonsense", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_a_file_of_something_else_is_refused_by_its_name_and_stays(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "streams"
    path.write_bytes(text)
    with pytest.raises(CheckpointError, match="streams") as error:
        load_streams(path, Server(detector(1)).places)
    assert "--state" in error.value.remedy or "--streams" in error.value.remedy
    assert path.exists()


def test_streams_of_another_number_of_places_are_refused(tmp_path: Path) -> None:
    state = tmp_path / "streams"
    with serving(Server(detector(2), state=state)):
        pass
    with pytest.raises(CheckpointError, match="this detector has") as error, serving(Server(detector(3), state=state)):
        pass
    assert "--streams" in error.value.remedy
    assert state.exists()


def test_a_file_that_could_not_be_written_at_the_end_is_refused_at_the_start(tmp_path: Path) -> None:
    for state in (tmp_path, tmp_path / "nowhere" / "streams"):
        with pytest.raises(SettingError, match="cannot be written"):
            Server(detector(1), state=state).take_up()
