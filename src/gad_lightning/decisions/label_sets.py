"""Sets of labels that hold the true one at a stated share of the frames of a new video."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gad_lightning.decisions.observed import Bools, Floats, Ints, Observed, check_share
from gad_lightning.errors import DataError, SettingError
from gad_lightning.parts import Part

ERRORS = tuple(place / 100 for place in range(1, 100))
"""Of which misfits are kept."""


def _hierarchical_quantile(misfit: Floats, video: Ints, error: float) -> float:
    """Quantile of misfits that a random frame of a new video stays below with probability 1 - ``error`` or more.

    Videos are exchangeable, frames of a video need not be: every frame of video k weighs 1 / ((K + 1) N_k), and
    infinity weighs 1 / (K + 1).

    Args:
        misfit: (F,) one minus the probability of the truth, say.
        video: (F,) number of the video.
        error: in (0, 1).

    Returns:
        The quantile; inf where the videos are too few.

    Source: Lee, Barber, Willett, Distribution-free inference with hierarchical data, arXiv 2306.06342, section 3; see
    also Dunn, Wasserman, Ramdas, arXiv 1809.07441.

    Example:
        >>> _hierarchical_quantile(np.array([0.1, 0.2, 0.3]), np.array([0, 1, 2]), error=0.25)
        0.3
    """
    return _hierarchical_quantiles(misfit, video, [error])[0]


def _hierarchical_quantiles(misfit: Floats, video: Ints, errors: Sequence[float]) -> list[float]:
    """The same for several errors."""
    _, place, counts = np.unique(video, return_inverse=True, return_counts=True)
    order = misfit.argsort()
    reached = np.cumsum(1 / ((len(counts) + 1) * counts[place[order]]))
    places = np.searchsorted(reached, 1 - np.array(errors) - 1e-12)
    return [float(misfit[order[one]]) if one < len(order) else math.inf for one in places.tolist()]


class ConformalLabels(Part):
    """Label sets that hold the true label of a random frame of a new video with probability 1 - ``error`` or more.

    A set has every class whose probability is at least 1 - ``misfit``, and the likeliest one. It holds over videos: the
    next video is like the earlier ones, its frames may depend on each other as they like. Frames of unknown truth do
    not count, and one label a frame is needed.

    Args:
        error: share of frames whose label may be missing, in (0, 1); K videos support an error of 1 / (K + 1) or more.
        misfit: as fitted; None before.
        misfits: as fitted for errors of 0.01, 0.02, ... 0.99, for streams that are told true labels; None before.

    Raises:
        SettingError: if a setting lies outside its range.

    Source: Lee, Barber, Willett, Distribution-free inference with hierarchical data, arXiv 2306.06342, section 3.
    """

    def __init__(self, error: float = 0.1, misfit: float | None = None, misfits: Sequence[float] | None = None) -> None:
        self.error = check_share(error, "error")
        if misfit is not None and not 0 <= misfit <= 1:
            raise SettingError(f"misfit is one minus a probability, got {misfit}.", "leave it out and calibrate")
        self.misfit = misfit
        self.misfits = tuple(map(float, misfits or ()))
        if self.misfits and (len(self.misfits) != len(ERRORS) or list(self.misfits) != sorted(self.misfits)[::-1]):
            raise SettingError("misfits fall, one for each of 99 errors.", "leave them out and calibrate")

    def fit(self, observed: Observed) -> ConformalLabels:
        """Choose the misfit.

        Args:
            observed: with calibrated probabilities.

        Raises:
            DataError: if the videos are too few, or several labels can be true at once.
        """
        if observed.labels.multi_label:
            raise DataError(
                "ConformalLabels needs one label a frame; here several can be true at once.", "leave label sets out"
            )
        known = observed.known
        videos = len(np.unique(observed.video[known]))
        needed = math.ceil(1 / self.error - 1 - 1e-9)
        if videos < needed:
            raise DataError(
                f"Label sets with an error of {self.error:g} need {needed} videos or more, got {videos}.",
                f"validate on more videos, or state an error of {math.ceil(1e4 / (videos + 1)) / 1e4:g} or more",
            )
        likely = np.where(observed.truth == 1, observed.scores, 0).max(1)[known]
        quantiles = _hierarchical_quantiles(1 - likely, observed.video[known], [self.error, *ERRORS])
        misfit, *misfits = (min(max(quantile, 0.0), 1.0) for quantile in quantiles)
        return ConformalLabels(self.error, misfit, misfits)

    def misfit_at(self, error: float) -> float | None:
        """The misfit for another error, rounded down to hundredths; 1, which every class keeps, for less than 0.01."""
        place = math.floor(100 * error + 1e-9)
        if error == self.error:
            return self.misfit
        return self.misfits[min(place, len(self.misfits)) - 1] if place > 0 else 1.0

    def __call__(self, probabilities: Floats, misfit: float | None = None) -> Bools:
        """The set of every frame: (F, C) -> (F, C).

        Args:
            probabilities: (F, C) calibrated.
            misfit: for another error; as fitted if None.

        Raises:
            SettingError: if it is not fitted.
        """
        if self.misfit is None:
            raise SettingError("These label sets are not fitted.", "run gad-lightning calibrate first")
        sets: Bools = 1 - probabilities <= (self.misfit if misfit is None else misfit)
        sets[np.arange(len(sets)), probabilities.argmax(1)] = True
        return sets
