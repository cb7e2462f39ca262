"""OwnVideos: a folder of videos or features, and a CSV of what happens in them."""

from __future__ import annotations

import difflib
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from gad_lightning.data.base import ActionDataModule, Split
from gad_lightning.data.dataset import WindowDataset
from gad_lightning.data.feature_store import FeatureStore
from gad_lightning.data.formats.base import Rules
from gad_lightning.data.formats.registry import Found, read_annotations
from gad_lightning.data.records import FeatureSource, VideoRecord
from gad_lightning.data.tables import IGNORE, SegmentRow, VideoRow, rare, read_segments, read_videos, slips
from gad_lightning.errors import DataError
from gad_lightning.schema import ALIKE, alike, check_names, normalized
from gad_lightning.segments import Segment, frames_between, overlaps
from gad_lightning.types import IGNORED
from gad_lightning.video.damage import Broken
from gad_lightning.video.encoders import Encoder


class OwnVideos(ActionDataModule):
    """Your own videos: what happens when in a CSV, beside features or the videos themselves.

    .. code-block:: text

        root/
          segments.csv           video,start,end,label     seconds; one labeled stretch a row
          videos.csv             video,split,goal,group    optional; a video without a row in segments.csv is background
          features/<video>.npy   (F, D) or (F, N, D)       and/or
          videos/<video>.mp4     or any other ending; encoded once into root/encoded/

    Without ``videos.csv`` all videos are for training; with it, every video must be listed, and an empty split means
    ``train``. Frame ``i`` is at ``i / fps`` seconds and has the label of the segment with ``start <= i / fps < end``.
    With ``multi_label`` a frame has the labels of all its segments. Without it, where two labels overlap, the segment
    that starts later counts (of two that start together, the later row), and a warning names the rows. The label
    ``ignore`` marks stretches that are not scored; of it and another label the one that starts later counts. A segment
    may end up to one frame after its video, no more.

    Args:
        root: the folder.
        class_names: classes in the order of their indices, the background among them; by default the background and
            then the labels of ``segments.csv`` in alphabetical order.
        background: what frames outside all segments are called; None leaves them out of loss and metrics.
        fps: frames a second: of ``features`` if ``features/features.json`` does not say, and that videos are encoded
            at (4 if None).
        encoder: makes features of videos; the built-in small one by default.
        broken: of a damaged video, ``"keep"`` what is whole and ``"skip"`` what cannot be decoded, with a warning, or
            ``"refuse"`` it.
        annotations: files of other tools, such as ``"*.eaf"`` or ``["a.json", "b.vtt"]``, in ``root`` or as they are,
            in place of ``segments.csv``. What of them is not used is told in a warning.
        annotations_fps: frames a second, of annotation files that count frames and do not say.
        **loading: see :class:`ActionDataModule`.
    """

    def __init__(
        self,
        root: Path | str,
        class_names: Sequence[str] | None = None,
        background: str | None = "background",
        fps: float | None = None,
        encoder: Encoder | None = None,
        broken: Broken = "keep",
        annotations: str | list[str] | None = None,
        annotations_fps: float | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.root = Path(root)
        self.given_names = class_names
        self.background = None if background is None else normalized(background)
        self.fps = fps
        self.encoder = encoder
        self.broken = broken
        self.annotations = [annotations] if isinstance(annotations, str | Path) else annotations
        self.annotations_fps = annotations_fps

    @cached_property
    def store(self) -> FeatureStore:
        """Where features are found or made."""
        return FeatureStore(self.root, self.fps, self.encoder, self.broken)

    @cached_property
    def annotated(self) -> Found | Path:
        """What the annotation files hold, or the CSV of labeled stretches."""
        if not self.annotations:
            return self.root / "segments.csv"
        found = read_annotations(self.annotations, self.root, Rules(self.annotations_fps, videos=self.store.videos))
        for text in found.told:
            warnings.warn(text, stacklevel=2)
        return found

    def _read_rows(self) -> list[SegmentRow]:
        """Rows of ``segments.csv``, or the stretches of the annotation files, in their order."""
        if isinstance(self.annotated, Path):
            return read_segments(self.annotated)
        rows = ((found, place) for place, found in enumerate(self.annotated.annotations, 1))
        return [SegmentRow(one.video, one.start, one.end, one.label, place, one.where) for one, place in rows]

    @cached_property
    def segment_rows(self) -> dict[str, list[SegmentRow]]:
        """Rows of ``segments.csv`` by video, in the order in which later ones win."""
        rows: dict[str, list[SegmentRow]] = {name: [] for name in self.listed_videos or ()}
        for row in self._read_rows():
            if self.listed_videos is not None and row.video not in self.listed_videos:
                raise DataError(
                    f"{row.where}: the video {row.video!r} is not in videos.csv.",
                    "add it there with its split, or correct the name",
                )
            rows.setdefault(row.video, []).append(row)
        return {name: sorted(found, key=lambda row: (row.start, row.line)) for name, found in rows.items()}

    @cached_property
    def listed_videos(self) -> dict[str, VideoRow] | None:
        """Rows of ``videos.csv`` by video, or splits that annotation files state; None if there are neither."""
        path = self.root / "videos.csv"
        if not path.is_file():
            splits = {} if isinstance(self.annotated, Path) else self.annotated.splits
            return {video: VideoRow(split) for video, split in splits.items()} or None
        videos = read_videos(path)
        for what in ("goal", "group"):
            for one, other in alike(video._asdict()[what] for video in videos.values()):
                warnings.warn(
                    f"{path} has the {what}s {one!r} and {other!r}, which differ by {ALIKE} only: they count as two.",
                    stacklevel=2,
                )
        return videos

    @property
    def unlisted(self) -> list[str]:
        """Videos of the folder that no CSV file names, and so nothing uses."""
        return sorted(self.store.names - set(self.segment_rows))

    @cached_property
    def class_names(self) -> Sequence[str]:
        """As given, or the background and the labels in alphabetical order."""
        first = [] if self.background is None else [self.background]
        if self.given_names is None:
            found = {row.label for rows in self.segment_rows.values() for row in rows}
            for one, other in alike([*first, IGNORE, *sorted(found)]):
                raise DataError(
                    f"{self._where(one)} and {self._where(other)} differ by {ALIKE} only.",
                    "write them alike, or list both in data.class_names if they are two classes",
                )
            if not first and not found - {IGNORE}:
                raise DataError(f"{self.annotated} labels nothing.", "label some stretches, or give data.class_names")
            return [*first, *sorted(found - {self.background, IGNORE})]
        names = tuple(map(normalized, check_names(self.given_names, "data.class_names")))
        if self.background is not None and self.background not in names:
            raise DataError(
                f"data.class_names has no {self.background!r}, which frames outside all segments are.",
                "add it, set data.background to its name in your list, or to null to leave those frames out",
            )
        if IGNORE in names:
            raise DataError(f"data.class_names has {IGNORE!r}, the label of what is left out.", "take another name")
        return names

    def _where(self, label: str) -> str:
        """A label, and the first row that has it."""
        rows = [row for rows in self.segment_rows.values() for row in rows if row.label == label]
        if not rows:
            return f"The label {label!r}"
        return f"{label!r} ({min(rows, key=lambda row: row.line).where})"

    @cached_property
    def goals(self) -> Sequence[str]:
        """The goals of ``videos.csv`` in alphabetical order."""
        return sorted({row.goal for row in (self.listed_videos or {}).values()} - {""})

    def records(self, split: Split) -> list[VideoRecord]:
        """The videos of a split in the order of the files; videos without features are encoded first."""
        rows = {name: (self.listed_videos or {}).get(name, VideoRow()) for name in self.segment_rows}
        chosen = {name: row for name, row in rows.items() if row.split == split}
        sources = self.store.open(list(chosen))
        goals = {goal: index for index, goal in enumerate(self.goals)}
        records = [
            VideoRecord(
                name,
                sources[name],
                self.segments(name, sources[name]),
                goal=goals.get(row.goal, -1),
                group=row.group or None,
            )
            for name, row in chosen.items()
        ]
        if not self.multi_label:
            self._warn_of_overlaps(records)
        return records

    def _warn_of_overlaps(self, records: Sequence[VideoRecord]) -> None:
        """Say which frames lie in segments of two labels, of which one is left out."""
        shared = {record.name: overlaps(record.segments, record.frames.num_frames) > 1 for record in records}
        found = [record for record in records if shared[record.name].any()]
        if not found:
            return
        name, frame = found[0].name, int(shared[found[0].name].argmax())
        rows = zip(self.segment_rows[name], found[0].segments, strict=True)
        here = {segment.label: row for row, segment in rows if segment.start <= frame < segment.end}
        first, second, *_ = (row for label, row in here.items() if label != IGNORED)
        count = sum(int(frames.sum()) for frames in shared.values())
        warnings.warn(
            f"{count} frames of {len(found)} videos lie in segments of two labels, and the segment that starts later "
            f"counts; first {first.label!r} and {second.label!r} of {name!r} "
            f"({first.where} and {second.where}). Set data.multi_label to true to keep all "
            "labels, or correct the rows.",
            stacklevel=2,
        )

    def _dataset(self, split: Split, training: bool) -> WindowDataset:
        """Beside what every data set does, tell of labels that may be slips of the pen before a training."""
        if training and self.given_names is None:
            self._warn_of_slips()
        return super()._dataset(split, training)

    def _warn_of_slips(self) -> None:
        """Say which labels are nearly another one, and which are rare: here every label is a class."""
        found = (row.label for rows in self.segment_rows.values() for row in rows)
        counts = Counter(label for label in found if label not in (IGNORE, self.background))
        for label, other in slips(counts):
            warnings.warn(
                f"{self._where(label)} is nearly {other!r}, and a class of its own ({counts[label]} and "
                f"{counts[other]} segments). Correct it, or list both in data.class_names if they are two classes.",
                stacklevel=2,
            )
        if told := rare(counts):
            warnings.warn(told, stacklevel=2)

    def segments(self, video: str, frames: FeatureSource) -> list[Segment]:
        """The labeled stretches of one video in frames, in the order in which later ones win.

        Raises:
            DataError: if a label is no class, or a segment ends more than a frame after the video.
        """
        fps, length = frames.spec.fps, frames.num_frames / frames.spec.fps
        segments = []
        for row in self.segment_rows[video]:
            if row.end > length + 1 / fps + 1e-6:
                raise DataError(
                    f"{row.where}: the segment ends at {row.end:g} s, and {video!r} is "
                    f"{length:g} s long ({frames.num_frames} frames at {fps:g} a second).",
                    "correct the row; if all are off, the times are not in seconds or data.fps is wrong",
                )
            segments.append(Segment(self._label(row), *frames_between(row.start, row.end, fps)))
        short = sum(segment.start >= min(segment.end, frames.num_frames) for segment in segments)
        if short:
            warnings.warn(
                f"{short} segments of {video!r} fall between two frames at {fps:g} a second and are lost.", stacklevel=2
            )
        return segments

    def _label(self, row: SegmentRow) -> int:
        if row.label == IGNORE:
            return IGNORED
        if row.label in self.class_indices:
            return self.class_indices[row.label]
        close = difflib.get_close_matches(row.label, self.class_names, n=1)
        raise DataError(
            f"{row.where}: the label {row.label!r} is not among the "
            f"{len(self.class_names)} classes of data.class_names.",
            f"did you mean {close[0]!r}?" if close else "add it to the list, or label the segment ignore",
        )

    @cached_property
    def class_indices(self) -> dict[str, int]:
        """Index of every class name."""
        return {name: index for index, name in enumerate(self.class_names)}
