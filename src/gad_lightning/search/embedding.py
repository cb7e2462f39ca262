"""Where moments are compared: what a classifier offers for its slot states, and for texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from gad_lightning.backbones.text_tower import embed_texts
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.saving.digest import digest_of
from gad_lightning.heads.text import TextHead
from gad_lightning.objectives.contrast_text import ContrastText
from gad_lightning.objectives.structure_induced import StructureInduced

WITH_TEXTS = ("ContrastText", "TextHead")
"""Spaces in which texts have a place."""


class Embedder(NamedTuple):
    """Puts slot states, and texts if it can, where they are compared by their cosine."""

    space: str  # name of the part that does it; "states" for the states as they are
    of_states: Callable[[Tensor], Tensor]  # (n, H) -> (n, p), each of length 1
    of_texts: Callable[[Sequence[str]], Tensor] | None  # n texts -> (n, p); None where texts have no place

    @torch.no_grad()
    def states(self, states: Tensor) -> NDArray[np.float32]:
        """Embeddings of slot states: (n, p) float32."""
        found: NDArray[np.float32] = self.of_states(states).float().cpu().numpy()
        return found


def embedder_of(classifier: Classifier) -> Embedder:
    """What embeds the states of a classifier: its contrast with texts, its head of texts, its structure, or nothing."""
    if isinstance(classifier, DiscriminativeClassifier):
        for objective in classifier.objectives:
            if isinstance(objective, ContrastText):
                return Embedder("ContrastText", objective.embed, _contrasted(objective, classifier))
        head = classifier.heads[classifier.schema.head_of_task[0]]
        if isinstance(head, TextHead) and head.mode != "free":
            return Embedder("TextHead", head.project, _projected(head, classifier))
        for objective in classifier.objectives:
            if isinstance(objective, StructureInduced):
                return Embedder("StructureInduced", objective.embed, None)
    return Embedder("states", lambda states: normalize(states.float(), dim=-1), None)


def _contrasted(objective: ContrastText, classifier: Classifier) -> Callable[[Sequence[str]], Tensor]:
    return lambda texts: objective.embed_words(texts, classifier.backbone)


def _projected(head: TextHead, classifier: Classifier) -> Callable[[Sequence[str]], Tensor]:
    def embed(texts: Sequence[str]) -> Tensor:
        return head.directions_of(embed_texts(classifier.backbone, texts, head.tower).to(head.center.device))

    return embed


def fingerprint_of(classifier: Classifier) -> str:
    """Digest of a classifier's base and trained weights, the same in every process that loads it."""
    about = {"classifier": type(classifier).__name__, "base": classifier.backbone.fingerprint()}
    return digest_of(about, classifier.trained_state())
