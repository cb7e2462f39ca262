"""What a plain loop over the unmodified language model says."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.prompts.layout import Text
from gad_lightning.types import Batch
from tests.classifiers.making import batch, random_frames


def logits_after(classifier: Classifier, asked: Batch, query: int, ids: list[int]) -> Tensor:
    """Next-token log-probabilities after an opener and ``ids``, by one separate forward pass without cache."""
    answers = torch.full((len(asked.sample), max(1, len(ids))), -1)
    answers[query, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
    tokens = classifier.backbone.place(classifier.render(asked, Text(answers, answers < -1)))
    with torch.no_grad():
        states = classifier.backbone(tokens, classifier.frames(asked))
        last = tokens.slots[query] + len(ids)
        return classifier.backbone.token_logits(states.reshape(-1, states.shape[-1])[last : last + 1])[0].log_softmax(0)


def several_branches() -> Batch:
    """Several branches on each of two trunks."""
    return batch(random_frames(2, 8), [[1, 4, 7], [0, 7]])
