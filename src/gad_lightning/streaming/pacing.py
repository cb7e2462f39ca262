"""Between a source that does not wait and a detector that may be late: one slot, and a count of what it lost."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from threading import Condition, Event, Thread
from typing import Generic, NamedTuple, TypeVar

from gad_lightning.errors import GadError
from gad_lightning.video.base import Frame

T = TypeVar("T")
LOOK_UP_SECONDS = 0.2
"""How often a wait for a frame looks up, whether it is still wanted."""
LEAVE_SECONDS = 1.0
"""How long a reading thread is given to end; one that waits for data is left behind, and ends at its timeout."""


class Arrival(NamedTuple):
    """A frame on its way to the detector."""

    frame: Frame
    arrived: float  # time.monotonic() when the source gave it
    dropped: int  # frames that came too late so far: newer ones were there before they were read


class Mailbox(Generic[T]):
    """One slot between two threads: a new item replaces one that nobody has taken, which is dropped and counted.

    Args:
        stopped: ends a wait when set.

    Example:
        >>> box = Mailbox()
        >>> box.put("first"), box.put("second")
        (True, True)
        >>> box.take(), box.dropped
        ('second', 1)
    """

    def __init__(self, stopped: Event | None = None) -> None:
        self.stopped = stopped or Event()
        self.changed = Condition()
        self.item: T | None = None
        self.dropped = 0
        self.closed = False
        self.error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Leave an item, without waiting; False if nobody will take it any more."""
        with self.changed:
            if self.closed:
                return False
            self.dropped += self.item is not None
            self.item = item
            self.changed.notify()
            return True

    def close(self, error: BaseException | None = None) -> None:
        """Let nothing more be put; what lies there can still be taken, then comes ``error`` or the end."""
        with self.changed:
            self.closed = True
            self.error = self.error or error
            self.changed.notify()

    def take(self) -> T | None:
        """Wait for the newest item; None at the end, or when stopped.

        Raises:
            BaseException: the one that the mailbox was closed with.
        """
        with self.changed:
            while self.item is None and not self.closed and not self.stopped.is_set():
                self.changed.wait(LOOK_UP_SECONDS)
            item, self.item = self.item, None
            if item is None and self.error is not None:
                raise self.error
            return item


def every(source: Iterable[Frame]) -> Generator[Arrival]:
    """Give every frame of a source that waits, such as a file."""
    for frame in source:
        yield Arrival(frame, time.monotonic(), 0)


def newest(source: Iterable[Frame], stopped: Event | None = None) -> Generator[Arrival]:
    """Give the newest frame of a source that does not wait; those that are missed meanwhile are dropped and counted.

    The source is read in a thread of its own, which holds one frame. Closing this iterator ends it.

    Args:
        source: read once.
        stopped: ends the wait for a frame when set.

    Raises:
        GadError: what the source raised.
    """
    mailbox: Mailbox[Arrival] = Mailbox(stopped)
    reader = Thread(target=_carry, args=(source, mailbox), name="frames", daemon=True)
    reader.start()
    try:
        while (arrival := mailbox.take()) is not None:
            yield arrival._replace(dropped=mailbox.dropped)
    finally:
        mailbox.close()
        reader.join(LEAVE_SECONDS)


def _carry(source: Iterable[Frame], mailbox: Mailbox[Arrival]) -> None:
    """Carry frames from a source to a mailbox, and its error too."""
    try:
        for frame in source:
            if not mailbox.put(Arrival(frame, time.monotonic(), 0)):
                break
    except GadError as error:
        mailbox.close(error)
    except BaseException as error:
        mailbox.close(error)
        raise
    mailbox.close()


def is_gap(before: float | None, now: float, gap_seconds: float) -> bool:
    """Whether a stream begins anew at a frame: the detector has read nothing of the ``gap_seconds`` before it.

    After a shorter time the stream goes on: the frames in between are missing and nothing takes their place.

    Args:
        before: stream time of the last frame that was read, None at first.
        now: stream time of this frame.
        gap_seconds: longest time that is no gap.

    Example:
        >>> is_gap(None, 0.0, 2.0), is_gap(3.0, 5.0, 2.0), is_gap(3.0, 5.25, 2.0)
        (False, False, True)
    """
    return before is not None and now - before > gap_seconds + 1e-6
