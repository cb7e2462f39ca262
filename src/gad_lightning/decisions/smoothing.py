"""Steadier labels, without looking ahead: hysteresis on probabilities, then a minimum duration.

Each is a pure function of what was shown and what comes next; :class:`Smoothing` keeps what was shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.schema import LabelSet
from gad_lightning.types import THRESHOLD, chosen_classes


class Shown(NamedTuple):
    """The label shown, and the one that is about to take its place."""

    label: int
    candidate: int
    frames: int  # for which the candidate has come in a row


def _hold(shown: Shown | None, label: int, frames: int) -> Shown:
    """Take the next label: it is shown once it has come ``frames`` times in a row; the first one is shown at once."""
    if shown is None:
        return Shown(label, label, 0)
    if label == shown.label:
        return Shown(label, label, 0)
    seen = shown.frames + 1 if label == shown.candidate else 1
    return Shown(label, label, 0) if seen >= frames else Shown(shown.label, label, seen)


def _keep(label: int | None, probabilities: Sequence[float], enter: float, leave: float, background: int | None) -> int:
    """Choose the class to show next.

    The likeliest class, if its probability is at least ``enter``; else the one shown, as long as its probability is at
    least ``leave``; else the background, or the likeliest class where there is no background.

    Args:
        label: class shown before, None at first.
        probabilities: (C,) of the frame.
        enter: probability from which a class is shown, in [0, 1].
        leave: probability below which it no longer is, in [0, ``enter``].
        background: class that means nothing of interest.
    """
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    if probabilities[best] >= enter:
        return best
    if label is not None and probabilities[label] >= leave:
        return label
    return best if background is None else background


class Smoothing:
    """Both rules for one live stream: hysteresis first, then the minimum duration.

    Args:
        frames: minimum duration; 1 changes nothing.
        thresholds: ``(enter, leave)`` of the hysteresis; None takes the likeliest class.
        background: class that means nothing of interest, or None.

    Raises:
        SettingError: if a setting lies outside its range.
    """

    def __init__(
        self, frames: int = 1, thresholds: tuple[float, float] | None = None, background: int | None = None
    ) -> None:
        if frames < 1:
            raise SettingError(f"A minimum duration is at least 1 frame, got {frames}.", "use 1 for none")
        if thresholds is not None and not 0 <= thresholds[1] <= thresholds[0] <= 1:
            raise SettingError(
                f"Hysteresis enters at a probability and leaves at a lower one, both in [0, 1]; got {thresholds}.",
                "give enter and leave, such as [0.6, 0.3]",
            )
        self.frames, self.thresholds, self.background = frames, thresholds, background
        self.chosen: int | None = None
        self.shown: Shown | None = None

    def __call__(self, probabilities: Tensor) -> int:
        """Class to show for the next frame, of its (C,) probabilities."""
        enter, leave = self.thresholds or (0.0, 0.0)
        self.chosen = _keep(self.chosen, probabilities.tolist(), enter, leave, self.background)
        self.shown = _hold(self.shown, self.chosen, self.frames)
        return self.shown.label

    def restart(self) -> None:
        """Forget what was shown."""
        self.chosen = self.shown = None


class SeveralSmoothing:
    """The same for a stream where several classes can be true: each class comes and goes by itself.

    Args:
        labels: the classes; the background is shown where no other one is.
        frames: minimum duration of each class; 1 changes nothing.
        thresholds: ``(enter, leave)`` of the hysteresis; 0.5 for both if None.

    Raises:
        SettingError: if a setting lies outside its range.
    """

    def __init__(self, labels: LabelSet, frames: int = 1, thresholds: tuple[float, float] | None = None) -> None:
        self.labels = labels
        pair = (THRESHOLD, THRESHOLD) if thresholds is None else thresholds
        self.each = [Smoothing(frames, pair, background=0) for _ in labels.names]

    def __call__(self, probabilities: Tensor) -> Tensor:
        """Classes to show for the next frame, of their (C,) probabilities: (C,) bool."""
        pairs = torch.stack([torch.zeros_like(probabilities), probabilities], 1)
        shown = torch.tensor([one(pair) == 1 for one, pair in zip(self.each, pairs, strict=True)])
        return chosen_classes(shown.float().unsqueeze(0), self.labels)[0]

    def restart(self) -> None:
        """Forget what was shown."""
        for one in self.each:
            one.restart()
