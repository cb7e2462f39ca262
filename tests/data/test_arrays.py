"""Feature frames in memory."""

from __future__ import annotations

import numpy as np
import pytest

from gad_lightning.data.arrays import ArrayFrames
from gad_lightning.errors import DataError


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 2), np.complex64),
        np.zeros((3, 2), object),
        np.full((3, 2), "x"),
        np.zeros(3),
        np.zeros((3, 1, 2, 2)),
    ],
    ids=["complex", "objects", "texts", "flat", "pictures"],
)
def test_what_is_no_array_of_features_is_refused(array: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"Features are \(F, D\) or \(F, N, D\) real numbers, got"):
        ArrayFrames(array, fps=1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_frame_that_is_not_finite_is_named(value: float) -> None:
    array = np.zeros((5, 2), np.float64)
    array[3, 1] = value
    frames = ArrayFrames(array, fps=1.0)
    assert frames.rows(np.array([0, 4])).shape == (2, 1, 2)
    with pytest.raises(DataError, match="Frame 3 of the features holds NaN or infinite"):
        frames.rows(np.array([1, 3]))
