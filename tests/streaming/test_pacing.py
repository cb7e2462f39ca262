"""Late frames are dropped and counted; what happens in the reading thread is heard of."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from gad_lightning.errors import DataError
from gad_lightning.streaming.pacing import Mailbox, every, is_gap, newest
from gad_lightning.video.base import Frame

PICTURE = np.zeros((2, 2, 3), np.uint8)


def frames(count: int, every_seconds: float = 0.0) -> Iterator[Frame]:
    """A source that waits for nobody."""
    for number in range(count):
        time.sleep(every_seconds)
        yield Frame(float(number), PICTURE)


def test_a_slow_reader_gets_the_newest_frame_and_the_count_of_the_others() -> None:
    seen = []
    for arrival in newest(frames(50, 0.01)):
        seen.append(arrival)
        time.sleep(0.05)
    numbers = [int(arrival.frame.seconds) for arrival in seen]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 49
    assert len(numbers) < 25
    for place, arrival in enumerate(seen[1:], start=1):  # every frame was either seen, or dropped, or is still to come
        assert arrival.dropped == numbers[place] - place


def test_a_quick_reader_gets_every_frame() -> None:
    seen = list(newest(frames(20, 0.01)))
    assert [arrival.frame.seconds for arrival in seen] == list(range(20))
    assert seen[-1].dropped == 0


def test_a_source_that_waits_is_read_whole() -> None:
    assert [arrival.frame.seconds for arrival in every(frames(5))] == list(range(5))


def test_only_one_frame_is_ever_held() -> None:
    mailbox: Mailbox[int] = Mailbox()
    for number in range(1000):
        mailbox.put(number)
    mailbox.close()
    assert (mailbox.dropped, mailbox.take(), mailbox.take(), mailbox.put(1)) == (999, 999, None, False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # a bug is also shown where it is
@pytest.mark.parametrize("error", [DataError("The camera is gone.", "look for it"), ZeroDivisionError("our own bug")])
def test_the_error_of_a_source_comes_after_its_last_frame(error: Exception) -> None:
    def broken() -> Iterator[Frame]:
        yield Frame(0.0, PICTURE)
        raise error

    arrivals = newest(broken())
    assert next(arrivals).frame.seconds == 0
    with pytest.raises(type(error), match=str(error).split("\n")[0]):
        next(arrivals)


def test_stopping_ends_the_wait_and_closing_ends_the_thread() -> None:
    stopped, silence = threading.Event(), threading.Event()

    def silent() -> Iterator[Frame]:
        yield Frame(0.0, PICTURE)
        silence.wait(20)
        yield Frame(1.0, PICTURE)

    arrivals = newest(silent(), stopped)
    next(arrivals)
    threading.Timer(0.2, stopped.set).start()
    begin = time.monotonic()
    assert list(arrivals) == []
    assert time.monotonic() - begin < 3
    silence.set()
    endless = newest(frames(10**9))
    next(endless)
    assert "frames" in {thread.name for thread in threading.enumerate()}
    endless.close()
    time.sleep(0.1)
    assert "frames" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [(None, 99.0, False), (1.0, 1.25, False), (1.0, 3.0, False), (1.1, 3.1, False), (1.0, 3.25, True)],
)
def test_only_what_is_longer_is_a_gap(before: float | None, now: float, expected: bool) -> None:
    assert is_gap(before, now, gap_seconds=2.0) == expected
