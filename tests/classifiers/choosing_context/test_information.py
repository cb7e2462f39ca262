"""Usable information has the known values of drawn contexts, and its intervals hold them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gad_lightning.classifiers.choosing_context.information import VALUES, Coded, Interval, Rows, coded, shown, told
from gad_lightning.classifiers.choosing_context.probes import OUTER
from tests.classifiers.choosing_context.drawing import TOLD, drawn


def test_four_contexts_of_known_answers_are_ranked_right_on_40_videos() -> None:
    rows, contexts = drawn(0)
    found = {name: (Interval.over(told(rows, c)), Interval.over(shown(rows, c))) for name, c in contexts.items()}
    score = {name: one.least(other) for name, (one, other) in found.items()}
    assert max(score, key=lambda name: score[name].value) == "copy"
    assert score["copy"].low > 0.1
    assert all(score[name].value < 0.03 for name in ("noise", "visible", "invisible"))
    assert found["visible"][1].low > 0.4
    assert found["visible"][0].value < 0.03
    assert found["invisible"][0].low > 0.1
    assert found["invisible"][1].value < 0.03


@pytest.mark.parametrize("draws", [8, pytest.param(400, marks=pytest.mark.slow)])
def test_intervals_hold_the_truth_in_95_of_100_draws(draws: int) -> None:
    hits = 0
    for seed in range(draws):
        rows, contexts = drawn(seed, moments=4)
        interval = Interval.over(told(rows, contexts["invisible"], [0.01] * OUTER))
        hits += interval.low <= TOLD <= interval.high
    assert hits / draws >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / draws), hits


@pytest.mark.slow
def test_what_tells_nothing_has_an_interval_down_to_0_in_38_of_40_draws() -> None:
    hits = sum(not Interval.over(told(*_noise(seed), [0.01] * OUTER)).low for seed in range(40))
    assert hits >= 38


def _noise(seed: int) -> tuple[Rows, list[Coded]]:
    """Slots and a context that has nothing to do with them."""
    rows, contexts = drawn(seed, moments=4)
    return rows, contexts["noise"]


def test_parts_are_told_one_after_the_other_so_a_repeated_part_adds_nothing() -> None:
    rows, contexts = drawn(1)
    once, twice = shown(rows, contexts["visible"]), shown(rows, contexts["visible"] * 2)
    assert twice.mean() == pytest.approx(once.mean(), abs=0.02)
    assert told(rows, contexts["copy"] * 2).mean() == pytest.approx(told(rows, contexts["copy"]).mean(), abs=0.03)


def test_a_context_that_never_changes_tells_and_shows_nothing() -> None:
    rows, _ = drawn(2, moments=4)
    constant = [Coded(np.zeros(len(rows.label), dtype=np.int64), 1)]
    assert abs(told(rows, constant)).max() < 0.01
    assert not shown(rows, constant).any()


def test_the_smaller_of_two_has_the_smaller_bounds() -> None:
    assert Interval(0.5, 0.2, 0.8).least(Interval(0.4, 0.3, 0.5)) == Interval(0.4, 0.2, 0.5)


def test_a_mean_below_0_is_shown_as_0() -> None:
    assert Interval.over(np.array([-0.2, -0.1, -0.3])) == Interval(0.0, 0.0, pytest.approx(0.1726, abs=1e-3))


def test_rare_values_count_as_one() -> None:
    found = coded([0, 0, *range(100)])
    assert found.size == VALUES + 1
    assert len(set(found.code[2 + VALUES :].tolist())) == 1
    assert found.columns.shape == (102, VALUES + 1)
