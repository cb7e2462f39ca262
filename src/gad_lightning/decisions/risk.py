"""Thresholds that keep an expected loss of a new video below a level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from gad_lightning.decisions.counting import Track, cost_of, track_of
from gad_lightning.decisions.observed import Floats, Observed
from gad_lightning.decisions.thresholds import GRID, NEVER, Thresholds
from gad_lightning.errors import DataError, SettingError
from gad_lightning.metrics.functional.video_means import RiskOf, check_risk, video_losses


def _controlled(losses: Floats, level: float, largest: float) -> int | None:
    """The riskiest choice whose expected loss of a new video is at most ``level``; None if no choice is.

    n / (n + 1) times the mean loss plus ``largest`` / (n + 1) must be at most ``level``. Losses that fall again toward
    the risky end are raised to the largest one before, as the rule needs losses that only rise.

    Args:
        losses: (n, M) of n videos under M choices, the safest first; in [0, ``largest``].
        level: in (0, ``largest``).
        largest: B.

    Source: Angelopoulos et al., Conformal Risk Control, arXiv 2208.02814, theorem 1.

    Example:
        >>> _controlled(np.array([[0.0, 0.0, 1.0]] * 9), level=0.2, largest=1.0)
        1
    """
    raised = np.maximum.accumulate(losses, 1)
    bound = (raised.sum(0) + largest) / (len(losses) + 1)
    kept = np.flatnonzero(bound <= level + 1e-12)
    return int(kept[-1]) if len(kept) else None


class RiskControl(Thresholds):
    """One threshold of all classes whose expected loss in a new video stays at or below a level.

    ``missed`` is the share of a video's true segments that are never found, 0 in a video without one; the largest
    threshold that keeps its level is chosen. ``false_alarms`` is a video's false alarms an hour, over all classes,
    cut off at ``largest``; the smallest threshold that keeps its level is chosen.

    Args:
        loss: ``missed`` or ``false_alarms``.
        level: of the expected loss, above 0; n videos support ``largest`` / (n + 1) or more.
        largest: loss at which a video's loss is cut off; 1 for ``missed``.
        hold: ``leave`` as a share of ``enter``, in (0, 1].
        enter: as fitted; None before.
        leave: as fitted.

    Raises:
        SettingError: if a setting lies outside its range.
    """

    def __init__(
        self,
        loss: RiskOf = "missed",
        level: float = 0.1,
        largest: float = 1.0,
        hold: float = 1.0,
        enter: Sequence[float] | None = None,
        leave: Sequence[float] | None = None,
    ) -> None:
        super().__init__(enter or (), leave or enter or ())
        check_risk(loss, largest)
        if not 0 < level < largest < math.inf:
            raise SettingError(
                f"level must lie between 0 and the largest loss, {largest:g}; got {level}.",
                "state a level such as 0.1; of false alarms an hour, largest is where a video's count is cut off",
            )
        if not 0 < hold <= 1:
            raise SettingError(f"hold is a share of enter, got {hold}.", "use 1 for leave = enter")
        self.loss, self.level, self.largest, self.hold = loss, level, largest, hold

    def fit(self, observed: Observed, frames: int = 1) -> RiskControl:
        """Choose the threshold.

        Args:
            observed: with calibrated probabilities.
            frames: for which a class must last to go on or off.

        Raises:
            DataError: if the videos are too few for the level, or no threshold keeps it.
        """
        hours = observed.hours
        used, needed = int((hours > 0).sum()), math.ceil(self.largest / self.level - 1 - 1e-9)
        if used < needed:
            raise DataError(
                f"A level of {self.level:g} with losses of up to {self.largest:g} needs {needed} videos or more, got "
                f"{used}.",
                f"validate on more videos, or state a level of {math.ceil(1e4 * self.largest / (used + 1)) / 1e4:g} "
                "or more",
            )
        tried = (NEVER, *GRID) if self.loss == "false_alarms" else (*GRID[::-1],)
        tracks = [track_of(observed, label) for label in observed.actions]
        losses = np.stack([self._losses(tracks, hours, enter, frames) for enter in tried], 1)[hours > 0]
        place = _controlled(losses, self.level, self.largest)
        if place is None:
            least = (losses[:, 0].sum() + self.largest) / (used + 1)
            raise DataError(
                f"No threshold keeps {self.loss} at or below {self.level:g}: the safest one gives {least:.3g}.",
                f"state a level of {math.ceil(1e3 * least) / 1e3:g} or more, or train the classifier better",
            )
        enter = [NEVER] * len(observed.labels.names)
        for label in observed.actions:
            enter[label] = tried[place]
        leave = [value if value >= NEVER else round(value * self.hold, 6) for value in enter]
        return RiskControl(self.loss, self.level, self.largest, self.hold, enter, leave)

    def _losses(self, tracks: Sequence[Track], hours: Floats, enter: float, frames: int) -> Floats:
        """Loss of every video under a threshold of all classes: (K,)."""
        leave = enter if enter >= NEVER else enter * self.hold
        costs = [cost_of(track, enter, leave, frames) for track in tracks]
        segments, found, alarms = (
            torch.from_numpy(np.stack(parts).sum(0))
            for parts in zip(*((cost.segments, cost.found, cost.alarms) for cost in costs), strict=True)
        )
        losses = video_losses(self.loss, segments - found, segments, alarms, torch.from_numpy(hours))
        kept: Floats = losses.clamp(max=self.largest).numpy()
        return kept
