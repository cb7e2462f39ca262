"""Answers helped by the moments of an index, in test and predict and live."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_info
from numpy.typing import NDArray
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.predictions import data_of
from gad_lightning.classifiers.remembering import PastLabels
from gad_lightning.classifiers.segment_means import batches_of
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import SettingError
from gad_lightning.retrieval.moment_index import MomentIndex
from gad_lightning.retrieval.votes import NeighborVotes
from gad_lightning.search.embedding import embedder_of, fingerprint_of
from gad_lightning.types import Predictions


class NeighborAnswers(Callback):
    """Lets the labels of the nearest training moments vote in ``test`` and ``predict``: :class:`NeighborVotes`.

    Args:
        index: folder of ``gad-lightning index RUN --split=train``, of the same checkpoint.
        weight: of the votes; chosen on the validation split if None, with the temperature.
        temperature: of the votes, beside a weight; 0.1 if None.
        neighbors: most that vote.

    Raises:
        SettingError: if a temperature is given and no weight.
    """

    def __init__(
        self, index: Path, weight: float | None = None, temperature: float | None = None, neighbors: int = 16
    ) -> None:
        if weight is None and temperature is not None:
            raise SettingError(
                f"The temperature {temperature:g} of NeighborAnswers has no weight beside it.",
                "give weight too, or leave both out: they are chosen together",
            )
        self.index, self.weight, self.neighbors = index, weight, neighbors
        self.temperature = 0.1 if temperature is None else temperature

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the index, and weigh the votes.

        Raises:
            SettingError: if the index is of another checkpoint or holds videos that were not trained on, or there is no
                validation split to weigh them by.
        """
        assert isinstance(pl_module, Classifier), "only classifiers predict actions"
        data = data_of(trainer)
        votes = votes_of(pl_module, self.index, self.weight or 0.0, self.temperature, self.neighbors)
        if data is not None:
            places = {name: place for place, name in enumerate(votes.index.facts.videos)}
            names = data.video_names
            held = [name for name in names[data.first_video("val") :] if name in places]
            if held:
                raise SettingError(
                    f"{self.index} holds {held[0]!r}, which is no training video: its true labels would vote.",
                    "index the training split: gad-lightning index RUN --split=train",
                )
            votes.own = {number: places[name] for number, name in enumerate(names) if name in places}
        if self.weight is None:
            votes.fit(_predicted(pl_module, data))
        rank_zero_info(f"The neighbors' labels weigh {votes.weight:g}, at the temperature {votes.temperature:g}")
        pl_module.votes = votes

    on_predict_start = on_test_start

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let nothing vote any more."""
        assert isinstance(pl_module, Classifier), "as when it began"
        pl_module.votes = None

    on_predict_end = on_test_end


def votes_of(
    classifier: Classifier, index: Path | str, weight: float = 0.3, temperature: float = 0.1, neighbors: int = 16
) -> NeighborVotes:
    """Let the moments of an index vote: what is assigned to ``classifier.votes``, and live streams follow.

    Args:
        classifier: of the index.
        index: folder of ``gad-lightning index RUN --split=train``.
        weight: of the votes, in [0, 1].
        temperature: of the votes, above 0.
        neighbors: most that vote.

    Raises:
        SettingError: if the index is of another checkpoint, or several labels can be true at once.
    """
    if classifier.schema.tasks[0].labels.multi_label:
        raise SettingError("Neighbors vote for one label, and several can be true here.", "leave NeighborAnswers out")
    opened = MomentIndex(index, fingerprint_of(classifier))
    embedder = embedder_of(classifier)

    def embed(states: Tensor) -> NDArray[np.float32]:
        found: NDArray[np.float32] = embedder.states(states.to(classifier.device))
        return found

    return NeighborVotes(opened, embed, weight, temperature, neighbors)


def _predicted(classifier: Classifier, data: ActionDataModule | None) -> Predictions:
    """Predictions of all validation frames.

    Raises:
        SettingError: if there are none.
    """
    if data is None or not data.videos("val"):
        raise SettingError(
            "There are no validation videos to weigh the neighbors by.",
            "give NeighborAnswers a weight and a temperature",
        )
    parts, past = [], PastLabels()
    with torch.inference_mode():
        for batch in batches_of(data.dataset("val"), data.eval_batch_size, classifier.device):
            scored = classifier.score_in_evaluation(batch, past).cpu()
            parts.append(scored._replace(rejection=None))
    kept = Predictions._fields[:8]
    return Predictions(*(torch.cat([getattr(part, name) for part in parts]) for name in kept))
