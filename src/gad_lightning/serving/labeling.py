"""From the bytes of many streams' frames to their labels, through the one detector that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.decisions.live import Step
from gad_lightning.decisions.path import Event
from gad_lightning.errors import DataError
from gad_lightning.schema import UNKNOWN, LabelSet
from gad_lightning.serving.messages import Start
from gad_lightning.serving.stream import Waiting
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.types import Predictions, joined_names
from gad_lightning.video.jpeg import JPEGReader

Taken = tuple[int, Start, Waiting]
"""A frame with the place and the kind of its stream."""


class Seen(NamedTuple):
    """What is said of one frame."""

    refused: str = ""  # why the frame cannot be used; the rest is empty then
    label: str = ""  # shown; "unknown"; several, joined by "; ", or none, where several can be true
    score: float = 0.0  # its probability, in [0, 1]
    likeliest: str = ""  # class of the highest score
    probabilities: tuple[float, ...] = ()  # of all classes, as the classifier gives them
    rejection: float | None = None  # above 0 where the frame shows none of the classes; None: not asked
    started: tuple[Event, ...] = ()
    ended: tuple[Event, ...] = ()
    cut: tuple[Event, ...] = ()  # events that went on when the stream began anew or ended


class Labeler:
    """Labels frames of bytes. One thread calls it, and nobody else uses its detector.

    Args:
        detector: of as many streams as there are places, with an encoder if pictures are to be taken.
        most_pixels: of a picture.
    """

    def __init__(self, detector: OnlineDetector, most_pixels: int) -> None:
        self.detector = detector
        encoder = detector.encoder
        self.reader = None if encoder is None else JPEGReader(encoder.shrink, most_pixels)
        self.names = (*self.labels.names, UNKNOWN)

    @property
    def labels(self) -> LabelSet:
        """The classes."""
        return self.detector.classifier.schema.tasks[self.detector.task].labels

    def look(self, taken: Sequence[Taken]) -> list[Seen]:
        """Label at most one frame of each stream."""
        anew = [place for place, _, frame in taken if frame.anew or frame.data is None]
        cut = dict(zip(anew, self.detector.restart(anew) if anew else [], strict=True))
        found: dict[int, Seen] = {}
        ready: dict[int, Tensor] = {}
        pictures: dict[tuple[int, ...], dict[int, Tensor]] = {}
        for place, start, frame in taken:
            try:
                if frame.data is not None and start.kind == "features":
                    ready[place] = self._row(frame.data, start)
                elif frame.data is not None:
                    picture = self._picture(frame.data)
                    pictures.setdefault(tuple(picture.shape), {})[place] = picture
            except DataError as error:
                found[place] = Seen(refused=error.message)
        for alike in pictures.values():
            ready |= self._encoded(alike)
        finite = {place: row for place, row in ready.items() if bool(row.isfinite().all())}
        found |= {place: Seen(refused="The features are not finite.") for place in ready.keys() - finite.keys()}
        if finite:
            predictions = self.detector.push(torch.stack(list(finite.values())), list(finite))
            steps = self.detector.decide(predictions)
            spoiled = predictions.scores.isnan().any(1).tolist()
            found |= dict(zip(finite, self._seen(predictions, steps), strict=True))
            found |= self._begin_anew({place: found[place] for place, bad in zip(finite, spoiled, strict=True) if bad})
        seen = [(found.get(place, Seen()), cut.get(place, [])) for place, _, _ in taken]
        return [one._replace(cut=(*events, *one.cut)) for one, events in seen]

    def _begin_anew(self, spoiled: dict[int, Seen]) -> dict[int, Seen]:
        """Refuse frames that gave no scores, and let their streams forget them: they would spoil the next ones too."""
        ended = self.detector.restart(list(spoiled)) if spoiled else []
        why = "The features are too large for the classifier; the stream begins anew."
        return {
            place: Seen(refused=why, cut=(*seen.ended, *rest))
            for (place, seen), rest in zip(spoiled.items(), ended, strict=True)
        }

    def _row(self, data: bytes, start: Start) -> Tensor:
        spec = self.detector.classifier.schema.features
        kind = np.dtype("<f4" if start.dtype == "float32" else "<f2")
        size = spec.tokens_per_frame * spec.width * kind.itemsize
        if len(data) != size:
            raise DataError(f"A frame of features has {size} bytes, got {len(data)}.", "send one row a message")
        row = np.frombuffer(data, kind).astype(np.float32)
        return torch.from_numpy(row).reshape(spec.tokens_per_frame, spec.width)

    def _picture(self, data: bytes) -> Tensor:
        if self.reader is None:
            raise DataError("The server has no encoder for pictures.", "send features")
        return torch.from_numpy(self.reader.read(data))

    def _encoded(self, pictures: dict[int, Tensor]) -> dict[int, Tensor]:
        encoder = self.detector.encoder
        assert encoder is not None  # no picture was read without one
        features = encoder.encode(torch.stack(list(pictures.values()))).half().float()  # as feature files have them
        return dict(zip(pictures, features.cpu(), strict=True))

    def _seen(self, predictions: Predictions, steps: Sequence[Step]) -> list[Seen]:
        shown, classes = self.labels._replace(names=self.names), len(self.labels.names)
        probabilities = predictions.scores[:, :classes].exp().float().tolist()
        likeliest = predictions.scores[:, :classes].argmax(1).tolist()
        rejections = None if predictions.rejection is None else predictions.rejection.tolist()
        found = []
        for row, step in enumerate(steps):
            chosen = torch.from_numpy(step.chosen)
            found.append(
                Seen(
                    label=joined_names(chosen, shown),
                    score=float((step.probabilities * step.chosen).max()),
                    probabilities=tuple(probabilities[row]),
                    likeliest=self.names[likeliest[row]],
                    rejection=None if rejections is None else rejections[row],
                    started=tuple(step.started),
                    ended=tuple(step.ended),
                )
            )
        return found
