"""Labels of like moments vote beside the classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gad_lightning.errors import DataError, SettingError
from gad_lightning.retrieval.moment_index import MomentIndex
from gad_lightning.types import IGNORED, Predictions, known_class

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TEMPERATURES = (0.02, 0.05, 0.1, 0.2, 0.5)
"""What is tried on validation."""
LEAST = 1e-12
"""Probability of what nobody says."""


class NeighborVotes:
    """Scores are (1 - w) of the classifier's probabilities and w of the labels of the nearest seconds of an index.

    A neighbor's vote is its softmax over the neighbors' cosines divided by a temperature. Neighbors are found by the
    slot state alone, that is, by frames and never by labels; the query's own video has no vote. A query without any
    neighbor keeps its scores, and so do tasks but the first.

    Args:
        index: of training videos, whose labels vote.
        embed: slot states (n, H) -> embeddings (n, p) of the index.
        weight: w, in [0, 1].
        temperature: above 0.
        neighbors: most that vote, at least 1.
        own: number of a query's video (``Predictions.video``) -> the same video in the index, where it is there.

    Raises:
        SettingError: if a number is out of its range.

    Source: Khandelwal et al., Generalization through memorization, ICLR 2020 (arXiv 1911.00172).
    """

    def __init__(
        self,
        index: MomentIndex,
        embed: Callable[[Tensor], NDArray[np.float32]],
        weight: float = 0.3,
        temperature: float = 0.1,
        neighbors: int = 16,
        own: Mapping[int, int] | None = None,
    ) -> None:
        if not 0 <= weight <= 1:
            raise SettingError(f"The weight of the neighbors must lie in [0, 1], got {weight}.", "0.3 is usual")
        if not 0 < temperature < np.inf:
            raise SettingError(f"The temperature of the neighbors must be above 0, got {temperature}.", "try 0.1")
        if neighbors < 1:
            raise SettingError(f"neighbors must be at least 1, got {neighbors}.", "16 is usual")
        self.index, self.embed, self.neighbors, self.own = index, embed, neighbors, own or {}
        self.weight, self.temperature = weight, temperature

    def __call__(self, predictions: Predictions) -> Predictions:
        """The predictions with other scores; logits and states stay."""
        numbers, cosines = self._found(predictions)
        classes = predictions.scores.shape[1]
        mixed = self._mixed(predictions, self._votes(numbers, cosines, classes, self.temperature), self.weight)
        asked = (predictions.task == 0).unsqueeze(1).to(mixed.device)
        return predictions._replace(scores=torch.where(asked, mixed, predictions.scores))

    def fit(self, predictions: Predictions) -> Self:
        """Choose weight and temperature by the likelihood of the truth: the first of the best, small weights first.

        Args:
            predictions: of validation videos.

        Raises:
            DataError: if none of them has a label.
        """
        truth = known_class(predictions.target, predictions.scores.shape[1]).cpu()
        known = (truth != IGNORED) & (predictions.task.cpu() == 0)
        if not bool(known.any()):
            raise DataError("No validation frame has a label to weigh the neighbors by.", "give weight and temperature")
        asked = predictions.picked(known.to(predictions.task.device))
        (numbers, cosines), best = self._found(asked), -np.inf
        for temperature in TEMPERATURES:
            votes = self._votes(numbers, cosines, asked.scores.shape[1], temperature)
            for weight in WEIGHTS:
                mixed = self._mixed(asked, votes, weight).clamp(min=float(np.log(LEAST)))
                likelihood = float(mixed.cpu().double().gather(1, truth[known].unsqueeze(1)).mean())
                if likelihood > best + 1e-9:
                    best, self.weight, self.temperature = likelihood, weight, temperature
        return self

    def _found(self, predictions: Predictions) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Neighbors of each query, (n, k), -1 where none may vote."""
        found = self.index.nearest_of_each(self.embed(predictions.slot_states), self.neighbors, "second")
        own = np.array([self.own.get(video, -1) for video in predictions.video.tolist()], dtype=np.int64)
        rows = self.index.moments[found.numbers.clip(min=0)]
        may = (found.numbers >= 0) & (rows["truth"] >= 0) & (rows["video"] != own[:, None])
        return np.where(may, found.numbers, -1), found.scores

    def _votes(
        self, numbers: NDArray[np.int64], cosines: NDArray[np.float32], classes: int, temperature: float
    ) -> Tensor:
        """Shares of the classes among the neighbors: (n, C); rows of 0 where nobody votes."""
        may = torch.from_numpy(numbers >= 0)
        logits = (torch.from_numpy(cosines) / temperature).masked_fill(~may, -torch.inf)
        shares = logits.softmax(1).nan_to_num(0.0) if logits.shape[1] else logits
        truth = torch.from_numpy(self.index.moments["truth"][numbers.clip(min=0)].astype(np.int64))
        return torch.zeros(len(numbers), classes).scatter_add_(1, truth.clamp(0, classes - 1), shares.float())

    def _mixed(self, predictions: Predictions, votes: Tensor, weight: float) -> Tensor:
        """Log-probabilities with the votes in them, (n, C)."""
        scores, votes = predictions.scores.float(), votes.to(predictions.scores.device)
        mixed = ((1 - weight) * scores.exp() + weight * votes).log()
        return torch.where(votes.any(1, keepdim=True), mixed, scores)
