"""What a finished run says of actions that are none of its classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from gad_lightning.results.open_set import is_open, items_of, open_set_of
from gad_lightning.results.predictions import TaskPredictions
from gad_lightning.schema import LabelSet, Task

TASK = Task("action", LabelSet(("rest", "stir", "unknown", "cut"), 0))
"""The class of actions of no class need not be the last one where several runs are shown together."""


def drawn(seed: int = 0, rejects: bool = True) -> TaskPredictions:
    """Two videos of segments of four frames."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(4, size=50).repeat(4)
    nearest = draw.choice([0, 1, 3], size=200)
    score = draw.normal(size=200) + (truth == 2)
    rejection = np.where(nearest == 0, -np.inf, score)
    label = np.where(rejection > 0, 2, nearest) if rejects else nearest
    frame = np.tile(np.arange(100), 2)
    made = TaskPredictions(
        TASK, ("a", "b"), np.arange(200) // 100, frame, label, truth, draw.uniform(0.3, 1, 200), unknown=2
    )
    return made._replace(rejection=rejection, nearest=nearest) if rejects else made


@pytest.mark.parametrize("rejects", [True, False])
def test_frames_are_ranked_as_scikit_learn_ranks_them(rejects: bool) -> None:
    predictions = drawn(rejects=rejects)
    asked = predictions.truth != 0
    score = -predictions.score if predictions.rejection is None else predictions.rejection.clip(-100)
    unknown = predictions.truth[asked] == 2
    found = open_set_of(predictions)
    assert found.by_rejection == rejects
    assert found.frames["auroc"] == pytest.approx(roc_auc_score(unknown, score[asked]))
    assert found.frames["aupr"] == pytest.approx(average_precision_score(unknown, score[asked]))


def test_segments_are_counted_once_and_the_curve_ends_where_all_are_called_unknown() -> None:
    predictions = drawn()
    found, items = open_set_of(predictions), items_of(predictions)["segment"]
    assert (found.known, found.unknown) == (int((~items.unknown).sum()), int(items.unknown.sum()))
    assert (found.lost[-1], found.found[-1]) == (1.0, 1.0)
    area = float(np.trapezoid([0, *found.found], [0, *found.lost]))
    assert found.segments["auroc"] == pytest.approx(area)
    assert found.taken_for.sum() == found.unknown
    assert found.taken_for[2] == 0
    assert set(items.video.tolist()) == {0, 1}


def test_the_kinds_are_told_by_a_run_that_rejects_only() -> None:
    found = open_set_of(drawn())
    assert found.kinds is not None
    assert found.kinds.sum(1).tolist()[0] == found.known
    assert 0 < found.three_way["three_way"] < 1
    assert open_set_of(drawn(rejects=False)).three_way == {}


def test_there_is_something_to_say_of_a_rejection_or_of_unknown_truth() -> None:
    plain = drawn(rejects=False)
    assert is_open(drawn())
    assert is_open(plain)
    assert not is_open(plain._replace(unknown=None))
    assert not is_open(plain._replace(truth=np.zeros_like(plain.truth)))
    known = drawn()._replace(truth=np.ones(200, dtype=np.int64))
    assert is_open(known)
    found = open_set_of(known)
    assert np.isnan(found.segments["auroc"])
    assert found.unknown == 0


def test_the_mean_of_a_segment_is_over_the_frames_that_can_be_unknown() -> None:
    columns = (np.zeros(4, np.int64), np.arange(4), np.array([0, 2, 1, 1]), np.array([2, 2, 1, 1]), np.ones(4))
    rejection, nearest = np.array([-np.inf, 0.5, -1.0, -2.0]), np.array([0, 1, 1, 1])
    made = TaskPredictions(TASK, ("a",), *columns, unknown=2, rejection=rejection, nearest=nearest)
    assert torch.equal(items_of(made)["segment"].rejection, torch.tensor([0.5, -1.5], dtype=torch.float64))
