"""Votes of neighbors: a plain loop, whose videos vote, and a weight that validation chooses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from gad_lightning.errors import DataError, SettingError
from gad_lightning.retrieval.moment_index import MomentIndex
from gad_lightning.retrieval.votes import TEMPERATURES, WEIGHTS, NeighborVotes
from gad_lightning.types import IGNORED, Predictions
from tests.retrieval.making import facts, random_moments, random_rows

pytest.importorskip("faiss", reason="the extra `search`")


@pytest.fixture
def index(tmp_path: Path) -> MomentIndex:
    """300 moments of three videos, whose truth is the cluster of their embedding."""
    moments = random_moments(300)
    moments["truth"] = random_rows(300)[:, 0] > 0
    return MomentIndex.build(tmp_path / "index", random_rows(300), moments, facts())


def as_they_are(states: Tensor) -> NDArray[np.float32]:
    """Embeddings."""
    found: NDArray[np.float32] = states.numpy()
    return found


def asked(sure: float = 0.4, count: int = 12, video: int = 0) -> Predictions:
    """Predictions that say class 3 and are as sure as that; the truth is the cluster."""
    states = torch.from_numpy(random_rows(count, seed=3))
    rest, none = torch.tensor([0.6, 0.4, 0.0, 0.0]) * (1 - sure), torch.zeros(count, dtype=torch.int64)
    scores = (rest + torch.tensor([0.0, 0.0, 0.0, sure])).log().expand(count, 4)
    return Predictions(none + video, none, none, none, (states[:, 0] > 0).long(), scores, scores, states)


def test_they_equal_a_loop_over_neighbors(index: MomentIndex) -> None:
    votes = NeighborVotes(index, as_they_are, 0.3, 0.1, neighbors=5)
    given = asked()
    found = votes(given)
    for row, state in enumerate(given.slot_states.numpy()):
        near = index.nearest(state, 5, "second")
        shares = np.exp(near.scores / 0.1) / np.exp(near.scores / 0.1).sum()
        expected = 0.7 * given.scores[row].exp().numpy()
        for number, share in zip(near.numbers, shares, strict=True):
            expected[index.moments["truth"][number]] += 0.3 * share
        assert found.scores[row].exp().tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert found.scores.exp().sum(1).tolist() == pytest.approx([1.0] * 12, abs=1e-5)
    assert torch.equal(found.logits, given.logits)


def test_without_weight_nothing_changes(index: MomentIndex) -> None:
    assert torch.allclose(NeighborVotes(index, as_they_are, 0.0)(asked()).scores, asked().scores)


def test_ones_own_video_and_moments_without_truth_have_no_vote(index: MomentIndex) -> None:
    alone = NeighborVotes(index, as_they_are, 1.0, neighbors=300, own={7: 0})
    numbers, _ = alone._found(asked(video=7))
    voting = numbers[numbers >= 0]
    assert set(index.moments["video"][voting]) == {1, 2}
    assert (index.moments["unit"][voting] == 1).all()
    moments = random_moments(300)
    moments["truth"] = IGNORED
    silent = MomentIndex.build(index.folder.parent / "silent", random_rows(300), moments, facts())
    assert torch.equal(NeighborVotes(silent, as_they_are, 0.5)(asked()).scores, asked().scores)


def test_other_tasks_keep_their_scores(index: MomentIndex) -> None:
    given = asked()._replace(task=torch.tensor([0, 1] * 6))
    found = NeighborVotes(index, as_they_are, 0.5)(given)
    changed = (found.scores - given.scores).abs().nan_to_num().amax(1) > 1e-6
    assert changed.tolist() == [True, False] * 6


def test_validation_chooses_the_likeliest_weight_and_temperature(index: MomentIndex) -> None:
    chosen = NeighborVotes(index, as_they_are).fit(asked())
    likelihood = {}
    for weight in WEIGHTS:
        for temperature in TEMPERATURES:
            mixed = NeighborVotes(index, as_they_are, weight, temperature)(asked())
            likelihood[weight, temperature] = float(mixed.scores.gather(1, asked().target[:, None]).mean())
    assert likelihood[chosen.weight, chosen.temperature] == pytest.approx(max(likelihood.values()), abs=1e-6)
    assert chosen.weight > 0.5


def test_neighbors_that_are_wrong_get_no_weight(index: MomentIndex) -> None:
    given = asked(sure=0.9)
    assert NeighborVotes(index, as_they_are).fit(given._replace(target=torch.full((12,), 3))).weight == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": 1.5}, r"must lie in \[0, 1\], got 1\.5"),
        ({"temperature": 0.0}, "must be above 0, got 0.0"),
        ({"neighbors": 0}, "neighbors must be at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(index: MomentIndex, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        NeighborVotes(index, as_they_are, **arguments)


def test_a_validation_without_labels_chooses_nothing(index: MomentIndex) -> None:
    given = asked()._replace(target=torch.full((12,), IGNORED))
    with pytest.raises(DataError, match="No validation frame has a label"):
        NeighborVotes(index, as_they_are).fit(given)
