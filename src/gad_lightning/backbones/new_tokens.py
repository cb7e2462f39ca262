"""Tokens of our own, outside the vocabulary: [CLS], openers, label tokens. The vocabulary is never resized."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from gad_lightning.backbones.text_rows import TextRows, Tower
from gad_lightning.errors import SettingError
from gad_lightning.types import TextRow


class NewTokens(nn.Module):
    """A table of new tokens: an input row each, and an output row for those that can be written.

    Names are reserved first; :meth:`build` then makes the rows, once. Tokens with a text have no rows of their own:
    see :class:`TextRows`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.written: list[int] = []
        self.texts: dict[str, TextRow] = {}
        self.meaning: TextRows | None = None
        self.built = False

    @property
    def own(self) -> list[str]:
        """Names of the tokens that have an input row of their own, in its order."""
        return [name for name in self.names if name not in self.texts]

    @property
    def own_written(self) -> list[str]:
        """Names of the tokens that have an output row of their own, in its order."""
        return [self.names[row] for row in self.written if self.names[row] not in self.texts]

    @property
    def text_width(self) -> int | None:
        """Width of the embeddings of the texts; None before they are made."""
        return None if self.meaning is None else self.meaning.vectors.shape[1]

    def reserve(self, name: str, written: bool = False, text: TextRow | None = None) -> int:
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
            self.texts |= {} if text is None else {name: text}
        row = self.names.index(name)
        if written and row not in self.written:
            self.written.append(row)
        return row

    def build(self, table: Tensor, head: Tensor, tower: Tower | None = None) -> None:
        """Make the rows, with the spread of the language model's own.

        Args:
            table: (V, H) input rows of the language model.
            head: (V, H) its output rows.
            tower: embeds texts; only needed where tokens have one.
        """
        if self.texts:
            assert tower is not None, "tokens have texts, and nothing embeds them"
            self.meaning = TextRows(list(self.texts.values()), tower, table, head)
        self.built = True
        self.input = self._rows(len(self.own), table)
        self.output = self._rows(len(self.own_written), head)
        rows = {name: row for row, name in enumerate(self.names)}
        self.own_places = [rows[name] for name in self.own_written]
        self.text_places = [rows[name] for name in self.texts]
        place = {name: row for row, name in enumerate([*self.own, *self.texts])}
        self.order = [place[name] for name in self.names]

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
        if self.meaning is None:
            assert self.input is not None, "a new token stands in a prompt, yet none was reserved"
            return embedding(rows, self.input)
        meant = self.meaning.input().float()
        table = meant if self.input is None else torch.cat([self.input, meant])
        return embedding(torch.tensor(self.order, device=rows.device)[rows], table)

    def logits(self, states: Tensor) -> Tensor:
        """Logits (n, K) of all K new tokens for states (n, H); -inf for those that are never written."""
        scores = states.new_full((len(states), len(self.names)), -torch.inf)
        if self.output is not None:
            scores[:, self.own_places] = (states @ self.output.to(states.dtype).T).to(scores)  # autocast changes it
        if self.meaning is not None:
            scores[:, self.text_places] = (states @ self.meaning.output().to(states.dtype).T).to(scores)
        return scores
