"""Rows of new tokens that know what they mean: projections of what a text tower makes of their texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from gad_lightning.types import TextRow

Tower = Callable[[Sequence[str], str | None], Tensor]
"""Vectors (n, E) float32 of n texts, by a sentence encoder of that folder or name; by the language model if None."""


class TextRows(nn.Module):
    """An input and an output row for each of P texts: two learned projections of one fixed embedding.

    An embedding has length 1; those of a language model are less their mean, as what all texts share would drown what
    tells them apart. The projections begin at random, with the spread of the language model's own rows.

    Args:
        texts: P of them, all of one tower and width.
        tower: asked once, unless the texts have a width: then a checkpoint brings the embeddings.
        embedding: (V, H) input rows of the language model.
        head: (V, H) its output rows.
    """

    def __init__(self, texts: Sequence[TextRow], tower: Tower, embedding: Tensor, head: Tensor) -> None:
        super().__init__()
        first = texts[0]
        if first.width is None:
            found = tower([one.text for one in texts], first.tower).float()
            center = found.mean(0) if first.tower is None and len(found) > 1 else 0
            vectors = normalize(found - center, dim=-1)
        else:
            vectors = torch.zeros(len(texts), first.width)
        self.vectors = nn.Parameter(vectors.to(embedding.device), requires_grad=False)
        self.to_input = nn.Parameter(_projection(vectors.shape[1], embedding))
        self.to_output = nn.Parameter(_projection(vectors.shape[1], head))

    def input(self) -> Tensor:
        """Rows that are read, (P, H)."""
        return linear(self.vectors, self.to_input)

    def output(self) -> Tensor:
        """Rows that are written by, (P, H)."""
        return linear(self.vectors, self.to_output)


def _projection(width: int, like: Tensor) -> Tensor:
    """Random weights (H, E) that give an embedding of length 1 numbers with the spread of ``like`` (V, H)."""
    return torch.randn(like.shape[1], width, device=like.device) * like.detach().float().std().item()
