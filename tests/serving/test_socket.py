"""Streams over real sockets: labels are those of offline prediction, whatever the clients do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gad_lightning.serving.app import Server
from gad_lightning.serving.limits import Limits
from gad_lightning.serving.stream import Stream
from tests.serving.making import VIDEOS, Bare, detector, row, serving, wait_for

LIMITS = Limits(waiting=3, start_seconds=3, history=40)


@pytest.fixture(scope="module")
def server() -> Server:
    """A server of four streams."""
    return Server(detector(4), LIMITS)


@pytest.fixture(scope="module")
def address(server: Server) -> Iterator[str]:
    """Where it listens."""
    with serving(server) as place:
        yield place


def closed(client: Bare) -> tuple[int, str]:
    """Code and reason that a connection is closed with, and what was told before."""
    while client.socket.close_code is None:
        with suppress(ConnectionClosed):
            client.next()
    return client.socket.close_code, client.socket.close_reason or ""


def held(server: Server) -> Stream:
    """The one stream that has a connection."""
    (found,) = [stream for stream in server.places.taken.values() if stream.left is None]
    return found


def test_streams_side_by_side_have_the_labels_and_events_of_whole_videos(address: str, server: Server) -> None:
    clients = [Bare(address) for _ in range(4)]
    told: list[list[dict[str, object]]] = [[] for _ in clients]
    for frame in range(30):
        for number, client in enumerate(clients):
            if frame % 3 or number % 2:  # some streams are slower
                client.send(row(VIDEOS[number, len(told[number])]))
        for number, client in enumerate(clients):
            if frame % 3 or number % 2:
                told[number].append(client.next())
    for number, client in enumerate(clients):
        client.send({"type": "end"})
        told[number].append(client.next())
        assert closed(client)[0] == 1000
        shown = VIDEOS[number, : len(told[number]) - 1]
        expected = server.detector.classifier.detect(shown)
        assert [message["label"] for message in told[number][:-1]] == expected.labels
        ended = [event for message in told[number] for event in message["ended"]]  # type: ignore[attr-defined]  # JSON
        keys = ("label", "start_seconds", "end_seconds")
        found = sorted(tuple(event[key] for key in keys) for event in ended)
        assert found == sorted(segment[:3] for segment in expected.segments)


def test_a_stream_that_is_too_fast_loses_its_oldest_frames_and_is_told_which(address: str, server: Server) -> None:
    client = Bare(address)
    with server.detector.classifier.turns:  # the detector is busy
        for frame in VIDEOS[5, :20]:
            client.send(row(frame))
        wait_for(lambda: held(server).sent == 20)
    client.send({"type": "end"})
    labels, lost = {}, set()
    while (message := client.next())["type"] != "end":
        labels[message["frame"]] = message["label"]
        lost |= {number for first, last in message["lost"] for number in range(first, last + 1)}
        assert message["dropped"] == len(lost)
    assert lost
    assert set(labels) | lost == set(range(20))
    assert not set(labels) & lost
    assert max(labels) == 19
    kept = VIDEOS[5, sorted(labels)]
    assert [labels[number] for number in sorted(labels)] == server.detector.classifier.detect(kept).labels


def test_over_capacity_a_stream_is_refused_and_one_that_is_away_gives_way(address: str) -> None:
    clients = [Bare(address) for _ in range(4)]
    late = Bare(address)
    assert late.ready == {
        "type": "closed",
        "code": 4503,
        "why": "All 4 places are taken.",
        "remedy": "try again later, or serve with more --streams",
    }
    assert closed(late)[0] == 4503
    clients[2].socket.close()
    until = time.monotonic() + 5
    while (new := Bare(address)).ready["type"] == "closed" and time.monotonic() < until:
        time.sleep(0.05)
    assert new.ready["type"] == "ready"
    gone = Bare(address, resume=clients[2].ready["resume"])
    assert gone.ready["code"] == 4404
    for client in (*clients, new):
        client.socket.close()


def test_a_stream_goes_on_after_its_connection_was_lost_and_no_message_is_lost(address: str, server: Server) -> None:
    client = Bare(address)
    token = client.ready["resume"]
    labels = [client.label(frame)["label"] for frame in VIDEOS[6, :10]]
    with server.detector.classifier.turns:
        client.send(row(VIDEOS[6, 10]))
        stream = held(server)
        wait_for(lambda: stream.sent == 11)
        client.socket.socket.close()  # nothing is said
    wait_for(lambda: stream.left is not None)
    again = Bare(address, resume=token, after=9)
    assert again.ready["next"] == 11
    labels += [again.next()["label"], *(again.label(frame)["label"] for frame in VIDEOS[6, 11:20])]
    assert labels == server.detector.classifier.detect(VIDEOS[6, :20]).labels
    twice = Bare(address, resume=token, after=19)  # the old connection is still there
    assert closed(again)[0] == 4409
    assert twice.label(VIDEOS[6, 20])["frame"] == 20
    forgetful = Bare(address, resume=token, after=5)
    assert [forgetful.next()["id"] for _ in range(15)] == list(range(6, 21))
    for after, code in ((99, 4410), (-5, 4400)):
        assert Bare(address, resume=token, after=after).ready["code"] == code
    forgetful.send({"type": "end"})


def test_a_stream_that_stalls_is_closed_and_its_place_is_free_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gad_lightning.serving.app.LOOK_SECONDS", 0.05)
    stalled = Server(detector(1), Limits(stall_seconds=1, resume_seconds=0.2))
    with serving(stalled) as place:
        client = Bare(place)
        client.label(VIDEOS[0, 0])
        assert client.next() == {"type": "closed", "code": 4408, "why": "no frame came for 1 s"}
        assert closed(client)[0] == 4408
        wait_for(lambda: not stalled.places.taken)
        assert Bare(place, resume=client.ready["resume"], after=0).ready["code"] == 4404


def test_a_frame_that_cannot_be_used_is_refused_and_the_stream_goes_on(address: str, server: Server) -> None:
    client = Bare(address)
    wrong = [b"", b"x" * 7, row(np.full(6, np.nan)), row(np.full(6, np.inf)), row(np.zeros(12))]
    labels = []
    for bad, frame in zip(wrong, VIDEOS[7], strict=False):
        client.send(bad)
        message = client.next()
        assert message["type"] == "refused"
        assert "bytes" in message["why"] or "finite" in message["why"]
        labels.append(client.label(frame)["label"])
    assert labels == server.detector.classifier.detect(VIDEOS[7, : len(labels)]).labels
    client.send({"type": "end"})


def test_a_client_begins_anew_when_it_says_so(address: str, server: Server) -> None:
    client = Bare(address, dtype="float16")
    half = VIDEOS[:2, :12].half()
    labels = []
    for video in half:
        client.send({"type": "restart"})
        for frame in video:
            client.send(frame.numpy().tobytes())
            labels.append(client.next()["label"])
    expected = [server.detector.classifier.detect(video.float()).labels for video in half]
    assert labels == expected[0] + expected[1]
    client.send({"type": "end"})


def test_only_changes_are_told_if_so_asked(address: str, server: Server) -> None:
    client = Bare(address, events="changes")
    for frame in VIDEOS[4, :20]:
        client.send(row(frame))
        time.sleep(0.02)
    client.send({"type": "end"})
    told = [client.next()]
    while told[-1]["type"] != "end":
        told.append(client.next())
    assert all(message["started"] or message["ended"] or message["lost"] for message in told[:-1])
    assert len(told) < 20


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("no JSON", "JSON object"),
        ("[1]", "JSON object"),
        ('{"type":"start","kind":"features","fps":4,"x":1}', "first message"),
        ('{"type":"start","kind":"sound","fps":4}', "kind is one of"),
        ('{"type":"start","kind":"features","fps":25}', "4 frames a second"),
        ('{"type":"start","kind":"features","fps":NaN}', "4 frames a second"),
        ('{"type":"start","kind":["jpeg"],"fps":4}', "kind is one of"),
        ('{"type":"start","resume":7}', "texts"),
        ('{"type":"start","kind":"features","fps":1' + "0" * 400 + "}", "4 frames a second"),
        ('{"type":"start","kind":"features","fps":4,"probabilities":1}', "true or false"),
        ("[" * 5000, "JSON object"),
    ],
)
def test_a_first_message_that_starts_nothing_is_answered_in_words(address: str, message: str, why: str) -> None:
    with connect(f"ws://{address}/stream") as socket:
        socket.send(message)
        told = socket.recv(timeout=30)
        assert why in str(told)
        assert '"code":4400' in str(told)


def test_a_token_of_half_characters_is_a_wrong_one(address: str) -> None:
    with connect(f"ws://{address}/stream") as socket:
        socket.send('{"type":"start","token":"\\ud800","resume":"\\ud800"}')
        assert '"code":4404' in str(socket.recv(timeout=30))


def test_a_client_that_says_nothing_is_closed_and_others_are_served(address: str) -> None:
    with connect(f"ws://{address}/stream") as silent:
        client = Bare(address)
        assert client.label(VIDEOS[0, 0])["type"] == "label"
        assert "No message came for 3 s" in str(silent.recv(timeout=30))
        client.send({"type": "end"})


def test_a_message_that_is_none_ends_the_connection_but_not_the_stream(address: str) -> None:
    client = Bare(address)
    client.label(VIDEOS[0, 0])
    client.send({"type": "dance"})
    assert "none of restart and end" in client.next()["why"]
    assert closed(client)[0] == 4400
    again = Bare(address, resume=client.ready["resume"], after=0)
    assert again.label(VIDEOS[0, 1])["frame"] == 1
    again.send({"type": "end"})


def test_a_message_that_is_too_large_ends_the_connection(address: str) -> None:
    client = Bare(address)
    with suppress(ConnectionClosed):  # the server reads no more than the head of it
        client.send(b"0" * (int(LIMITS.frame_kb) * 1024 + 1))
    assert closed(client)[0] == 1009


def test_what_a_stream_keeps_does_not_grow(address: str, server: Server) -> None:
    client = Bare(address)
    for frame in VIDEOS[3]:
        client.label(frame)
    stream = held(server)
    assert len(stream.history) == LIMITS.history
    assert not stream.waiting
    assert not stream.lost
    client.send({"type": "end"})
    assert client.next()["type"] == "end"


def test_the_place_of_a_stream_shows_nothing_of_the_one_before() -> None:
    small = Server(detector(1))
    with serving(small) as place:
        for number in (1, 2, 3):
            while (client := Bare(place)).ready["type"] != "ready":
                time.sleep(0.05)  # the server has not seen yet that the one before is gone
            told = [client.label(frame) for frame in VIDEOS[number, :15]]
            expected = small.detector.classifier.detect(VIDEOS[number, :15]).labels
            assert [message["label"] for message in told] == expected
            assert not told[0]["ended"]
            assert any(message["started"] for message in told)
            client.socket.close()  # with events that go on


def test_a_row_too_large_to_compute_with_is_refused_and_spoils_no_other_frame(address: str, server: Server) -> None:
    hostile, other = Bare(address), Bare(address)
    labels = []
    for frame in VIDEOS[0, :6]:
        hostile.send(row(np.full(6, 3e38)))
        labels.append(other.label(frame)["label"])
        told = hostile.next()
        assert told["type"] == "refused"
        assert "too large for the classifier" in told["why"]
    assert labels == server.detector.classifier.detect(VIDEOS[0, :6]).labels
    assert [hostile.label(frame)["label"] for frame in VIDEOS[1, :6]] == (
        server.detector.classifier.detect(VIDEOS[1, :6]).labels
    )
