"""Counts what a split holds, and finds where features and annotations do not fit together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.benchmarks.actions import BenchmarkActions
from gad_lightning.data.benchmarks.videos import BenchmarkVideos, UnseenFrames
from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.records import Timeline, VideoRecord
from gad_lightning.data.windows import IntArray
from gad_lightning.errors import GadError
from gad_lightning.schema import LabelSet
from gad_lightning.segments import overlaps
from gad_lightning.types import IGNORED

SLACK_SECONDS, SLACK_SHARE = 2.0, 0.02
"""By how much the length of features may differ from that of the video before it is worth a word."""
ROWS_AT_ONCE = 4096


class Survey(NamedTuple):
    """What a split holds; shares are of all frames, in [0, 1]."""

    videos: int
    frames: int
    hours: float
    segments: IntArray  # (C,) annotated segments of every class of the first task
    questions: IntArray  # (tasks,) queries of every task
    background: float
    unscored: float
    several: float  # frames with several classes beside the background


def survey(data: ActionDataModule, samples: WindowDataset) -> Survey:
    """Count one split."""
    classes = data.tasks[0].labels
    known = data.unknown.known(classes)  # what the labels of the samples count in
    frames, hours, background, unscored, several = 0, 0.0, 0, 0, 0
    segments = np.zeros(len(classes.names), dtype=np.int64)
    questions = np.zeros(len(data.tasks), dtype=np.int64)
    for record, laid in zip(samples.records, samples.timelines, strict=True):
        frames += record.frames.num_frames
        hours += record.frames.num_frames / record.frames.spec.fps / 3600
        segments += _segments_per_class(record, laid, classes, known)
        questions += np.bincount(laid.queries.task, minlength=len(questions))
        several += int((_classes_per_frame(data, record) > 1).sum())
        labels = laid.queries.label if laid.queries.label.ndim == 1 else laid.queries.label.argmax(1)
        ignored = (laid.queries.label if laid.queries.label.ndim == 1 else laid.queries.label[:, 0]) == IGNORED
        unscored += int(ignored.sum())
        background += int(((labels == known.background) & ~ignored).sum())
    total = max(1, int(questions.sum()))
    shares = (background / total, unscored / total, several / max(1, frames))
    return Survey(len(samples.records), frames, hours, segments, questions, *shares)


def _segments_per_class(record: VideoRecord, laid: Timeline, classes: LabelSet, known: LabelSet) -> IntArray:
    """Annotated segments of every class in one video: (C,); where only frames are labeled, their runs."""
    number = np.array([classes.names.index(name) for name in known.names])
    given = [segment.label for segment in record.segments]
    labels = np.array(given or number[laid.segments[:, 0]], dtype=np.int64)
    skipped = [IGNORED if index is None else index for index in (classes.background, classes.ignore)]
    return np.bincount(labels[(labels >= 0) & ~np.isin(labels, skipped)], minlength=len(classes.names))


def _classes_per_frame(data: ActionDataModule, record: VideoRecord) -> IntArray:
    """How many classes each frame of a video shows, the background not counted: (F,)."""
    if isinstance(data, BenchmarkActions):
        return data.classes_per_frame(record)
    background = data.tasks[0].labels.background
    if record.labels is not None and record.labels.ndim == 2:
        rows = record.labels > 0
        shown: IntArray = rows.sum(1) - (0 if background is None else rows[:, background])
        return shown
    actions = [segment for segment in record.segments if segment.label != background]
    return overlaps(actions, record.frames.num_frames)


def mismatches(data: ActionDataModule, split: Split) -> Iterator[str]:
    """Say what of features and annotations does not fit together but stops no run."""
    records = data.videos(split)
    seen = [record for record in records if not isinstance(record.frames, UnseenFrames)]
    found = [_compare_length(data, record) for record in seen] if isinstance(data, BenchmarkVideos) else []
    unlike = [text for text in found if text]
    if unlike:
        yield f"the features of {len(unlike)} videos are not as long as the annotations say, first {unlike[0]}"
    late = [sum(part.start >= record.frames.num_frames for part in record.segments) for record in seen]
    lost = [record.name for record, number in zip(seen, late, strict=True) if number]
    if lost:
        yield f"{sum(late)} segments of {len(lost)} videos begin after the features end, first {lost[0]}"
    short = sum(part.end <= part.start for record in records for part in record.segments)
    if short:
        yield f"{short} segments fall between two frames and are lost"


def _compare_length(data: BenchmarkVideos, record: VideoRecord) -> str:
    """Say that features are longer or shorter than the video; nothing where they fit, or the files do not say."""
    if isinstance(data, BenchmarkActions) and record.name not in data.known:
        return ""
    length, stated = record.frames.num_frames / record.frames.spec.fps, data.seconds(record.name)
    slack = SLACK_SECONDS + SLACK_SHARE * stated
    if length < stated - slack or (length > stated + slack and data.states_length(record.name)):
        return f"{record.name}: {length:.0f} s instead of {stated:.0f} s"
    return ""


def damaged(data: ActionDataModule, split: Split, whole: bool) -> Iterator[str]:
    """Say which feature files cannot be read: their first and last frames, or all of them."""
    for record in data.videos(split):
        if isinstance(record.frames, UnseenFrames):
            continue
        last = record.frames.num_frames
        starts = range(0, last, ROWS_AT_ONCE) if whole else [0]
        try:
            for start in starts:
                rows = np.arange(start, min(start + ROWS_AT_ONCE, last)) if whole else np.array([0, last - 1])
                record.frames.rows(rows)
        except GadError as error:
            yield error.message
