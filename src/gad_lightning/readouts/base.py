"""The contract of a readout, and the branches it writes on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.execution.kv_cache import KVCache
from gad_lightning.parts import Part
from gad_lightning.prompts.answers import AnswerWriter
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.types import Batch, Tokens


class BranchDecoder:
    """Q branches whose trunks and openers have been read into a cache, so that readouts can write on them.

    A branch is what hangs off one frame of a video: its opener, and the text after it. Branches see the frames before
    them and nothing of one another.

    Args:
        backbone: the language model.
        prompt: computes positions.
        cache: key/value rows that hold the trunks and openers.
        slot_states: (Q, H) states of the openers' last tokens.
        sample: (Q,) row of each branch, among the chosen rows of the cache.
        anchor: (Q,) its frame.
        sample_task: (B,) task of each row.
        used: (B,) first free room of each row.
        lead: (Q, L) ids of the texts before the openers, -1 after the end of a row; None for none.
    """

    def __init__(
        self,
        backbone: Backbone,
        prompt: Prompt,
        cache: KVCache,
        slot_states: Tensor,
        sample: Tensor,
        anchor: Tensor,
        sample_task: Tensor,
        used: Tensor,
        lead: Tensor | None = None,
    ) -> None:
        self.backbone, self.prompt, self.cache, self.slot_states = backbone, prompt, cache, slot_states
        self.sample, self.anchor, self.sample_task = sample, anchor, sample_task
        self.used = used.clone()
        self.lead = lead
        self.written = torch.zeros_like(sample) if lead is None else (lead >= 0).sum(1)  # tokens but the openers'
        self.numbered = len(sample)  # branches that have had a number

    @classmethod
    def prefill(
        cls,
        backbone: Backbone,
        prompt: Prompt,
        tokens: Tokens,
        frames: Tensor,
        batch: Batch,
        task: Tensor,
        room: Callable[[int], int],
        told: Tensor | None = None,
        lead: Tensor | None = None,
    ) -> BranchDecoder:
        """Read trunks and openers in one pass.

        Args:
            backbone: the language model.
            prompt: computes positions.
            tokens: trunks and openers of the batch, on the CPU.
            frames: (B, F, N, D) standardized.
            batch: the queries.
            task: (B,) task of each sample.
            room: from the most branches of a row to the room that what is read on them needs.
            told: (Q, H) added to the slots' input; None for nothing.
            lead: (Q, L) ids of the texts before the openers, as they are in ``tokens``.
        """
        rows, width = tokens.ids.shape
        most = int(torch.bincount(batch.sample, minlength=1).max())
        placed = backbone.place(tokens) if told is None else backbone.place(tokens).showing(told)
        cache = backbone.make_cache(rows, width + room(most) + most)
        at = torch.arange(width, device=placed.ids.device).expand(rows, -1)
        states = backbone.slot_states(placed, frames, cache, at)
        used = torch.full((rows,), width)
        return cls(backbone, prompt, cache, states, batch.sample, batch.anchor, task, used, lead)

    def __len__(self) -> int:
        """Q."""
        return len(self.sample)

    def append(self, query: Tensor, ids: Tensor) -> Tensor:
        """Write tokens on some branches and read them.

        Args:
            query: (n,) on the CPU, each at most once.
            ids: (n, L) on the CPU, -1 after the end of a row.

        Returns:
            State of the last token of each branch, (n, H).
        """
        tokens = self.prompt.extend(
            self.sample[query], self.anchor[query], self.sample_task, query, ids, self.written[query]
        )
        states = self.read_aside(tokens)
        self.written[query] += (ids >= 0).sum(1)
        self.used += (tokens.query >= 0).sum(1)
        return states.reshape(-1, states.shape[-1])[tokens.slots.to(states.device)]

    def read_new(self, tokens: Tokens, number: int) -> Tensor:
        """Read ``number`` branches that see the trunks and no other branch, as :meth:`read_aside` does."""
        branch = tokens.places.branch
        renamed = torch.where(branch >= 0, branch + self.numbered, branch)
        self.numbered += number
        return self.read_aside(tokens._replace(places=tokens.places._replace(branch=renamed)))

    def read_aside(self, tokens: Tokens) -> Tensor:
        """Read further branch tokens (R, T) in the free room, which stays free: their states (R, T, H)."""
        length = (tokens.query >= 0).sum(1, keepdim=True)
        # all padding of a row lies on one place: one more is kept in every row, and short rows can be full already
        at = self.used.unsqueeze(1) + torch.arange(tokens.ids.shape[1]).minimum(length)
        placed = self.backbone.place(tokens)._replace(plain=False)
        no_frames = self.slot_states.new_zeros(0, 0, 0, self.prompt.width)
        self.cache.end = int(at.max()) + 1  # room is kept for the longest texts: most of it is empty most of the time
        states: Tensor = self.backbone(placed, no_frames, self.cache, at.to(placed.ids.device))
        self.cache.end = None
        return states


class Readout(Part):
    """Finds class scores by writing, or reading class names, on branches. A subclass gives :meth:`scores`."""

    def longest(self, writer: AnswerWriter) -> int:
        """Most tokens this readout writes on a branch; the longest label and its end by default."""
        return max(len(ids) for rows in writer.label_ids for ids in rows) + 1

    def room(self, writer: AnswerWriter, branches: int) -> int:
        """Room in a row that it needs for that many branches."""
        return branches * self.longest(writer)

    @abstractmethod
    def scores(self, branches: BranchDecoder, writer: AnswerWriter, task: Tensor) -> Tensor:
        """Score the classes of every query.

        Args:
            branches: Q of them.
            writer: what each class is written as.
            task: (Q,) on the CPU.

        Returns:
            (Q, C) float log-probabilities on the CPU; -inf where this readout has none.
        """
