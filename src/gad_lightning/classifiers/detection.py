"""From one video to its labeled timeline, without a Trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.classifiers.deciding import log_probabilities
from gad_lightning.classifiers.open_world.describing import Describing
from gad_lightning.classifiers.open_world.rejecting import Video
from gad_lightning.classifiers.remembering import PastLabels
from gad_lightning.classifiers.segment_means import batches_of
from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.plans import Chunks, EveryQuery
from gad_lightning.data.records import FeatureSource, VideoRecord, timeline
from gad_lightning.decisions.handing_over import HandedOver, HandOver
from gad_lightning.decisions.path import Decisions, Event
from gad_lightning.errors import DataError, MissingDataError, SettingError
from gad_lightning.schema import UNKNOWN, DataSchema, FeatureSpec, Windows
from gad_lightning.types import Batch, Predictions, joined_names
from gad_lightning.video.damage import Broken
from gad_lightning.video.encoders import Encoder, SmallEncoder

BATCH = 16
"""Windows, or chunks in one pass, that are scored together unless told otherwise."""


class Stretch(NamedTuple):
    """One detected action."""

    label: str
    start_seconds: float
    end_seconds: float
    score: float  # mean probability of the label over the stretch, in [0, 1]
    set: tuple[str, ...] = ()  # classes that its first frame may show, at the error that was calibrated


class Detection(NamedTuple):
    """What a classifier sees in one video."""

    labels: list[str]  # F class names, one a frame; several, joined by "; ", or none, where several can be true at once
    seconds: list[float]  # F times, from 0
    scores: Tensor  # (F, C) log-probabilities, to compute with
    segments: list[Stretch]  # events of a label or of "unknown", background left out; they may overlap
    handed_over: tuple[HandedOver, ...] = ()  # stretches that stayed unknown, in words, if so asked

    @property
    def probabilities(self) -> Tensor:
        """Of every class at every frame as the classifier gives them, not calibrated: (F, C) in [0, 1]."""
        return self.scores.exp()


def _stretch_of(event: Event, names: Sequence[str], fps: float) -> Stretch:
    """An event with names, of "unknown" too, and seconds."""
    shown = tuple(names[index] for index in event.set)
    return Stretch(names[event.label], event.start / fps, event.end / fps, event.score, shown)


class Detecting(Describing):
    """Mixin of the classifiers: labels every frame of a video."""

    @torch.inference_mode()
    def detect(
        self,
        video: Video,
        fps: float | None = None,
        task: int = 0,
        batch_size: int = BATCH,
        encoder: Encoder | None = None,
        broken: Broken = "keep",
        hand_over: HandOver | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Detection:
        """Label every frame of one video, as ``gad-lightning predict`` would. Threads may call this side by side.

        Args:
            video: path of a video file, which is decoded and encoded; or features, (F, D) or (F, N, D), as an array or
                the path of a .npy file, not standardized.
            fps: rate of features given, to be checked against the classifier's.
            task: what is asked, index into the schema's tasks.
            batch_size: windows, or chunks in one pass, that are scored together.
            encoder: for video files; needed if the classifier's is not the built-in one.
            broken: of a damaged video, ``"keep"`` what is whole and ``"skip"`` what cannot be decoded, with a warning,
                or ``"refuse"`` it.
            hand_over: how stretches that stay unknown are put into words; None leaves them as they are.
            progress: called after each batch with the frames labeled so far and all of them; what it raises ends this.

        Returns:
            Labels, times, scores of every frame, the segments, and what was put into words.

        Raises:
            MissingDataError, DataError, SettingError: if the video cannot be read or is of another kind.
        """
        spec, classes = self.schema.features, self.schema.tasks[task].labels
        if hand_over is not None:
            self.check_hand_over(hand_over, task)
        frames = open_frames(video, fps, spec, encoder, broken)
        dataset = _dataset_of(VideoRecord("video", frames), self.schema, task)
        scores, unknown = self._scored(dataset, len(classes.names), batch_size, progress)
        made, shown = self.decisions_of(task) or Decisions(classes, spec.fps), (*classes.names, UNKNOWN)
        decided = made(log_probabilities(scores), unknown=unknown.numpy())
        names = [joined_names(row, classes._replace(names=shown)) for row in torch.from_numpy(decided.chosen)]
        events = made.events(decided)
        told = () if hand_over is None else self.hand_over_in(hand_over, frames, events, scores, task)
        segments = [_stretch_of(event, shown, spec.fps) for event in events]
        return Detection(names, [frame / spec.fps for frame in range(len(scores))], scores, segments, told)

    def _scored(
        self, dataset: WindowDataset, classes: int, batch_size: int, progress: Callable[[int, int], object] | None
    ) -> tuple[Tensor, Tensor]:
        """Score every frame: (F, C) log-probabilities, and (F,) which show none of the classes; on the CPU."""
        count = dataset.records[0].frames.num_frames
        scores, unknown = torch.empty(count, classes), torch.zeros(count, dtype=torch.bool)
        past, labeled = PastLabels(), 0
        for batch in batches_of(dataset, batch_size, self.device):  # of each only the scores are kept
            part = self.judged(self.score_in_evaluation(batch, past))
            scores[part.query_index.cpu()] = part.scores[:, :classes].float().cpu()
            unknown[part.query_index.cpu()] = part.unknown.cpu()
            labeled += len(part.query_index)
            if progress is not None:
                progress(labeled, count)
        return scores, unknown

    def slot_states(self, video: Video, task: int = 0, encoder: Encoder | None = None) -> Tensor:
        """Slot states of every frame of one video, (F, H) float32 on the CPU; errors of :meth:`detect`."""
        frames = open_frames(video, None, self.schema.features, encoder, "keep")
        dataset = _dataset_of(VideoRecord("video", frames), self.schema, task)
        states = torch.empty(frames.num_frames, 0)
        past = PastLabels()
        for batch in batches_of(dataset, BATCH, self.device):
            part = self.score_in_evaluation(batch, past).cpu()
            if not states.numel():
                states = torch.empty(frames.num_frames, part.slot_states.shape[1])
            states[part.query_index] = part.slot_states.float()
        return states

    def score_in_evaluation(self, batch: Batch, past: PastLabels | None = None) -> Predictions:
        """Score a batch without dropout; every module is then as it was before, in training or not.

        Args:
            batch: samples of videos.
            past: what was said of them before, for a memory; its labels are added. Nothing by default.
        """
        with self.turns, self.in_evaluation():
            return self.scores_after(past or PastLabels(), batch)


def _dataset_of(record: VideoRecord, schema: DataSchema, task: int) -> WindowDataset:
    """Windows or chunks that ask ``task`` at every frame of a video."""
    laid = timeline(record, schema.tasks[task].labels)
    queries = laid.queries._replace(task=np.full_like(laid.queries.task, task))
    windows: Windows = schema.windows
    one_pass = windows.mode == "one_pass"
    counts = [record.frames.num_frames]
    plans = Chunks([queries], 0, counts, windows.chunk) if one_pass else EveryQuery([queries], 0)
    return WindowDataset([record], [laid._replace(queries=queries)], plans, windows)


def open_frames(
    video: Video,
    fps: float | None,
    spec: FeatureSpec,
    encoder: Encoder | None,
    broken: Broken,
) -> FeatureSource:
    """Frames of a video in memory: features as given or from a .npy file, or encoded from a video file.

    Raises:
        MissingDataError: if there is no such video.
        DataError: if there is no frame, or values are not finite.
        SettingError: if features are at another fps, or the encoder is not at hand.
    """
    if isinstance(video, str | Path) and Path(video).suffix != ".npy":
        from gad_lightning.video.encode import encode_video

        if not Path(video).exists():  # told before that the classifier needs another encoder
            raise MissingDataError(f"There is no video {video}.", "check the path")
        features = encode_video(Path(video), encoder_for(spec, encoder), spec.fps, broken=broken)
        return ArrayFrames(features, spec.fps, spec.encoder)
    if fps is not None and fps != spec.fps:
        raise SettingError(
            f"The features are at {fps} frames a second; the classifier was trained at {spec.fps}.",
            "encode the video again at that rate",
        )
    if isinstance(video, str | Path):
        from gad_lightning.video.features.feature_file import FeatureFile

        source: FeatureSource = FeatureFile(Path(video))
        array = source.rows(np.arange(source.num_frames))
    else:
        given = video.detach().float().cpu() if isinstance(video, Tensor) else video  # numpy knows no GPU, no bfloat16
        array = np.asarray(given, dtype=np.float32)
    if array.ndim not in (2, 3) or not len(array):
        raise DataError(
            f"Features are (F, D) or (F, N, D) with at least one frame, got {array.shape}.",
            "give one row a frame, or the path of a video",
        )
    if not np.isfinite(array).all():
        bad = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(1))[0])
        raise DataError(f"Frame {bad} of the features holds NaN or infinite values.", "encode the video again")
    return ArrayFrames(array, spec.fps, spec.encoder)


def encoder_for(spec: FeatureSpec, encoder: Encoder | None) -> Encoder:
    """The encoder whose features the classifier was trained on.

    Raises:
        SettingError: if it is another one than given, or has to be given.
    """
    found = encoder if encoder is not None else SmallEncoder()
    if found.label != spec.encoder:
        raise SettingError(
            f"The classifier was trained on features of the encoder {spec.encoder!r}, not {found.label!r}.",
            "pass encoder=..., the one that `gad-lightning encode` was given, or give the features themselves",
        )
    return found
