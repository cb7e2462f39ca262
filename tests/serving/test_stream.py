"""What a stream keeps: the newest frames, exact losses, and no more messages than it may."""

from __future__ import annotations

import random
import time

from gad_lightning.serving.limits import Limits
from gad_lightning.serving.messages import Start, read_object
from gad_lightning.serving.stream import Stream


def made(**limits: int) -> Stream:
    """A stream that nobody holds."""
    return Stream(0, Start("features", 4.0), Limits(**limits))


def test_every_frame_is_taken_or_told_as_lost_whatever_the_order() -> None:
    drawn = random.Random(0)
    stream = made(waiting=3)
    taken, lost, begun = [], [], []
    for _ in range(2000):
        if drawn.random() < 0.6:
            stream.anew = stream.anew or drawn.random() < 0.05
            begun += [stream.sent] if stream.anew else []
            stream.put(b"x")
        elif stream.waiting:
            frame = stream.take(0.0)
            taken.append(frame)
            stream.tell("label", {"frame": frame.number})
            told = read_object(stream.history[-1])
            lost += [number for first, last in told["lost"] for number in range(first, last + 1)]  # type: ignore[union-attr, misc, operator]  # JSON
            assert told["dropped"] == stream.dropped
    rest = [frame.number for frame in stream.waiting]
    untold = [number for first, last in stream.lost for number in range(first, last + 1)]
    numbers = [frame.number for frame in taken]
    assert numbers == sorted(numbers)
    assert sorted([*numbers, *lost, *untold, *rest]) == list(range(stream.sent))
    assert len(stream.waiting) <= 3
    anew = [frame.number for frame in taken if frame.anew]
    assert anew
    for number in begun:  # a beginning that was lost is that of the next frame which was not
        following = [each for each in [*numbers, *rest] if each >= number]
        assert not following or following[0] in anew or following[0] in rest


def test_messages_that_are_kept_no_more_are_known_to_be_missing() -> None:
    stream = made(history=5)
    for number in range(12):
        stream.tell("label", {"frame": number})
    assert stream.messages_from(6) is None
    assert [read_object(text)["id"] for text in stream.messages_from(7) or []] == [7, 8, 9, 10, 11]
    assert stream.messages_from(12) == []


def test_a_stream_is_due_only_so_often() -> None:
    stream = made(frames_per_second=10)
    now = time.monotonic()
    for _ in range(30):
        stream.put(b"x")
        stream.take(now)
    assert stream.earliest > now + 1.9


def test_the_end_is_never_lost() -> None:
    stream = made(waiting=1)
    for _ in range(3):
        stream.put(b"x")
    stream.put(None)
    assert [frame.data for frame in stream.waiting] == [b"x", None]
