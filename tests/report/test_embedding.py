"""States in the plane and the two figures beside them, against scikit-learn."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import silhouette_score
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.report.embedding import purity, silhouette, standardized, tsne


def blobs(number: int = 5, each: int = 30, width: int = 16) -> tuple[Tensor, Tensor]:
    """Overlapping classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(number).repeat_interleave(each)
    centers = torch.randn(number, width, generator=generator)
    return 2 * centers[labels] + torch.randn(number * each, width, generator=generator), labels


def test_neighbors_stay_neighbors_as_they_do_with_the_usual_program() -> None:
    states, labels = blobs()
    rows = standardized(states).numpy()
    ours = tsne(states)
    theirs = TSNE(perplexity=30, init="pca", random_state=0, method="exact").fit_transform(rows)
    assert ours.shape == (150, 2)
    assert trustworthiness(rows, ours.numpy()) >= trustworthiness(rows, theirs) - 0.02
    assert purity(ours, labels) > 0.9


def test_the_picture_is_the_same_every_time_and_equal_states_do_no_harm() -> None:
    states = torch.cat([torch.zeros(20, 3), torch.ones(20, 3)])
    one = tsne(states, steps=50)
    assert (one == tsne(states, steps=50)).all()
    assert one.isfinite().all()


@pytest.mark.parametrize("alone", [False, True])
def test_silhouette_is_the_usual_one(alone: bool) -> None:
    states, labels = blobs(3, 10)
    if alone:
        labels[0] = 7  # a label of one state
    assert silhouette(states, labels) == pytest.approx(silhouette_score(states.numpy(), labels.numpy()), abs=1e-5)


def test_too_few_states_are_refused() -> None:
    with pytest.raises(SettingError, match="at least 4 states, got 3"):
        tsne(torch.zeros(3, 2))
    assert math.isnan(silhouette(torch.zeros(3, 2), torch.zeros(3)))
