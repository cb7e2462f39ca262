"""Tokens of our own, outside the vocabulary: [CLS], openers, label tokens. The vocabulary is never resized."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from gad_lightning.errors import SettingError


class NewTokens(nn.Module):
    """A table of new tokens: an input row each, and an output row for those that can be written.

    Names are reserved first; :meth:`build` then makes the rows, once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.written: list[int] = []
        self.built = False

    def reserve(self, name: str, written: bool = False) -> int:
        """Return the row of ``name``, reserving it at the first call.

        Raises:
            SettingError: if the table is built already and has no such row.
        """
        if name not in self.names:
            if self.built:
                raise SettingError(
                    f"The new token {name!r} comes after the table was built.", "reserve it in prepare()"
                )
            self.names.append(name)
        row = self.names.index(name)
        if written and row not in self.written:
            self.written.append(row)
        return row

    def build(self, table: Tensor, head: Tensor) -> None:
        """Make the rows, with the spread of the language model's own.

        Args:
            table: (V, H) input rows of the language model.
            head: (V, H) its output rows.
        """
        self.built = True
        self.input = self._rows(len(self.names), table)
        self.output = self._rows(len(self.written), head)

    @staticmethod
    def _rows(count: int, like: Tensor) -> nn.Parameter | None:
        """Draw ``count`` rows; None for none, as a parameter that no loss reaches stalls distributed training."""
        if not count:
            return None
        spread = like.detach().float().std().item()
        return nn.Parameter(torch.randn(count, like.shape[1], device=like.device) * spread)

    def embed(self, rows: Tensor) -> Tensor:
        """Input vectors of rows (n,) -> (n, H) float32.

        Not by indexing: on CPUs several threads add up its gradient as they come, and equal runs end unequal.
        """
        assert self.input is not None, "a new token stands in a prompt, yet none was reserved"
        return embedding(rows, self.input)

    def logits(self, states: Tensor) -> Tensor:
        """Logits (n, K) of all K new tokens for states (n, H); -inf for those that are never written."""
        scores = states.new_full((len(states), len(self.names)), -torch.inf)
        if self.output is not None:
            scores[:, self.written] = states @ self.output.to(states.dtype).T
        return scores
