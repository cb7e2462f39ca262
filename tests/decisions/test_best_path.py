"""The best labeling of a whole video."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gad_lightning.decisions.best_path import BALANCES, WEIGHTS, BestPath, _best_path, counted
from gad_lightning.decisions.live import LiveDecisions
from gad_lightning.decisions.path import Decisions
from gad_lightning.decisions.steady import steadiness
from gad_lightning.errors import DataError, SettingError
from gad_lightning.rebuilding import rebuild
from tests.decisions.test_steady import KITCHEN, starts, video
from tests.decisions.worlds import observed_of


def test_it_is_the_best_of_all_labelings() -> None:
    draw = np.random.default_rng(0)
    scores, first, changes = draw.normal(size=(6, 3)), draw.normal(size=3), draw.normal(size=(3, 3))

    def value(path: tuple[int, ...]) -> float:
        steps = sum(changes[a, b] for a, b in itertools.pairwise(path))
        return float(first[path[0]] + steps + scores[np.arange(6), list(path)].sum())

    best = max(itertools.product(range(3), repeat=6), key=value)
    assert _best_path(scores, first, changes).tolist() == list(best)


def test_unlabeled_frames_are_not_counted() -> None:
    found = counted([np.array([0, 0, 1, -100, 1, 1]), np.array([], dtype=np.int64)], 2)
    assert found.tolist() == [[1, 1], [0, 1]]


def test_it_learns_what_follows_what() -> None:
    truth = np.tile(np.repeat([1, 2, 3], 20), 6)
    draw = np.random.default_rng(0)
    blurred = np.where(truth == 3, 2, truth)  # a 3 looks like a 2
    logits = draw.normal(size=(360, 4)) + 2 * (blurred[:, None] == np.arange(4))
    logits[:, 3] = logits[:, 2] - 0.05
    probabilities = np.exp(logits - np.logaddexp.reduce(logits, 1, keepdims=True))
    seen = observed_of(probabilities, truth, np.repeat([0, 1, 2], 120), KITCHEN)
    tried = BestPath().candidates(KITCHEN, [truth[:120]] * 5)
    assert len(tried) == len(WEIGHTS) * len(BALANCES)
    likeliest = probabilities.argmax(1)
    worth = [steadiness(seen, likeliest, one.labels(probabilities, seen.breaks), one.told()) for one in tried]
    best = max(range(len(tried)), key=lambda number: worth[number].segment_f1)
    assert worth[best].segment_f1 > worth[best].segment_f1_before + 0.3
    assert worth[best].accuracy > worth[best].accuracy_before + 0.05
    again = rebuild(tried[best].spec())
    assert np.array_equal(again.labels(probabilities, seen.breaks), tried[best].labels(probabilities, seen.breaks))


def test_every_video_is_a_path_of_its_own() -> None:
    (one, _), (two, _) = video(0), video(1)
    path = BestPath(1.0, 0.5, [[30, 1, 1, 1]] * 4)
    both = path.labels(np.concatenate([one, two]), starts([200, 200]))
    assert np.array_equal(both, np.concatenate([path.labels(each, starts([200])) for each in (one, two)]))


def test_what_cannot_be_is_refused() -> None:
    probabilities = video()[0]
    with pytest.raises(DataError, match="two labeled frames in a row"):
        BestPath().candidates(KITCHEN, [np.array([1, -100, 1])])
    with pytest.raises(SettingError, match="above 0 and finite, got 0"):
        BestPath(weight=0)
    with pytest.raises(SettingError, match=r"balance of BestPath must lie in \[0, 1\], got 2"):
        BestPath(balance=2)
    with pytest.raises(SettingError, match="not fitted"):
        BestPath().labels(probabilities, starts([200]))
    decisions = Decisions(KITCHEN, 4.0, steady=BestPath(1.0, 0.0, [[1] * 4] * 4))
    with pytest.raises(SettingError, match="BestPath chooses labels by a look ahead") as refused:
        LiveDecisions(decisions)
    assert "--by switch_cost" in str(refused.value)
