"""What happened up to a query, as a sequence of slices: by the names of the actions, or by what was seen of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad
from torch.nn.utils.rnn import pad_sequence

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.text_tower import embed_texts
from gad_lightning.errors import SettingError
from gad_lightning.kernels.base import TEXT, VISION, Slices
from gad_lightning.parts import Part
from gad_lightning.schema import DataSchema
from gad_lightning.types import Batch, first_class

SEGMENTS_OF_A_VIDEO = 1 << 32
"""More than a video can have, so that stretches of different videos have different numbers."""


class SliceSource(Part):
    """Gives each query the sequence of slices that it stands for. A subclass gives :meth:`slices`.

    Args:
        history: most slices of a sequence, the last ones, at least 1.

    Raises:
        SettingError: if ``history`` is below 1.
    """

    def __init__(self, history: int = 8) -> None:
        if history < 1:
            raise SettingError(f"history of {type(self).__name__} must be at least 1, got {history}.", "8 is usual")
        self.history = history

    def prepare(self, schema: DataSchema, backbone: Backbone) -> None:
        """Make what all sequences need; called once, before the backbone is built."""

    def every(self) -> Slices | None:
        """One sequence of all slices there can be, from which a kernel chooses its scale; None if nobody knows."""
        return None

    @abstractmethod
    def slices(self, batch: Batch) -> Slices:
        """Sequences of the queries of a batch, which all have a label of the first task: tensors on the CPU."""


class ActionSlices(SliceSource):
    """The actions that are over before the query, and its own class.

    Args:
        vectors: what a class is: the vector of its name (``names``), less the mean over all classes; or a direction of
            its own (``apart``), so that no two classes are alike.
        tower: folder or hub name of a sentence encoder; None takes the language model's own states, as it came.
        history: see :class:`SliceSource`.
    """

    def __init__(
        self, vectors: Literal["names", "apart"] = "names", tower: str | None = None, history: int = 8
    ) -> None:
        super().__init__(history)
        self.vectors, self.tower = vectors, tower

    def prepare(self, schema: DataSchema, backbone: Backbone) -> None:
        """Make the table of the classes, (C, d)."""
        names = schema.tasks[0].labels.names
        if self.vectors == "apart":
            self.table = torch.eye(len(names))
            return
        vectors = embed_texts(backbone, names, self.tower).float()
        self.table = normalize(vectors - vectors.mean(0), dim=-1)

    def every(self) -> Slices:
        """All classes."""
        count = len(self.table)
        modality = torch.full((1, count), TEXT)
        return Slices(self.table[None], None, modality, torch.tensor([count]), torch.zeros(1, dtype=torch.int64))

    def slices(self, batch: Batch) -> Slices:
        """Rows of the table."""
        labels = first_class(batch.label)
        sequences = []
        for query, (row, frame) in enumerate(zip(batch.sample.tolist(), batch.frame.tolist(), strict=True)):
            label, _, end = batch.segments[row].unbind(1)
            over = label[(label >= 0) & (end <= frame)]
            sequences.append(torch.cat([over, labels[query : query + 1]])[-self.history :])
        return _stacked([self.table[sequence] for sequence in sequences], self.table.shape[1], batch, TEXT)


class FrameSlices(SliceSource):
    """What was seen of each action up to the query: the mean of its frames, less the mean of all training frames.

    Only frames in sight of the query count, so a sequence begins where the query's window or chunk does.

    Args:
        history: see :class:`SliceSource`.

    Raises:
        SettingError: if the memory has a stride, as it is then unknown which frames are there.
    """

    def prepare(self, schema: DataSchema, backbone: Backbone) -> None:
        """Take the mean of the frames."""
        windows = schema.windows
        if windows.short_stride != 1 or windows.long_stride != 1:
            raise SettingError(
                f"FrameSlices needs every frame; the memory has strides {windows.short_stride}, {windows.long_stride}.",
                "set data.short_stride and data.long_stride to 1, or use ActionSlices",
            )
        mean = schema.features.mean
        self.mean = torch.zeros(schema.features.width) if mean is None else torch.tensor(mean)

    def slices(self, batch: Batch) -> Slices:
        """Means of stretches of frames."""
        frames = batch.frames.detach().float().mean(2).cpu() - self.mean  # (B, F, D)
        sums = pad(frames.cumsum(1), (0, 0, 1, 0))
        columns = (batch.sample, batch.anchor, batch.first_frame[batch.sample])
        sequences = []
        for row, anchor, first in zip(*(column.tolist() for column in columns), strict=True):
            stretches = _stretches(batch.segments[row], first, first + anchor)[-self.history :]
            start, end = (torch.tensor(stretches) - first).T
            means = (sums[row, end] - sums[row, start]) / (end - start).unsqueeze(1)
            sequences.append(normalize(means, dim=-1))
        return _stacked(sequences, len(self.mean), batch, VISION)


def _stretches(segments: Tensor, first: int, last: int) -> list[tuple[int, int]]:
    """Segments as far as they lie within the frames ``first`` to ``last``, and what comes after them.

    Example:
        >>> _stretches(torch.tensor([[1, 0, 4], [2, 6, 8], [-1, -1, -1]]), 2, 9)
        [(2, 4), (6, 8), (8, 10)]
        >>> _stretches(torch.tensor([[1, 0, 4], [2, 6, 8]]), 2, 6)
        [(2, 4), (6, 7)]
    """
    cut = [(max(start, first), min(end, last + 1)) for label, start, end in segments.tolist() if label >= 0]
    seen = [(start, end) for start, end in cut if start < end]
    rest = seen[-1][1] if seen else first
    return [*seen, (rest, last + 1)] if rest <= last else seen


def _stacked(sequences: list[Tensor], width: int, batch: Batch, modality: int) -> Slices:
    """Pad sequences of rows, (n, width) each, and number the stretch of video that each query lies in."""
    rows = pad_sequence(sequences, batch_first=True) if sequences else torch.zeros(0, 1, width)
    counts = torch.tensor([len(sequence) for sequence in sequences], dtype=torch.int64)
    label, start, end = batch.segments[batch.sample].unbind(2)
    begun = ((label >= 0) & (start <= batch.frame.unsqueeze(1))).sum(1)
    over = ((label >= 0) & (end <= batch.frame.unsqueeze(1))).sum(1)
    stretch = batch.video * SEGMENTS_OF_A_VIDEO + begun + over
    return Slices(rows, None, torch.full(rows.shape[:2], modality), counts, stretch)
