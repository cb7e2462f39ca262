"""Label sets cover new videos whose frames depend on each other; sets made frame by frame do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from gad_lightning.decisions.label_sets import ConformalLabels, _hierarchical_quantile
from gad_lightning.errors import DataError, SettingError
from gad_lightning.rebuilding import rebuild
from gad_lightning.schema import LabelSet
from tests.decisions.worlds import ar1, observed_of

DRAWS, VIDEOS, FRAMES, ERROR = 2000, 14, 60, 0.1


def frame_level(misfit: np.ndarray, error: float) -> float:
    """Quantile of split conformal prediction, which takes every frame for a draw of its own."""
    rank = math.ceil((misfit.size + 1) * (1 - error))
    return float(np.sort(misfit.ravel())[rank - 1])


def test_ours_covers_the_frames_of_a_new_video_and_frame_level_does_not() -> None:
    draw = np.random.default_rng(0)
    worlds = ar1(draw, (DRAWS, VIDEOS + 1, FRAMES), memory=0.98)
    video = np.repeat(np.arange(VIDEOS), FRAMES)
    frame = draw.integers(FRAMES, size=DRAWS)
    ours = theirs = 0
    for world, place in zip(worlds, frame, strict=True):
        new = world[-1, place]
        ours += new <= _hierarchical_quantile(world[:-1].ravel(), video, ERROR)
        theirs += new <= frame_level(world[:-1], ERROR)
    low = stats.binom.ppf(0.005, DRAWS, 1 - ERROR)
    assert theirs < low <= ours <= stats.binom.ppf(0.995, DRAWS, 1 - ERROR + 1 / (VIDEOS + 1))


def test_of_one_frame_a_video_it_is_split_conformal_prediction() -> None:
    misfit = np.random.default_rng(0).random(50)
    assert _hierarchical_quantile(misfit, np.arange(50), 0.1) == frame_level(misfit, 0.1)


def test_long_videos_weigh_no_more_than_short_ones() -> None:
    misfit = np.concatenate([np.full(1000, 0.1), [0.5, 0.6, 0.7]])
    video = np.concatenate([np.zeros(1000, dtype=np.int64), [1, 2, 3]])
    assert _hierarchical_quantile(misfit, video, 0.4) == 0.6
    assert _hierarchical_quantile(misfit, video, 0.1) == math.inf


def test_sets_hold_the_likely_classes_and_never_nothing() -> None:
    sets = ConformalLabels(0.1, misfit=0.6)(np.array([[0.5, 0.4, 0.1], [0.34, 0.33, 0.33]]))
    assert sets.tolist() == [[True, True, False], [True, False, False]]


def test_the_share_covered_is_that_of_the_videos_it_was_fitted_on() -> None:
    draw = np.random.default_rng(1)
    shares = draw.dirichlet([1, 1, 1], size=2000)
    truth = (shares.cumsum(1) > draw.random((2000, 1))).argmax(1)
    labels = LabelSet(("a", "b", "c"))
    fitted = ConformalLabels(0.2).fit(observed_of(shares, truth, np.repeat(np.arange(20), 100), labels))
    covered = fitted(shares)[np.arange(2000), truth].reshape(20, 100).mean(1).mean()
    assert 0.8 <= covered <= 0.88
    assert rebuild(fitted.spec()).misfit == fitted.misfit


def test_too_few_videos_are_refused_with_what_is_enough() -> None:
    scores, truth, video = np.full((8, 2), 0.5), np.zeros(8, dtype=np.int64), np.repeat(np.arange(8), 1)
    with pytest.raises(DataError, match=r"error of 0\.1 need 9 videos or more, got 8") as error:
        ConformalLabels(0.1).fit(observed_of(scores, truth, video))
    assert "an error of 0.1112 or more" in error.value.remedy
    assert ConformalLabels(0.1112).fit(observed_of(scores, truth, video)).misfit == 0.5


def test_several_labels_a_frame_and_sets_that_are_not_fitted_are_refused() -> None:
    several = observed_of(np.zeros((3, 2)), np.zeros(3, dtype=np.int64), labels=LabelSet(("a", "b"), multi_label=True))
    with pytest.raises(DataError, match="one label a frame"):
        ConformalLabels().fit(several)
    with pytest.raises(SettingError, match="not fitted"):
        ConformalLabels()(np.zeros((1, 2)))
    with pytest.raises(SettingError, match="error must lie between 0 and 1"):
        ConformalLabels(1.0)
