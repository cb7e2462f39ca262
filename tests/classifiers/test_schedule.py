"""The learning rate over a run."""

from __future__ import annotations

from itertools import pairwise

import pytest
from torch import nn

from gad_lightning.classifiers.schedule import PaperAdamW, scale_at, usual_rate


def test_it_rises_to_1_and_falls_to_0() -> None:
    rates = [scale_at(step, 100, 0.1, "cosine") for step in range(101)]
    assert rates[0] == 0
    assert max(rates) == rates[10] == 1
    assert rates[:11] == pytest.approx([step / 10 for step in range(11)])
    assert rates[55] == pytest.approx(0.5)
    assert all(one >= next_one for one, next_one in pairwise(rates[10:]))
    assert rates[100] == pytest.approx(0.0)


def test_a_constant_rate_stays_after_the_warm_up() -> None:
    assert [scale_at(step, 10, 0.2, "constant") for step in (0, 1, 2, 9, 20)] == [0.0, 0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_runs_of_a_few_steps_have_finite_rates(steps: int) -> None:
    assert all(
        0 <= scale_at(step, steps, share, "cosine") <= 1 for share in (0.0, 0.1, 0.99) for step in range(steps + 2)
    )


def test_the_published_optimizer_has_no_weight_decay() -> None:
    (group,) = PaperAdamW(nn.Linear(1, 1).parameters()).param_groups
    assert (group["lr"], group["weight_decay"]) == (1e-4, 0.0)


def test_the_usual_rate_is_the_published_one_at_1b_and_goes_by_the_inverse_width_below() -> None:
    assert usual_rate(2048) == usual_rate(4096) == usual_rate(8192) == 1e-4
    assert usual_rate(576) == pytest.approx(1e-4 * 2048 / 576)
    assert [usual_rate(width) for width in (8, 64)] == [3e-3, 3e-3]
    rates = [usual_rate(width) for width in range(16, 3000)]
    assert all(one >= next_one for one, next_one in pairwise(rates))
