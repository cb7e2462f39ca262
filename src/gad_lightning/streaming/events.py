"""Events of live streams, by what the classifier is calibrated to at the moment."""

from __future__ import annotations

import hashlib
import json
import math

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.decisions.live import LiveDecisions, Step
from gad_lightning.decisions.observed import Ints
from gad_lightning.decisions.path import Decisions, Event
from gad_lightning.errors import CheckpointError, SettingError
from gad_lightning.types import Predictions

PREFIX = "decisions."
"""Beginning of the names under which events that go on are saved."""
DIGEST = f"{PREFIX}digest"
"""Name under which the digest of the calibration is saved: (16,) uint8."""


class StreamEvents:
    """Keeps the events that go on in some streams.

    Where the classifier is calibrated anew, or has further classes, these are forgotten.

    Args:
        classifier: whose decisions count, fitted or not.
        num_streams: that start and restart by themselves.
        task: index into the schema's tasks.
        remember_seconds: for which one may tell what a frame showed.
    """

    def __init__(self, classifier: Classifier, num_streams: int, task: int, remember_seconds: float = 0.0) -> None:
        self.classifier, self.num_streams, self.task = classifier, num_streams, task
        self.remembered = math.ceil(remember_seconds * classifier.schema.features.fps)
        self.live = self._fresh()

    @property
    def calibrated(self) -> bool:
        """Whether events are those of fitted decisions; if not, of the likeliest class."""
        return self.classifier.decisions_of(self.task) is not None

    def decide(self, seen: Predictions) -> list[Step]:
        """Take newly labeled frames; see :meth:`OnlineDetector.decide`.

        Raises:
            SettingError: if a frame before was not decided, or one of these was already.
        """
        self._follow()
        chosen, unknown = seen.video.numpy(), seen.unknown.cpu().numpy()
        scores = seen.scores[:, : len(self.live.decisions.labels.names)].cpu().double().numpy()
        frame = self.live.frame[chosen]
        if (frame != seen.frame.numpy()).any():
            raise SettingError(
                f"Frames {frame.tolist()} of streams {chosen.tolist()} come next, got {seen.frame.tolist()}.",
                "call decide for every push, once and in order, or restart the streams",
            )
        return self.live(scores, chosen, unknown)

    def feedback(self, label: str, seconds: float, stream: int, step: float) -> bool:
        """Say what a stream showed at a time; see :meth:`OnlineDetector.feedback`.

        Raises:
            SettingError: if there is no such class, or nothing is remembered of the frame.
        """
        self._follow()
        names = self.live.decisions.labels.names
        if label not in names:
            raise SettingError(f"There is no class {label!r}; there are {', '.join(names)}.", "tell one of them")
        frame = math.floor(seconds * self.live.decisions.fps + 1e-6)
        return self.live.feedback(names.index(label), frame, stream, step)

    def restart(self, streams: Tensor) -> list[list[Event]]:
        """Begin some streams anew; gives the events of each that went on."""
        return self.live.restart(streams.numpy())

    def unknown_since(self, streams: Tensor) -> Ints:
        """Frame at which the unknown stretch that goes on began in some streams, (n,); -1 where there is none."""
        return self.live.unknown_since(streams.numpy())

    def state(self) -> dict[str, Tensor]:
        """All that goes on, to be copied or written into, and a digest of what the classifier is calibrated to."""
        self._follow()
        parts = {f"{PREFIX}{name}": torch.from_numpy(part) for name, part in self.live.state().items()}
        return {DIGEST: _digest_of(self.fitted), **parts}

    def completed(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """A saved state, with what earlier versions left out: the digest, and all events if nothing is calibrated.

        Raises:
            CheckpointError: if the classifier was calibrated otherwise when it was saved.
        """
        mine = self.state()
        state = {DIGEST: mine[DIGEST], **state}
        if not torch.equal(state[DIGEST].cpu(), mine[DIGEST]):
            raise CheckpointError(
                "The classifier was calibrated otherwise, or not at all, when these streams were saved.",
                "start the streams anew, or use the checkpoint that they were saved with",
            )
        if self.calibrated:
            return state
        frame = f"{PREFIX}frame"
        return {**mine, frame: state.get("seen", mine[frame]), **state}

    def _fresh(self) -> LiveDecisions:
        schema = self.classifier.schema
        self.fitted = self.classifier.decisions_of(self.task)
        made = self.fitted or Decisions(schema.tasks[self.task].labels, schema.features.fps)
        return LiveDecisions(made, self.num_streams, unknown=True, remembered=self.remembered)

    def _follow(self) -> None:
        labels = self.classifier.schema.tasks[self.task].labels
        if self.classifier.decisions_of(self.task) is not self.fitted or labels != self.live.decisions.labels:
            frame = self.live.frame
            self.live = self._fresh()
            self.live.frame[:] = frame


def _digest_of(made: Decisions | None) -> Tensor:
    """Digest of what decides, whatever it was fitted on, (16,) uint8; zeros where nothing is fitted."""
    if made is None:
        return torch.zeros(16, dtype=torch.uint8)
    spec = made.spec()
    spec["init_args"].pop("fitted_on", None)
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).digest()
    return torch.tensor(list(digest[:16]), dtype=torch.uint8)
