"""What thresholds cost: false alarms of every video, actions found and how late, for one class at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy import special

from gad_lightning.decisions.observed import Bools, Floats, Ints, Observed
from gad_lightning.decisions.switches import switched
from gad_lightning.metrics.functional.detection_delay import detections
from gad_lightning.metrics.functional.frames import FrameTable
from gad_lightning.metrics.functional.labels import LabelSpace

DRAWS = 1000
"""Samples of a bootstrap."""


class Track(NamedTuple):
    """One class of all videos."""

    probabilities: Floats  # (F, 1)
    table: FrameTable  # target: 1 where the class is true, -100 where nothing is known
    num_videos: int


class Cost(NamedTuple):
    """What one class's thresholds do, video by video: K videos."""

    alarms: Ints  # (K,) false alarms
    segments: Ints  # (K,) true segments
    found: Ints  # (K,) of them, those with a frame that is labeled right
    delay: int  # frames from the first frame of a found segment to its first right one, summed
    wrong: int  # frames of the class that are not on, and frames that an event which is right goes on beyond it
    on: int  # frames of known truth that are on
    right: int  # of them, those that show the class

    @property
    def precision(self) -> float:
        """Share of the frames that are on that show the class; nan where none is on."""
        return self.right / self.on if self.on else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true segments that are found; nan where there is none."""
        total = int(self.segments.sum())
        return int(self.found.sum()) / total if total else float("nan")

    def delay_seconds(self, fps: float) -> float:
        """Mean delay of the segments found, in seconds; nan where none is."""
        total = int(self.found.sum())
        return self.delay / (total * fps) if total else float("nan")


def track_of(observed: Observed, label: int) -> Track:
    """One class of what was observed.

    Args:
        observed: with probabilities.
        label: the class.
    """
    return Track(observed.scores[:, label : label + 1], observed.table(label), observed.num_videos)


def cost_of(track: Track, enter: float, leave: float, frames: int) -> Cost:
    """Count what two thresholds of a class do, by the rules of the metrics ``FalseAlarmsPerHour``, ``DetectionDelay``.

    Args:
        track: of the class.
        enter: probability from which it goes on.
        leave: probability below which it goes off.
        frames: for which either must last.
    """
    table, size = track.table, track.num_videos
    on = switched(track.probabilities, np.array([enter]), np.array([leave]), frames, table.breaks.numpy())[:, 0]
    found = detections(table._replace(preds=torch.from_numpy(on).long()), LabelSpace(2))
    target = table.target.numpy()
    of_alarm, of_segment = table.video[found.alarm_start], table.video[found.start]
    is_found = found.delay >= 0
    return Cost(
        alarms=torch.bincount(of_alarm, minlength=size).numpy(),
        segments=torch.bincount(of_segment, minlength=size).numpy(),
        found=torch.bincount(of_segment[is_found], minlength=size).numpy(),
        delay=int(found.delay[is_found].sum()),
        wrong=_wrong_frames(on, table),
        on=int((on & (target >= 0)).sum()),
        right=int((on & (target == 1)).sum()),
    )


def _wrong_frames(on: Bools, table: FrameTable) -> int:
    """Frames of the class that are not on, and frames on beyond it in events that have a right one."""
    target = table.target.numpy()
    begins = on & (table.breaks.numpy() | ~np.concatenate([[False], on[:-1]]))
    event = np.cumsum(begins) - 1
    right = np.zeros(int(begins.sum()), dtype=bool)
    right[event[on & (target == 1)]] = True
    beyond = on & (target == 0)
    return int((~on & (target == 1)).sum()) + int(right[event[beyond]].sum())


def video_draws(num_videos: int, seed: int = 0) -> Ints:
    """How often each video is drawn in each sample of a bootstrap over videos: (1000, K)."""
    draws: Ints = np.random.default_rng(seed).multinomial(num_videos, np.full(num_videos, 1 / num_videos), DRAWS)
    return draws


def _count_bound(count: float, confidence: float) -> float:
    """Exact upper bound of the mean of a Poisson count (Garwood 1936); of a count of 0, -log(1 - confidence).

    Example:
        >>> round(_count_bound(0, 0.95), 4)
        2.9957
    """
    return float(special.gammaincinv(count + 1, confidence))


def rate_bound(alarms: Ints, hours: Floats, draws: Ints, confidence: float) -> float:
    """Upper confidence bound of false alarms an hour.

    The larger one of two. A bootstrap over videos, as alarms of one video come together. And the bound of a Poisson
    count whose variance is as many times its mean as between the videos seen, at least once: a bootstrap of no alarms
    at all says 0, and one of few videos is too low. Where a few videos in a hundred hold most of the alarms, both are
    too low until some such videos were seen.

    Args:
        alarms: (K,) of every video, K at least 2.
        hours: (K,) of every video.
        draws: (B, K) of :func:`video_draws`.
        confidence: in (0, 1).
    """
    total, time, videos = int(alarms.sum()), float(hours.sum()), len(alarms)
    drawn = draws @ hours
    rates = (draws @ alarms)[drawn > 0] / drawn[drawn > 0]
    spread = float(((alarms - total / time * hours) ** 2).sum()) * videos / (videos - 1)
    excess = max(1.0, spread / max(total, 1))
    counted = excess * _count_bound(total / excess, confidence) / time
    return max(float(np.quantile(rates, confidence, method="higher")), counted)
