"""Error diversity: hand cases, and the expected value against drawing."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from gad_lightning.errors import SettingError
from gad_lightning.metrics import ErrorDiversity
from gad_lightning.metrics.functional import error_diversity


def diversity(errors: dict[int, list[int]], **settings: int | None) -> float:
    """Diversity of the wrong labels of each true class."""
    pairs = [(found, true) for true, wrong in errors.items() for found in wrong]
    preds, target = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).unbind(1)
    return float(error_diversity(preds, target, num_classes=30, **settings))


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        pytest.param({0: [1, 1, 2, 2]}, math.log(2), id="two labels, twice each"),
        pytest.param({0: [1, 1, 1, 1]}, 0.0, id="always the same label"),
        pytest.param({0: [1, 1, 2, 2], 3: [4]}, math.log(2) / 2, id="mean over the classes with errors"),
        pytest.param({0: [0, 0], 1: [1]}, 0.0, id="no error"),
        pytest.param({}, 0.0, id="no frame"),
    ],
)
def test_hand_checked_cases(errors: dict[int, list[int]], expected: float) -> None:
    assert diversity(errors) == pytest.approx(expected)


def test_expected_entropy_is_the_mean_over_all_draws() -> None:
    wrong = [1, 1, 1, 2, 2, 3, 4]
    for size in (1, 2, 3, 5, 7):
        drawn = [diversity({0: list(some)}) for some in itertools.combinations(wrong, size)]
        assert diversity({0: wrong}, at_errors=size) == pytest.approx(sum(drawn) / len(drawn), abs=1e-6)


def test_few_errors_look_less_diverse_than_they_are() -> None:
    many = [label for label in range(1, 21) for _ in range(10_000)]  # 20 equally likely labels, 3.00 nats
    assert diversity({0: many}) == pytest.approx(math.log(20))
    assert diversity({0: many}, at_errors=5) == pytest.approx(1.47, abs=0.01)
    assert diversity({0: many}, at_errors=200) == pytest.approx(2.95, abs=0.01)


def test_classes_with_too_few_errors_are_left_out() -> None:
    assert diversity({0: [1, 2, 1, 2], 3: [4, 4, 4]}, at_errors=4) == pytest.approx(math.log(2))
    assert math.isnan(diversity({0: [1, 2], 3: [4, 4, 4]}, at_errors=4))


def test_background_and_ignored_frames_can_be_left_out() -> None:
    errors = {0: [5, 6], 1: [0, 2, 2], 7: [1, 2]}
    assert diversity(errors, background=0) == pytest.approx((0 + math.log(2)) / 2)
    assert diversity(errors, background=0, ignore_index=7) == 0


def test_details_and_settings() -> None:
    metric, frames = ErrorDiversity(3), torch.arange(4)
    metric.update(torch.tensor([1, 2, 2, 1]), torch.tensor([0, 0, 2, 1]), frames * 0, frames)
    details = metric.details()
    assert details["errors"].tolist() == [2, 0, 0]
    assert details["per_class"].isnan().tolist() == [False, True, True]
    assert torch.equal(details["diversity"], metric.compute())
    with pytest.raises(SettingError, match="at_errors is 0"):
        ErrorDiversity(3, at_errors=0)
