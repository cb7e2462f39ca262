"""Probes on folds of whole videos."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gad_lightning.classifiers.choosing_context.probes import Probe, Probed, chosen_penalty, held_out_losses


def coin(seed: int = 0, count: int = 200) -> tuple[Probed, np.ndarray]:
    """A coin of 20 videos, and a column that shows it under noise."""
    rng = np.random.default_rng(seed)
    face = rng.integers(2, size=count)
    return Probed(face, 2, np.arange(count) * 20 // count), (2.0 * face - 1 + rng.standard_normal(count))[:, None]


def test_a_probe_equals_the_logistic_regression_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    of, column = coin()
    ours = Probe(of, [column], [0.1]).fit()
    theirs = LogisticRegression(C=2 / (0.1 * len(of.target)), tol=1e-8).fit(column, of.target)
    # the penalty of two rows of weights, of opposite signs, is half that of their difference
    assert ours[0, 1] - ours[0, 0] == pytest.approx(float(theirs.coef_[0, 0]), rel=0.03)


def test_without_columns_a_probe_gives_the_smoothed_frequencies() -> None:
    of = Probed(np.array([0, 0, 0, 1]), 3, np.array([0, 0, 1, 1]))
    assert np.exp(Probe(of, [], []).fit()[0]) == pytest.approx(np.array([1.5, 0.5, 0.0]) / 3 + 1 / 9)


def test_every_video_counts_alike_however_long() -> None:
    of = Probed(np.array([0] * 9 + [1]), 2, np.array([0] * 9 + [1]))
    assert np.exp(Probe(of, [], []).fit()[0]) == pytest.approx([0.5, 0.5])


def test_a_column_of_noise_is_left_out_or_costs_little() -> None:
    of, _ = coin()
    noise = np.random.default_rng(1).standard_normal((200, 8))
    losses = held_out_losses(of, [noise]).mean(1)
    assert losses[0] == pytest.approx(math.log(2), abs=0.02)
    assert losses[1] - losses[0] < 0.02


def test_a_block_that_only_harms_has_an_infinite_penalty() -> None:
    of, column = coin()
    assert math.isinf(chosen_penalty(of, [column], [0.01], np.zeros((200, 1))))
    assert math.isfinite(chosen_penalty(of, [], [], column))


def test_no_video_is_judged_by_a_probe_that_has_seen_it() -> None:
    videos = np.repeat(np.arange(20), 5)
    of = Probed(np.random.default_rng(0).integers(2, size=20)[videos], 2, videos)
    memory = np.eye(20)[videos]  # tells which video it is: enough for whoever has seen it
    assert held_out_losses(of, [memory])[1].mean() > 0.6
