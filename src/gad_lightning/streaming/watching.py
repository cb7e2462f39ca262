"""From live frames to labels: the encoder, the detector, the gap rule and the smoothing in one step."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.classifiers.detection import Stretch
from gad_lightning.decisions.handing_over import HandedOver
from gad_lightning.decisions.path import Event
from gad_lightning.decisions.smoothing import SeveralSmoothing, Smoothing
from gad_lightning.errors import SettingError
from gad_lightning.schema import UNKNOWN, LabelSet
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.gated import GatedStreams
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
    started: tuple[Stretch, ...] = ()  # events that start with this frame, which is their end so far
    ended: tuple[Stretch, ...] = ()  # events whose last frame was an earlier one; all in stream time
    words: HandedOver | None = None  # what has now stayed unknown for long enough, in stream time, if it is to be told
    whole: bool | None = None  # whether all layers read the frame, or the last label stands; None without a gate


class Watcher:
    """Labels one live stream, frame by frame.

    Args:
        detector: of one stream; its first use is over when this is made, so the first frame is as quick as any.
        encoder: that the classifier's features were made with; the detector's or the built-in one by default.
        gap_seconds: a stream that showed the detector nothing for longer begins anew: window and smoothing are emptied.
            After a shorter time it goes on; the missing frames are left out, nothing takes their place.
        smoothing: of the labels, in place of the decisions that the classifier was calibrated to; None takes those, or
            the likeliest class. Events come without one only.

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
        self.smoothing: Smoothing | SeveralSmoothing | None = smoothing
        if self.labels.multi_label and smoothing is not None:
            self.smoothing = SeveralSmoothing(self.labels, smoothing.frames, smoothing.thresholds)
        self.encoder = encoder or detector.encoder or SmallEncoder()
        detector.use(self.encoder)
        self.since: dict[int, float] = {}  # stream time at which each event that goes on began
        self.before: float | None = None
        detector.push(torch.zeros(1, spec.tokens_per_frame, spec.width))
        detector.restart()
        if isinstance(detector.streams, GatedStreams):
            detector.streams.looked = detector.streams.whole = 0

    @property
    def labels(self) -> LabelSet:
        """The classes, those added while it watches too."""
        return self.detector.classifier.schema.tasks[self.detector.task].labels

    @property
    def calibrated(self) -> bool:
        """Whether events are those of fitted decisions."""
        return self.detector.events.calibrated

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.labels.names

    @property
    def shown(self) -> LabelSet:
        """The classes, and "unknown" as the last one."""
        return self.labels._replace(names=(*self.names, UNKNOWN))

    def look(self, arrival: Arrival) -> Sighting:
        """Label one frame.

        Raises:
            DataError: if the encoder gives NaN or infinite values; the stream has not taken the frame then.
        """
        seconds, picture = arrival.frame
        restarted = is_gap(self.before, seconds, self.gap_seconds)
        ended = self.close() if restarted else ()
        self.before = seconds
        predictions = self.detector.push(torch.tensor(picture)[None])
        probabilities = predictions.scores[0, : len(self.names)].exp().float().cpu()
        started: tuple[Stretch, ...] = ()
        words: HandedOver | None = None
        if self.smoothing is None or self.detector.words is not None:
            step = self.detector.decide(predictions)[0]
            shown, sure = torch.from_numpy(step.chosen), torch.from_numpy(step.probabilities).float()
            over = tuple(self._stretch(event, seconds) for event in step.ended)
            self.since |= {event.label: seconds for event in step.started}
            started, ended = tuple(self._stretch(event, seconds, ends=False) for event in step.started), ended + over
            words = self._in_stream_time(step.words, seconds)
        if self.smoothing is not None:
            sure = torch.cat([probabilities, probabilities.amax(0, keepdim=True)])
            shown = self._smoothed(self.smoothing, probabilities, predictions.unknown.cpu())
            started = ended = ()
        entropy = torch.special.entr(probabilities).sum()
        if self.labels.multi_label:
            entropy = entropy + torch.special.entr(1 - probabilities).sum()
        return Sighting(
            seconds=seconds,
            label=joined_names(shown, self.shown),
            likeliest=self.names[int(probabilities.argmax())],
            probabilities=probabilities,
            score=float((sure * shown).max()),
            entropy=float(entropy),
            latency=time.monotonic() - arrival.arrived,
            dropped=arrival.dropped,
            restarted=restarted,
            rejection=None if predictions.rejection is None else float(predictions.rejection[0]),
            started=started,
            ended=ended,
            words=words,
            whole=bool(gated.waited[0] == 0) if isinstance(gated := self.detector.streams, GatedStreams) else None,
        )

    def close(self) -> tuple[Stretch, ...]:
        """End the stream: the next frame begins a new one. Gives the events that went on, which end here."""
        events = self.detector.restart()[0]
        if self.smoothing is not None:
            self.smoothing.restart()
        if self.before is None or self.smoothing is not None:
            return ()
        end = self.before + 1 / self.detector.classifier.schema.features.fps
        return tuple(self._stretch(event, end) for event in events)

    def _in_stream_time(self, words: HandedOver | None, seconds: float) -> HandedOver | None:
        """An unknown stretch that is told at a frame."""
        start = self.since.get(len(self.names), seconds)
        return None if words is None else words._replace(start_seconds=start, seconds=seconds)

    def _stretch(self, event: Event, end: float, ends: bool = True) -> Stretch:
        """An event in stream time."""
        start = self.since.pop(event.label) if ends else self.since[event.label]
        names = self.shown.names
        return Stretch(names[event.label], start, end, event.score, tuple(names[index] for index in event.set))

    def _smoothed(self, smoothing: Smoothing | SeveralSmoothing, probabilities: Tensor, unknown: Tensor) -> Tensor:
        """The label shown by a smoothing: (C + 1,) bool. What is unknown is a class of its own, the last one."""
        if isinstance(smoothing, SeveralSmoothing):  # where several can be true nothing is unknown
            return torch.cat([smoothing(probabilities), torch.zeros(1, dtype=torch.bool)])
        found = smoothing(torch.cat([probabilities * ~unknown, unknown]))
        return torch.arange(len(self.shown.names)) == found
