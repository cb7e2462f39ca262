"""From live frames to labels: the encoder, the detector, the gap rule and the smoothing in one step."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.decisions.smoothing import SeveralSmoothing, Smoothing
from gad_lightning.errors import SettingError
from gad_lightning.schema import UNKNOWN, LabelSet
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.pacing import Arrival, is_gap
from gad_lightning.types import joined_names
from gad_lightning.video.encoders import Encoder, SmallEncoder


class Sighting(NamedTuple):
    """What is seen in one live frame."""

    seconds: float  # stream time of the frame
    label: str  # shown, smoothed if so wanted; "unknown"; several, joined by "; ", or none, where several can be true
    likeliest: str  # class of the highest score
    probabilities: Tensor  # (C,)
    score: float  # probability of the class shown, of the likeliest where unknown; of several the largest, else 0
    entropy: float  # of the probabilities, in nats
    latency: float  # seconds from the source's giving the frame to its label
    dropped: int  # frames that came too late so far
    restarted: bool  # whether the stream began anew with this frame, after a gap
    rejection: float | None = None  # above 0 where the frame shows none of the classes; None: not asked


class Watcher:
    """Labels one live stream, frame by frame.

    Args:
        detector: of one stream; its first use is over when this is made, so the first frame is as quick as any.
        encoder: that the classifier's features were made with; the detector's or the built-in one by default.
        gap_seconds: a stream that showed the detector nothing for longer begins anew: window and smoothing are emptied.
            After a shorter time it goes on; the missing frames are left out, nothing takes their place.
        smoothing: of the labels; None shows the likeliest class.

    Raises:
        SettingError: if the encoder is another one, or the gap is shorter than the time between two frames.
    """

    def __init__(
        self,
        detector: OnlineDetector,
        encoder: Encoder | None = None,
        gap_seconds: float = 2.0,
        smoothing: Smoothing | None = None,
    ) -> None:
        spec = detector.classifier.schema.features
        if gap_seconds * spec.fps < 1:
            raise SettingError(
                f"gap_seconds must be at least one frame, {1 / spec.fps:g} s, got {gap_seconds}.", "raise gap_seconds"
            )
        self.detector, self.gap_seconds = detector, gap_seconds
        self.smoothing: Smoothing | SeveralSmoothing = smoothing or Smoothing()
        if self.labels.multi_label:
            self.smoothing = SeveralSmoothing(self.labels, self.smoothing.frames, self.smoothing.thresholds)
        self.encoder = encoder or detector.encoder or SmallEncoder()
        detector.use(self.encoder)
        self.before: float | None = None
        detector.push(torch.zeros(1, spec.tokens_per_frame, spec.width))
        detector.restart()

    @property
    def labels(self) -> LabelSet:
        """The classes, those added while it watches too."""
        return self.detector.classifier.schema.tasks[self.detector.task].labels

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.labels.names

    def look(self, arrival: Arrival) -> Sighting:
        """Label one frame.

        Raises:
            DataError: if the encoder gives NaN or infinite values; the stream has not taken the frame then.
        """
        seconds, picture = arrival.frame
        restarted = is_gap(self.before, seconds, self.gap_seconds)
        if restarted:
            self.detector.restart()
            self.smoothing.restart()
        self.before = seconds
        predictions = self.detector.push(torch.tensor(picture)[None])
        probabilities = predictions.scores[0, : len(self.names)].exp().float().cpu()
        unknown = predictions.unknown.cpu()
        # what is unknown is smoothed as a class of its own, the last one; where several can be true there is none
        several = self.labels.multi_label
        found = self.smoothing(probabilities if several else torch.cat([probabilities * ~unknown, unknown]))
        shown = found if isinstance(found, Tensor) else torch.arange(len(self.names) + 1) == found
        sure = probabilities if several else torch.cat([probabilities, probabilities.amax(0, keepdim=True)])
        entropy = torch.special.entr(probabilities).sum()
        if self.labels.multi_label:
            entropy = entropy + torch.special.entr(1 - probabilities).sum()
        return Sighting(
            seconds=seconds,
            label=joined_names(shown, self.labels._replace(names=(*self.names, UNKNOWN))),
            likeliest=self.names[int(probabilities.argmax())],
            probabilities=probabilities,
            score=float((sure * shown).max()),
            entropy=float(entropy),
            latency=time.monotonic() - arrival.arrived,
            dropped=arrival.dropped,
            restarted=restarted,
            rejection=None if predictions.rejection is None else float(predictions.rejection[0]),
        )
