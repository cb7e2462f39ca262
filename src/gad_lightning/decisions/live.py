"""Decides live streams frame by frame, with the events that whole videos would have."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gad_lightning.decisions.adaptive import STEP, AdaptiveSets
from gad_lightning.decisions.handing_over import HandedOver
from gad_lightning.decisions.observed import Bools, Floats, Ints
from gad_lightning.decisions.path import Decisions, Event
from gad_lightning.decisions.steady import SwitchCost
from gad_lightning.decisions.switches import Switches
from gad_lightning.errors import SettingError


class Step(NamedTuple):
    """What one frame of a stream brings."""

    probabilities: Floats  # (C',) calibrated; C' as in Decided
    chosen: Bools  # (C',) the label shown, or the labels where several can be true
    started: list[Event]  # events that start with this frame, the alarms; ``end`` is the next frame
    ended: list[Event]  # events whose last frame was the one before
    set: tuple[int, ...] = ()  # classes that the frame may show, at the stated error; none without label sets
    words: HandedOver | None = None  # the unknown stretch that has now lasted long enough, if it is to be told


class LiveDecisions:
    """Decides live streams as :class:`~gad_lightning.Decisions` decides whole videos; memory never grows.

    Args:
        decisions: fitted.
        streams: S, that start and restart by themselves.
        unknown: whether frames can show none of the classes.
        remembered: frames of each stream about which :meth:`feedback` may tell; with label sets only.

    Raises:
        SettingError: if the labels are chosen by a look ahead.
    """

    def __init__(self, decisions: Decisions, streams: int = 1, unknown: bool = False, remembered: int = 0) -> None:
        self.decisions = decisions
        steady = decisions.steady
        if steady is not None and not isinstance(steady, SwitchCost):
            raise SettingError(
                f"{type(steady).__name__} chooses labels by a look ahead, which a live stream cannot have.",
                "calibrate with --by switch_cost for live streams",
            )
        self.steady = steady
        self.classes = len(decisions.labels.names)
        self.standing = np.zeros((0 if steady is None else streams, self.classes))
        size = self.classes + unknown
        sets = decisions.sets
        self.adaptive = AdaptiveSets(sets, self.classes, remembered, streams) if sets and remembered else None
        self.switches = Switches(*decisions.pair(size), decisions.frames, streams)
        self.frame = np.zeros(streams, dtype=np.int64)
        self.start = np.full((streams, size), -1, dtype=np.int64)
        self.total = np.zeros((streams, size))
        self.sets = np.zeros((streams, size, size), dtype=bool)

    def __call__(self, scores: Floats, streams: Ints, unknown: Bools | None = None) -> list[Step]:
        """Take the next frame of some streams.

        Args:
            scores: (n, C) log-probabilities.
            streams: (n,) different ones.
            unknown: (n,) frames that show none of the classes; None where none can.
        """
        made = self.decisions
        probabilities = made.probabilities(scores, unknown)
        on = self.switches(made.weighed(probabilities, self._labels(probabilities, streams), unknown), streams)
        chosen = made.shown(probabilities, on)
        rows = zip(streams.tolist(), probabilities, on, chosen, strict=True)
        return [self._step(*row) for row in rows]

    def restart(self, streams: Ints) -> list[list[Event]]:
        """Begin some streams anew; gives the events of each that went on, which end here."""
        ended = [self._ended(stream, np.flatnonzero(self.start[stream] >= 0)) for stream in streams.tolist()]
        self.switches.restart(streams)
        self.frame[streams] = 0
        if self.steady is not None:
            self.standing[streams] = 0
        if self.adaptive is not None:
            self.adaptive.restart(streams)
        return ended

    def feedback(self, label: int, frame: int, stream: int = 0, step: float = STEP) -> bool:
        """Say which class a frame truly showed: the next label sets follow; see :class:`AdaptiveSets`.

        Args:
            label: true class.
            frame: of the stream since its start, one of those that are remembered.
            stream: number of the stream.
            step: how far the error that sets are made for moves, in (0, 1].

        Returns:
            Whether the frame's set held it.

        Raises:
            SettingError: if nothing is remembered of the frame, or there are no label sets.
        """
        if self.adaptive is None:
            what = "no frames are remembered" if self.decisions.sets is not None else "there are no label sets"
            raise SettingError(
                f"Nothing can follow what is told: {what}.",
                "calibrate with --error, and make the detector with remember_seconds above 0",
            )
        return self.adaptive.tell(label, frame, stream, step)

    def unknown_since(self, streams: Ints) -> Ints:
        """Frame at which the unknown stretch that goes on began in some streams, (n,); -1 where there is none."""
        since: Ints = self.start[streams, -1]
        return since

    def state(self) -> dict[str, Ints | Floats | Bools]:
        """All that the streams have left behind, to be copied or written into."""
        switches = {"above": self.switches.above, "below": self.switches.below, "on": self.switches.on}
        events = {"frame": self.frame, "start": self.start, "total": self.total, "sets": self.sets}
        told = {} if self.adaptive is None else self.adaptive.state()
        return {**switches, **events, **told, **({} if self.steady is None else {"standing": self.standing})}

    def _labels(self, probabilities: Floats, streams: Ints) -> Ints | None:
        if self.steady is None:
            return self.decisions.chosen(probabilities)
        own = probabilities[:, : self.standing.shape[1]]
        self.standing[streams] = self.steady.step(self.standing[streams], own)
        labels: Ints = self.standing[streams].argmax(1)
        return labels

    def _step(self, stream: int, probabilities: Floats, on: Bools, chosen: Bools) -> Step:
        ended = self._ended(stream, np.flatnonzero((self.start[stream] >= 0) & ~on))
        new = np.flatnonzero(on & (self.start[stream] < 0))
        self.start[stream, new], self.total[stream, new] = self.frame[stream], 0
        held = self._set_of(stream, probabilities[: self.classes])
        for label in new.tolist():
            self.sets[stream, label] = False
            self.sets[stream, label, list(held) or [label]] = True
        self.total[stream, on] += probabilities[on]
        self.frame[stream] += 1
        return Step(probabilities, chosen, [self._event(stream, label) for label in new.tolist()], ended, held)

    def _set_of(self, stream: int, probabilities: Floats) -> tuple[int, ...]:
        """The label set of a stream's next frame; empty without label sets."""
        sets = self.decisions.sets
        if sets is None:
            return ()
        frame = int(self.frame[stream])
        made = sets(probabilities[None])[0] if self.adaptive is None else self.adaptive(probabilities, frame, stream)
        return tuple(np.flatnonzero(made).tolist())

    def _ended(self, stream: int, labels: Ints) -> list[Event]:
        """End some events of a stream before its next frame."""
        ended = [self._event(stream, label) for label in labels.tolist()]
        self.start[stream, labels] = -1
        return ended

    def _event(self, stream: int, label: int) -> Event:
        """An event as far as it has gone."""
        start, end = int(self.start[stream, label]), int(self.frame[stream])
        score = float(self.total[stream, label] / (end - start))
        return Event(start, end, label, score, tuple(np.flatnonzero(self.sets[stream, label]).tolist()))
