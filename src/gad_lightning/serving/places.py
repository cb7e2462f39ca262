"""Who has which place in the detector: new streams, those that come back, and those that have gone."""

from __future__ import annotations

import hmac
import time

from gad_lightning.serving.batching import Batcher
from gad_lightning.serving.limits import Limits
from gad_lightning.serving.messages import BadMessage, Start
from gad_lightning.serving.stream import Leave, Stream, digest_of


class Places:
    """The places of a server.

    A stream that loses its connection keeps its place for ``resume_seconds``, or until a new stream needs it: the one
    that has been away for longest goes first.

    Args:
        count: streams that there is room for.
        limits: of the server.
        batcher: labels their frames.
    """

    def __init__(self, count: int, limits: Limits, batcher: Batcher) -> None:
        self.count, self.limits, self.batcher = count, limits, batcher
        self.taken: dict[int, Stream] = {}
        batcher.figures.places.set(count)

    def open(self, start: Start) -> Stream:
        """Give a new stream a place.

        Raises:
            BadMessage: if there is none.
        """
        free = next((place for place in range(self.count) if place not in self.taken), None)
        if free is None:
            away = [stream for stream in self.taken.values() if stream.left is not None]
            if not away:
                self.batcher.figures.full.inc()
                raise BadMessage(
                    f"All {self.count} places are taken.",
                    "try again later, or serve with more --streams",
                    4503,
                )
            oldest = min(away, key=lambda stream: stream.left or 0)
            self.forget(oldest)
            free = oldest.place
        stream = self.taken[free] = Stream(free, start, self.limits)
        stream.left = time.monotonic()  # until it is held
        return stream

    def resume(self, token: str, after: int) -> Stream:
        """Find a stream by its token.

        Raises:
            BadMessage: if there is none, or messages after ``after`` are kept no more.
        """
        digest = digest_of(token)
        found = [stream for stream in self.taken.values() if hmac.compare_digest(stream.digest, digest)]
        if not found:
            raise BadMessage("No stream has this resume token (any more).", "start a new stream", 4404)
        if after >= found[0].told or found[0].messages_from(after + 1) is None:
            raise BadMessage("The messages after that one are not kept.", "start a new stream", 4410)
        return found[0]

    def leave(self, stream: Stream, done: bool) -> None:
        """Note that a stream has lost its connection; one that is done gives its place back."""
        stream.left, stream.leave = time.monotonic(), None
        if done:
            self.forget(stream)
        self.count_them()

    def forget(self, stream: Stream) -> None:
        """Give the place of a stream to whoever comes."""
        if self.taken.get(stream.place) is stream:
            del self.taken[stream.place]
        self.batcher.forget(stream)
        self.count_them()

    def look(self) -> None:
        """Close streams that stall, and forget those that did not come back; called about once a second."""
        now = time.monotonic()
        for stream in list(self.taken.values()):
            if stream.left is None and now - stream.heard > self.limits.stall_seconds:
                self.batcher.figures.stalled.inc()
                stream.dismiss(Leave(4408, f"no frame came for {self.limits.stall_seconds:g} s"))
            elif stream.left is not None and now - stream.left > self.limits.resume_seconds:
                self.forget(stream)
        self.count_them()

    def count_them(self) -> None:
        """Tell the figures, and the batcher for how many streams it may wait."""
        self.batcher.open = sum(stream.left is None for stream in self.taken.values())
        self.batcher.figures.open.set(self.batcher.open)
        self.batcher.figures.kept.set(len(self.taken) - self.batcher.open)
