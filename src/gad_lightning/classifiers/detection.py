"""From one video to its labelled timeline, without a Trainer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.plans import Chunks, EveryQuery
from gad_lightning.data.records import FrameSource, VideoRecord, timeline
from gad_lightning.data.sampling import BatchKey
from gad_lightning.errors import DataError, SettingError
from gad_lightning.schema import FeatureSpec
from gad_lightning.segments import cut
from gad_lightning.types import Batch
from gad_lightning.video.encoders import Encoder, SmallEncoder

if TYPE_CHECKING:
    from gad_lightning.classifiers.base import Classifier


class Stretch(NamedTuple):
    """One detected action."""

    label: str
    start_seconds: float
    end_seconds: float
    score: float  # mean log-probability of the label over the stretch


class Detection(NamedTuple):
    """What a classifier sees in one video."""

    labels: list[str]  # F class names, one a frame
    seconds: list[float]  # F times, from 0
    scores: Tensor  # (F, C) log-probabilities
    segments: list[Stretch]  # runs of one label, background left out


@torch.inference_mode()
def detect(
    classifier: Classifier,
    video: str | Path | np.ndarray | Tensor,
    fps: float | None = None,
    task: int = 0,
    batch_size: int = 16,
    encoder: Encoder | None = None,
) -> Detection:
    """Label every frame of a video as ``gad-lightning predict`` would; see :meth:`Classifier.detect`."""
    spec, asked = classifier.schema.features, classifier.schema.tasks[task]
    frames = open_frames(video, fps, spec, encoder)
    record = VideoRecord("video", frames)
    classes = asked.labels
    laid = timeline(record, classes)
    queries = laid.queries._replace(task=np.full_like(laid.queries.task, task))
    windows = classifier.schema.windows
    one_pass = windows.mode == "one_pass"
    plans = Chunks([queries], 0, [frames.num_frames], windows.chunk) if one_pass else EveryQuery([queries], 0)
    dataset = WindowDataset([record], [laid._replace(queries=queries)], plans, windows)
    training = classifier.training
    classifier.eval()
    scored = [classifier.scores(batch) for batch in batches(dataset, batch_size, classifier.device)]
    classifier.train(training)
    order = torch.cat([part.ordinal for part in scored]).argsort()
    scores = torch.cat([part.scores.cpu() for part in scored])[order, : len(classes.names)]
    labels = scores.argmax(1)
    skip = [index for index in (classes.background, classes.ignore) if index is not None]
    segments = [
        Stretch(classes.names[label], start / spec.fps, end / spec.fps, float(scores[start:end, label].mean()))
        for label, start, end in cut(labels, skip)
    ]
    return Detection(
        [classes.names[label] for label in labels.tolist()],
        [i / spec.fps for i in range(len(labels))],
        scores,
        segments,
    )


def batches(dataset: WindowDataset, batch_size: int, device: torch.device) -> Iterator[Batch]:
    """All samples of a data set in order, frames on ``device``."""
    for start in range(0, len(dataset), batch_size):
        yield dataset[BatchKey(0, tuple(range(start, min(start + batch_size, len(dataset)))))].to(device)


def open_frames(
    video: str | Path | np.ndarray | Tensor, fps: float | None, spec: FeatureSpec, encoder: Encoder | None
) -> FrameSource:
    """Frames of a video in memory: features as given or from a .npy file, or encoded from a video file.

    Raises:
        DataError: if there is no frame, or values are not finite.
        SettingError: if features are at another fps, or the encoder is not at hand.
    """
    if isinstance(video, str | Path) and Path(video).suffix != ".npy":
        from gad_lightning.video.encode import encode_video

        return ArrayFrames(encode_video(Path(video), encoder_for(spec, encoder), spec.fps), spec.fps, spec.encoder)
    if fps is not None and fps != spec.fps:
        raise SettingError(
            f"The features are at {fps} frames a second; the classifier was trained at {spec.fps}.",
            "encode the video again at that rate",
        )
    if isinstance(video, str | Path):
        from gad_lightning.video.features import FeatureFile

        source: FrameSource = FeatureFile(Path(video))
        array = source.rows(np.arange(source.num_frames))
    else:
        given = video.detach().float().cpu() if isinstance(video, Tensor) else video  # numpy knows no GPU, no bfloat16
        array = np.asarray(given, dtype=np.float32)
    if array.ndim not in (2, 3) or not len(array):
        raise DataError(
            f"Features are (F, D) or (F, N, D) with at least one frame, got {array.shape}.", "check the video"
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
            "pass encoder=..., the one that `gad-lightning encode` was given",
        )
    return found
