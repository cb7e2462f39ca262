"""WindowDataset: batch keys -> batches. Knows files and frame numbers, no text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from gad_lightning.data.collate import Sample, collate
from gad_lightning.data.plans import Plan, Plans
from gad_lightning.data.records import Timeline, VideoRecord
from gad_lightning.data.sampling import BatchKey, Stream, draws
from gad_lightning.data.windows import IntArray, chunk_frames, window_frames
from gad_lightning.schema import Windows
from gad_lightning.types import Batch


class WindowDataset(Dataset[Batch]):
    """Makes the batch that a key names. Holds no state that a worker process would have to share.

    ``dataset[BatchKey(epoch, samples)]`` is a batch of those samples of that epoch, for no samples one that has frames
    and no query; ``dataset[i]`` is sample ``i`` of epoch 0 as a batch of one.

    Args:
        records: videos of one split.
        timelines: their labels and queries.
        plans: which samples an epoch has.
        windows: what a query sees.
        first_video: global number of the first video.
        training: whether epochs differ; evaluation always reads the plan and the draws of epoch 0.
        published: thin windows as the paper's code does, see :func:`~gad_lightning.data.windows.window_frames`.
    """

    def __init__(
        self,
        records: Sequence[VideoRecord],
        timelines: Sequence[Timeline],
        plans: Plans,
        windows: Windows,
        first_video: int = 0,
        training: bool = False,
        published: bool = False,
    ) -> None:
        self.records = records
        self.timelines = timelines
        self.plans = plans
        self.windows = windows
        self.first_video = first_video
        self.training = training
        self.published = published
        self.seed = plans.seed
        self.most_samples = plans.most
        self._planned: tuple[int, Plan] | None = None

    def plan(self, epoch: int) -> Plan:
        """The samples of ``epoch``; the last one asked for is kept."""
        if self._planned is None or self._planned[0] != epoch:
            self._planned = (epoch, self.plans.epoch(epoch))
        return self._planned[1]

    def __len__(self) -> int:
        """Samples of epoch 0."""
        return len(self.plan(0).video)

    def __getitem__(self, key: BatchKey | int) -> Batch:
        """Read the frames of a batch and put it together.

        Raises:
            DataError: if a feature file is damaged or holds values that are not finite.
        """
        if not isinstance(key, BatchKey):
            key = BatchKey(0, (int(key),))
        plan = self.plan(key.epoch)
        batch = collate([self._sample(plan, number, key.epoch) for number in key.samples or (0,)])
        return batch if key.samples else batch.asking(torch.zeros(len(batch.label), dtype=torch.bool))

    def _sample(self, plan: Plan, number: int, epoch: int) -> Sample:
        video, row = int(plan.video[number]), int(plan.row[number])
        queries = self.timelines[video].queries
        start, end = int(plan.start[number]), int(plan.end[number])
        rows = self._rows(video, start, end) if row < 0 else np.array([row])
        frames = self.frames_of(video, row, start, end)
        anchor = queries.anchor[rows]
        # In a published window with a stride the anchor itself can be missing: the newest frame stands for it.
        place = np.minimum(np.searchsorted(frames, anchor), len(frames) - 1)
        owner = np.full(len(rows), self.first_video + video)
        return Sample(
            frames=self.records[video].frames.rows(frames),
            first_frame=int(frames[0]),
            goal=self.records[video].goal,
            segments=self.timelines[video].segments,
            anchor=place,
            frame=anchor,
            horizon=queries.horizon[rows],
            task=queries.task[rows],
            label=queries.label[rows],
            video=owner,
            query_index=rows,
            uniform=draws(self.seed, epoch, Stream.ANSWER, owner, rows).astype(np.float32),
        )

    def frames_of(self, video: int, row: int, start: int, end: int) -> IntArray:
        """Frames of the video that a sample shows: (n,) int64 ascending."""
        if row < 0:
            return chunk_frames(start, end, self.windows.frames)
        first = int(self.timelines[video].queries.first[row])
        if first >= 0:
            return _clip_frames(first, end - 1, self.windows.frames)
        return window_frames(end, self.windows, self.published)

    def _rows(self, video: int, start: int, end: int) -> IntArray:
        """Queries anchored in ``[start, end)`` that are not about clips."""
        queries = self.timelines[video].queries
        inside = (queries.anchor >= start) & (queries.anchor < end) & (queries.first < 0)
        return np.flatnonzero(inside)


def _clip_frames(first: int, last: int, most: int) -> IntArray:
    """Frames ``first`` to ``last`` of a clip, both kept, evenly thinned to ``most`` where there are more.

    Example:
        >>> _clip_frames(10, 16, most=4)
        array([10, 12, 14, 16])
    """
    if last - first < most:
        return np.arange(first, last + 1)
    return np.round(np.linspace(first, last, most)).astype(np.int64)
