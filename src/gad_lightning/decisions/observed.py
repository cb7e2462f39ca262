"""What a classifier said of the videos that decisions are fitted on, one row a frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics.functional.frames import FrameTable, video_breaks
from gad_lightning.schema import LabelSet

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
HOUR = 3600


class Observed(NamedTuple):
    """F frames of K videos of one task, ordered by video and frame, no frame twice."""

    scores: Floats  # (F, C) log-probabilities, or probabilities once they are calibrated
    truth: NDArray[np.int8]  # (F, C): 1 true, 0 not true, -1 unknown
    video: Ints  # (F,) in 0..K-1, ascending
    frame: Ints  # (F,) number of the frame within its video
    labels: LabelSet
    fps: float  # frames a second
    unknown: Bools | None = None  # (F,) frames that show none of the classes, by a rejection score

    @property
    def num_videos(self) -> int:
        """K."""
        return int(self.video[-1]) + 1 if len(self.video) else 0

    @property
    def known(self) -> Bools:
        """(F,): frames whose truth is known and not ignored."""
        known: Bools = np.all(self.truth >= 0, axis=1)
        if self.labels.ignore is not None:
            known = known & (self.truth[:, self.labels.ignore] != 1)
        return known

    @property
    def breaks(self) -> Bools:
        """(F,): the first frame of a video, and of what follows a gap."""
        found: Bools = video_breaks(torch.from_numpy(self.video), torch.from_numpy(self.frame), "cut").numpy()
        return found

    @property
    def hours(self) -> Floats:
        """(K,) hours of every video whose truth is known."""
        frames = np.bincount(self.video[self.known], minlength=self.num_videos)
        hours: Floats = frames / (self.fps * HOUR)
        return hours

    @property
    def actions(self) -> list[int]:
        """The classes that are neither background nor ignored."""
        return [
            label
            for label in range(len(self.labels.names))
            if label not in (self.labels.background, self.labels.ignore)
        ]

    def table(self, label: int) -> FrameTable:
        """Frames of one class against all others: target 1 where it is true, -100 where nothing is known."""
        target = np.where(self.known, self.truth[:, label] == 1, -100).astype(np.int64)
        columns = (torch.from_numpy(part) for part in (target, self.video, self.frame, self.breaks))
        target_, video, frame, breaks = columns
        return FrameTable(torch.zeros_like(target_), target_, video, frame, breaks)

    def checked(self) -> Observed:
        """Return itself.

        Raises:
            DataError: if there is no frame of known truth, or a score is NaN or no logarithm of a probability.
        """
        if not self.known.any():
            raise DataError("No frame of the videos has a known label.", "give videos whose segments are annotated")
        bad = np.flatnonzero(np.isnan(self.scores).any(1) | (self.scores > 1e-4).any(1))
        if len(bad):
            raise DataError(
                f"The scores of frame {self.frame[bad[0]]} of video {self.video[bad[0]]} are no log-probabilities: "
                f"{self.scores[bad[0]].tolist()[:8]} ({len(bad)} such frames).",
                "check the weights and the features: every score is a finite number of at most 0, or -inf",
            )
        return self


def check_share(value: float, name: str) -> float:
    """Return a share strictly between 0 and 1.

    Raises:
        SettingError: naming the setting.
    """
    if not 0 < value < 1:
        raise SettingError(f"{name} must lie between 0 and 1, got {value}.", f"set {name} to a share such as 0.1")
    return value
