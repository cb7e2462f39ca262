"""A live stream that a server labels, frame by frame, as a watcher of one's own would."""

from __future__ import annotations

import time
from contextlib import suppress

import torch

from gad_lightning.classifiers.detection import Stretch
from gad_lightning.errors import DataError, SettingError
from gad_lightning.serving.client import Client
from gad_lightning.serving.told import ServerError
from gad_lightning.streaming.pacing import Arrival, is_gap
from gad_lightning.streaming.watching import Sighting
from gad_lightning.video.base import Resize

RESIZE = Resize(480, "shorter")
"""Of the pictures that are sent."""


class RemoteWatcher:
    """Labels one live stream by a server; see :class:`~gad_lightning.streaming.watching.Watcher`.

    Args:
        url: of the server, such as ``ws://127.0.0.1:8000``.
        token: that it wants; empty for none.
        gap_seconds: after a longer time without a frame the stream begins anew.

    Raises:
        ServerError: if the server is not there, or has no place.
        SettingError: if the gap is shorter than the time between two frames.
    """

    def __init__(self, url: str, token: str = "", gap_seconds: float = 2.0) -> None:
        self.stream = Client(url, token).stream("jpeg", probabilities=True)
        ready = self.stream.stream.ready
        self.names: tuple[str, ...] = tuple(ready["classes"])
        self.fps: float = ready["fps"]
        self.calibrated: bool = ready["calibrated"]
        if gap_seconds * self.fps < 1:
            raise SettingError(
                f"gap_seconds must be at least one frame, {1 / self.fps:g} s, got {gap_seconds}.", "raise gap_seconds"
            )
        self.gap_seconds = gap_seconds
        self.before: float | None = None
        self.since: dict[str, float] = {}
        self.closed = False

    def look(self, arrival: Arrival) -> Sighting:
        """Label one frame.

        Raises:
            ServerError: if the server closes the stream, or is gone for too long.
            DataError: if it cannot use the picture.
        """
        seconds, picture = arrival.frame
        restarted = is_gap(self.before, seconds, self.gap_seconds)
        if restarted:
            self.stream.restart()
        told = self.stream.label(picture)
        if told.refused:
            raise DataError(told.refused, "see the limits that the server was started with")
        end = self._end if restarted else seconds
        ended = tuple(self._stretch(event, end) for event in told.ended)
        if told.restarted:  # the server knows nothing of what went on
            self.since = {}
        self.since |= {event.label: seconds for event in told.started}
        started = tuple(event._replace(start_seconds=seconds, end_seconds=seconds) for event in told.started)
        self.before = seconds
        probabilities = torch.tensor(told.probabilities)
        return Sighting(
            seconds=seconds,
            label=told.label,
            likeliest=told.likeliest,
            probabilities=probabilities,
            score=told.score,
            entropy=float(torch.special.entr(probabilities).sum()),
            latency=time.monotonic() - arrival.arrived,
            dropped=arrival.dropped,
            restarted=restarted or told.restarted,
            rejection=told.rejection,
            started=started,
            ended=ended,
        )

    def close(self) -> tuple[Stretch, ...]:
        """End the stream; gives the events that went on, none if the server is gone or it has ended already."""
        if self.closed:
            return ()
        self.closed = True
        with suppress(ServerError):
            return tuple(self._stretch(event, self._end) for event in self.stream.end())
        return ()

    @property
    def _end(self) -> float:
        """Where the newest frame ends."""
        return (self.before or 0.0) + 1 / self.fps

    def _stretch(self, event: Stretch, end: float) -> Stretch:
        return event._replace(start_seconds=self.since.pop(event.label, end), end_seconds=end)
