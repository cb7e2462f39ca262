"""Small worlds with known truth for the tests of decisions."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from gad_lightning.decisions.observed import Floats, Ints, Observed
from gad_lightning.schema import LabelSet

STIR = LabelSet(("background", "stir"), background=0)


def observed_of(
    scores: Floats, truth: Ints, video: Ints | None = None, labels: LabelSet = STIR, fps: float = 4.0
) -> Observed:
    """Frames of one label each; ``truth`` -100 is unknown. One video by default."""
    places = np.zeros(len(scores), dtype=np.int64) if video is None else video
    first = np.flatnonzero(np.diff(places, prepend=-1))
    frame = np.arange(len(scores)) - first[np.cumsum(np.diff(places, prepend=-1) != 0) - 1]
    hot = np.where(truth[:, None] < 0, -1, truth[:, None] == np.arange(len(labels.names))).astype(np.int8)
    return Observed(scores, hot, places, frame, labels, fps)


def ar1(draw: np.random.Generator, shape: tuple[int, ...], memory: float) -> Floats:
    """Stationary AR(1) processes of unit variance along the last axis."""
    noise = draw.normal(size=shape)
    noise[..., 1:] *= np.sqrt(1 - memory**2)
    found: Floats = lfilter([1.0], [1.0, -memory], noise, axis=-1)
    return found


def stirring(draw: np.random.Generator, videos: int, frames: int = 240, level: float = 1.0) -> Observed:
    """Videos with one stretch of stirring each; probabilities wander slowly, and every video has a level of its own."""
    wander = 1.5 * ar1(draw, (videos, frames), 0.9) + level * draw.normal(size=(videos, 1))
    truth = np.zeros((videos, frames), dtype=np.int64)
    truth[:, frames // 2 : frames // 2 + 20] = 1
    share = 1 / (1 + np.exp(-(wander - 3 + 5 * truth)))
    rows = np.stack([1 - share.ravel(), share.ravel()], 1)
    return observed_of(rows, truth.ravel(), np.repeat(np.arange(videos), frames))
