"""The rules of smoothing over whole videos, for what a stream shows to be held against."""

from __future__ import annotations

from collections.abc import Sequence

from gad_lightning.decisions.smoothing import _hold, _keep


def minimum_duration(labels: Sequence[int], frames: int) -> list[int]:
    """Show a label only from its ``frames``-th frame in a row on; every run but the last is at least so long."""
    smoothed, shown = [], None
    for label in labels:
        shown = _hold(shown, label, frames)
        smoothed.append(shown.label)
    return smoothed


def hysteresis(
    probabilities: Sequence[Sequence[float]], enter: float, leave: float, background: int | None = None
) -> list[int]:
    """Show a class from probability ``enter`` up until it falls below ``leave``."""
    chosen: list[int] = []
    for row in probabilities:
        chosen.append(_keep(chosen[-1] if chosen else None, row, enter, leave, background))
    return chosen
