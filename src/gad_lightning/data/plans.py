"""Which samples an epoch has: one class per rule, each a pure function of the epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from gad_lightning.data.checks import LoadingSettings
from gad_lightning.data.records import Queries, every_frame
from gad_lightning.data.sampling import Stream, draws
from gad_lightning.data.windows import IntArray, chunk_bounds
from gad_lightning.errors import SettingError
from gad_lightning.schema import LabelSet, Windows
from gad_lightning.types import IGNORED


class Plan(NamedTuple):
    """The samples of an epoch as columns, each (S,) int64."""

    video: IntArray  # number of the video within the data set's split
    row: IntArray  # the one query asked, a row of the video's queries; -1: all that are anchored in [start, end)
    start: IntArray  # first of the frames asked about
    end: IntArray  # the frame after the newest one


class Plans(ABC):
    """A rule that says which samples an epoch has.

    Args:
        queries: of each video.
        seed: of the run.
    """

    def __init__(self, queries: Sequence[Queries], seed: int) -> None:
        self.queries = queries
        self.seed = seed

    @abstractmethod
    def epoch(self, epoch: int) -> Plan:
        """List the samples of ``epoch``, in the order of the videos and in time order within each."""

    @property
    @abstractmethod
    def most(self) -> int:
        """An upper bound of the number of samples, for every epoch the same."""

    def window_plan(self, rows: Sequence[IntArray], ends: Sequence[IntArray] | None = None) -> Plan:
        """Make one window sample of each of ``rows`` (per video); ``ends`` overrides where the windows end."""
        anchors = [table.anchor[chosen] for table, chosen in zip(self.queries, rows, strict=True)]
        newest = _joined(anchors)
        return Plan(_owners(rows), _joined(rows), newest, newest + 1 if ends is None else _joined(ends))


class EveryQuery(Plans):
    """Evaluation in ``window`` mode: a window for every query, each once."""

    @override
    def epoch(self, epoch: int) -> Plan:
        return self.window_plan([np.arange(len(table.anchor)) for table in self.queries])

    @property
    @override
    def most(self) -> int:
        return sum(len(table.anchor) for table in self.queries)


class StridedQueries(Plans):
    """Training in ``window`` mode: every ``stride``-th query of each video, from an offset drawn anew each epoch.

    The offset is uniform below the stride (or below the number of queries of a shorter video, which so has one sample
    in every epoch), so that over the epochs every query comes up equally often, the last one of a video too. Queries
    whose label is ignored are not drawn.

    Args:
        queries: of each video.
        seed: of the run.
        stride: in queries; one query a frame makes it frames.
        background_limit: background queries are thinned to this many times the number of those of the most frequent
            other class, over the whole split; which ones stay is drawn anew each epoch. None keeps all.
        classes: label set that names the background.
    """

    def __init__(
        self,
        queries: Sequence[Queries],
        seed: int,
        stride: int,
        background_limit: float | None = None,
        classes: LabelSet | None = None,
    ) -> None:
        super().__init__(queries, seed)
        self.stride = stride
        self.scored = [np.flatnonzero(_is_scored(table)) for table in queries]
        self.is_background = [_is_background(table, classes)[rows] for table, rows in self._tables()]
        share = 1.0 if background_limit is None else _kept_share(queries, classes, background_limit)
        self.num_background = [round(share * int(flags.sum())) for flags in self.is_background]

    def _tables(self) -> zip[tuple[Queries, IntArray]]:
        return zip(self.queries, self.scored, strict=True)

    def candidates(self, video: int, epoch: int) -> IntArray:
        """Rows of a video's queries that may be drawn in ``epoch``."""
        rows, background = self.scored[video], self.is_background[video]
        dropped = int(background.sum()) - self.num_background[video]
        if dropped == 0:
            return rows
        order = draws(self.seed, epoch, Stream.BACKGROUND, np.full(len(rows), video), rows)
        ranked = np.argsort(np.where(background, order, -1.0), kind="stable")
        return np.sort(rows[ranked[: len(rows) - dropped]])

    @override
    def epoch(self, epoch: int) -> Plan:
        chosen = [self.candidates(video, epoch) for video in range(len(self.queries))]
        room = np.array([min(self.stride, len(rows)) for rows in chosen])
        offsets = (draws(self.seed, epoch, Stream.OFFSET, np.arange(len(chosen))) * room).astype(np.int64)
        return self.window_plan(
            [rows[int(offset) :: self.stride] for rows, offset in zip(chosen, offsets, strict=True)]
        )

    @property
    @override
    def most(self) -> int:
        kept = zip(self.scored, self.is_background, self.num_background, strict=True)
        return sum(-(-(len(rows) - int(flags.sum()) + left) // self.stride) for rows, flags, left in kept)


class PublishedWindows(Plans):
    """Training windows of the paper's code, with its oddities.

    Offsets are drawn below the short memory, not the stride; the last frame of a video is never a target; a later
    epoch's list is cut, or repeated from its start, to the length of the first epoch's, so that the windows of the last
    videos can be lost. The background limit counts windows.

    Args:
        queries: of each video, one a frame.
        seed: of the run.
        stride: in frames.
        windows: short memory and its stride.
        background_limit: see :class:`StridedQueries`.
        classes: label set that names the background.

    Source: Pang et al., On Discriminative vs. Generative Classifier, ICLR 2026, public code.
    """

    def __init__(
        self,
        queries: Sequence[Queries],
        seed: int,
        stride: int,
        windows: Windows,
        background_limit: float | None = None,
        classes: LabelSet | None = None,
    ) -> None:
        super().__init__(queries, seed)
        if any(not np.array_equal(table.anchor, np.arange(len(table.anchor))) for table in queries):
            raise SettingError("The published sampling asks once a frame, and this data asks otherwise.", REMEDY)
        self.stride, self.windows, self.background_limit, self.classes = stride, windows, background_limit, classes

    def offsets(self, epoch: int) -> IntArray:
        """The offset of each video in ``epoch``."""
        uniform = draws(self.seed, epoch, Stream.OFFSET, np.arange(len(self.queries)))
        return (uniform * self.windows.short).astype(np.int64)

    def from_offsets(self, offsets: Sequence[int] | IntArray) -> Plan:
        """The windows of all videos for given offsets; the last frame of a video is never a target."""
        ends = [
            np.maximum(np.arange(int(offset), len(table.anchor), self.stride), 1)  # ends 0 and 1 are one window
            for table, offset in zip(self.queries, offsets, strict=True)
        ]
        return self.window_plan([self.last_kept(end) for end in ends], ends)

    def last_kept(self, ends: IntArray) -> IntArray:
        """The newest frame that thinning leaves in the windows: whose label they get."""
        return ends - 1 - (ends - np.maximum(0, ends - self.windows.short) - 1) % self.windows.short_stride

    @override
    def epoch(self, epoch: int) -> Plan:
        plan = self._thinned(self.from_offsets(self.offsets(epoch)), epoch)
        return plan if epoch == 0 else Plan(*(np.resize(column, self.most) for column in plan))

    def _thinned(self, plan: Plan, epoch: int) -> Plan:
        if self.background_limit is None:
            return plan
        labels = np.array([self.queries[v].label[r] for v, r in zip(plan.video, plan.row, strict=True)])
        rule = StridedQueries([every_frame(labels)], self.seed, 1, self.background_limit, self.classes)
        return Plan(*(column[rule.candidates(0, epoch)] for column in plan))

    @property
    @override
    def most(self) -> int:
        return len(self.epoch(0).video)


class Chunks(Plans):
    """``one_pass`` mode: chunks of new frames that cover each video, all queries of a chunk asked in one sample.

    In training the grid is shifted each epoch: the first chunk of a video longer than a chunk has 1 to ``chunk`` new
    frames, so that seams fall anywhere. In evaluation it starts at frame 0. Queries about clips are samples of their
    own.

    Args:
        queries: of each video.
        seed: of the run.
        num_frames: of each video.
        chunk: new frames of a chunk.
        training: whether the grid is shifted.
    """

    def __init__(
        self, queries: Sequence[Queries], seed: int, num_frames: Sequence[int], chunk: int, training: bool = False
    ) -> None:
        super().__init__(queries, seed)
        self.num_frames, self.chunk, self.training = num_frames, chunk, training
        self.clips = [np.flatnonzero(table.first >= 0) for table in queries]
        self.asked = [len(rows) < len(table.anchor) for rows, table in zip(self.clips, queries, strict=True)]

    @override
    def epoch(self, epoch: int) -> Plan:
        uniform = draws(self.seed, epoch, Stream.OFFSET, np.arange(len(self.queries)))
        first = 1 + (uniform * self.chunk).astype(np.int64) if self.training else np.full(len(uniform), self.chunk)
        bounds = [self._bounds(video, int(shift)) for video, shift in enumerate(first)]
        starts, ends = [cut[:-1] for cut in bounds], [cut[1:] for cut in bounds]
        chunks = Plan(_owners(starts), np.full(sum(map(len, starts)), -1), _joined(starts), _joined(ends))
        clips = self.window_plan(self.clips)
        joined = Plan(*(np.concatenate(columns) for columns in zip(chunks, clips, strict=True)))
        order = np.argsort(joined.video, kind="stable")
        return Plan(*(column[order] for column in joined))

    def _bounds(self, video: int, first: int) -> IntArray:
        if not self.asked[video]:
            return np.zeros(1, dtype=np.int64)
        whole = self.num_frames[video] <= self.chunk
        return chunk_bounds(self.num_frames[video], self.chunk, self.chunk if whole else first)

    @property
    @override
    def most(self) -> int:
        shifted = [frames > self.chunk and self.training for frames in self.num_frames]
        counts = [len(self._bounds(video, 1 if odd else self.chunk)) - 1 for video, odd in enumerate(shifted)]
        return sum(counts) + sum(map(len, self.clips))


def plans_of(
    data: LoadingSettings, num_frames: Sequence[int], queries: Sequence[Queries], training: bool, classes: LabelSet
) -> Plans:
    """The rule that settings ask for.

    Args:
        data: the settings.
        num_frames: of each video.
        queries: of each video.
        training: whether samples are drawn, or each query is asked once.
        classes: label set of the first task.
    """
    if data.windows.mode == "one_pass":
        return Chunks(queries, data.seed, num_frames, data.windows.chunk, training)
    if not training:
        return EveryQuery(queries, data.seed)
    if data.sampling == "published":
        return PublishedWindows(queries, data.seed, data.stride, data.windows, data.background_limit, classes)
    return StridedQueries(queries, data.seed, data.stride, data.background_limit, classes)


REMEDY = "set data.sampling to uniform"


def _joined(columns: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.zeros(0, dtype=np.int64), *columns]).astype(np.int64)


def _owners(columns: Sequence[IntArray]) -> IntArray:
    return np.repeat(np.arange(len(columns)), [len(column) for column in columns])


def _is_scored(table: Queries) -> NDArray[np.bool_]:
    scored = np.asarray(table.label != IGNORED)
    return scored if scored.ndim == 1 else np.asarray(scored.all(1))


def _is_background(table: Queries, classes: LabelSet | None) -> NDArray[np.bool_]:
    background = None if classes is None else classes.background
    if background is None or table.label.ndim == 2:
        return np.zeros(len(table.anchor), dtype=np.bool_)
    return np.asarray((table.label == background) & (table.task == 0))


def _kept_share(queries: Sequence[Queries], classes: LabelSet | None, limit: float) -> float:
    """Share of the background queries that ``limit`` lets stay, in [0, 1]."""
    background = np.concatenate([_is_background(table, classes) for table in queries])
    labels = np.concatenate([table.label for table in queries])
    task = np.concatenate([table.task for table in queries])
    actions = labels[~background & (labels != IGNORED) & (task == 0)]
    if not len(actions) or not background.any():
        return 1.0
    return min(1.0, limit * int(np.bincount(actions).max()) / int(background.sum()))
