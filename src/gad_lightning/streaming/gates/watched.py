"""What gates are fitted on and compared by: every frame of a split, read whole as a live stream would be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.deciding import log_probabilities
from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.records import Queries
from gad_lightning.decisions.observed import Observed
from gad_lightning.results.several import truths_of
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.streaming.gates.base import Gate, Glimpse
from gad_lightning.types import IGNORED

STREAMS = 16
"""Videos that are read side by side."""


class Watched(NamedTuple):
    """F frames of K videos, in the order of videos and frames."""

    observed: Observed  # scores of every frame read whole, and the truth
    states: Tensor  # (F, H) slots after the lowest layers, float32
    features: Tensor  # (F, D) mean of a frame's standardized features, float32

    @property
    def label(self) -> Tensor:
        """(F,) int64, the label of every frame read whole."""
        return torch.from_numpy(self.observed.scores.argmax(1))

    @property
    def changes(self) -> int:
        """How often the label changes within a video."""
        label, video = self.label, torch.from_numpy(self.observed.video)
        return int(((label[1:] != label[:-1]) & (video[1:] == video[:-1])).sum())


class _Open(Gate):
    """Opens at every frame, and remembers what was seen."""

    seen: Glimpse

    def forward(self, seen: Glimpse) -> Tensor:
        """Open."""
        self.seen = seen
        return torch.ones(len(seen.waited), dtype=torch.bool)


def watch_split(classifier: Classifier, data: ActionDataModule, split: Split, layers: int, task: int = 0) -> Watched:
    """Read every video of a split as live streams, all frames by all layers.

    Args:
        classifier: in ``one_pass`` mode, one label a frame.
        data: the classifier's.
        split: that is read, of one video at least.
        layers: lowest layers after which states are kept.
        task: index into the schema's tasks.
    """
    records, timelines = data.videos(split), data.dataset(split).timelines
    gate, fps = _Open(layers, 1.0 / classifier.schema.features.fps), classifier.schema.features.fps
    labels = classifier.schema.tasks[task].labels
    order = sorted(range(len(records)), key=lambda number: records[number].frames.num_frames)
    found: dict[int, list[tuple[Tensor, Tensor, Tensor]]] = {}
    for start in range(0, len(order), STREAMS):
        group = order[start : start + STREAMS]
        detector = OnlineDetector(classifier, len(group), task=task, gate=gate)
        counts = [records[number].frames.num_frames for number in group]
        for frame in range(max(counts)):
            going = [stream for stream, count in enumerate(counts) if frame < count]
            rows = np.stack([records[group[stream]].frames.rows(np.array([frame]))[0] for stream in going])
            scores = detector.push(torch.from_numpy(rows), going).scores[:, : len(labels.names)]
            columns = (scores, gate.seen.states, gate.seen.features)
            for stream, *row in zip(going, *(column.float().cpu() for column in columns), strict=True):
                found.setdefault(group[stream], []).append((row[0], row[1], row[2]))
    rows_in_order = [row for number in sorted(found) for row in found[number]]
    parts = [torch.stack(column) for column in zip(*rows_in_order, strict=True)]
    truth = torch.cat([_truth(laid.queries, task, len(found[number])) for number, laid in enumerate(timelines)])
    lengths = np.array([len(found[number]) for number in sorted(found)])
    observed = Observed(
        log_probabilities(parts[0]),
        truths_of(truth, len(labels.names)).numpy(),
        np.repeat(np.arange(len(lengths)), lengths),
        np.concatenate([np.arange(length) for length in lengths]),
        labels,
        fps,
    )
    return Watched(observed.checked(), parts[1], parts[2])


def _truth(queries: Queries, task: int, frames: int) -> Tensor:
    """(F,) class of every frame of a video; IGNORED where none is known."""
    asked = (queries.task == task) & (queries.horizon == 0)
    truth = torch.full((frames,), IGNORED)
    truth[queries.anchor[asked]] = torch.from_numpy(queries.label[asked])
    return truth
