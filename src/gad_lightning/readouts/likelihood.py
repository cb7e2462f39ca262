"""The exact probability of every class name."""

from __future__ import annotations

import torch
from torch import Tensor

from gad_lightning.errors import SettingError
from gad_lightning.prompts.answers import Answer, AnswerWriter, stack
from gad_lightning.readouts.base import BranchDecoder, Readout
from gad_lightning.types import IGNORED

ROWS = 256
"""Rows of vocabulary logits held at once."""


class LikelihoodReadout(Readout):
    """Scores every class by the log-probability of its name and end token, renormalized over the classes.

    Nothing is decoded: each name is read on a branch of its own. This is slow for many classes, and the only readout
    that gives every class a score.

    Args:
        at_once: branches read in one pass on a trunk; at least one for each of its queries. Memory grows with it.
    """

    def __init__(self, at_once: int = 32) -> None:
        self.at_once = at_once

    def room(self, writer: AnswerWriter, branches: int) -> int:
        """Openers, texts before them, and names of what is read at once."""
        return max(branches, self.at_once) * (self.longest(writer) + OPENER_ROOM + writer.lead)

    def scores(self, branches: BranchDecoder, writer: AnswerWriter, task: Tensor) -> Tensor:
        """Read all names on all queries, task by task.

        Raises:
            SettingError: if the opener has no token, or more than room is kept for.
        """
        opener = len(branches.prompt.opener_ids)
        if not 0 < opener <= OPENER_ROOM:
            raise SettingError(
                f"The readout Likelihood wants an opener of 1 to {OPENER_ROOM} tokens; prompt.opener has {opener}.",
                "give such a prompt.opener, or another readout",
            )
        result = torch.full((len(branches), writer.schema.num_classes), -torch.inf)
        size = max(1, self.at_once // max(1, int(torch.bincount(branches.sample, minlength=1).max())))
        for number in task.unique().tolist():
            query = (task == number).nonzero().squeeze(1)
            answers = writer.label_answers(number)
            read = [
                _read_names(branches, query, answers[start : start + size]) for start in range(0, len(answers), size)
            ]
            result[query, : len(answers)] = torch.cat(read, 1).log_softmax(1)
        return result


OPENER_ROOM = 16
"""Tokens of an opener that room is kept for."""


def _read_names(branches: BranchDecoder, query: Tensor, names: list[list[int]]) -> Tensor:
    """Log-probabilities of names (token ids) after the openers of some queries: (n, len(names))."""
    every = query.repeat_interleave(len(names))
    answers = stack([Answer(ids) for ids in names] * len(query))
    rows = torch.ones_like(branches.sample_task)
    lead = None if branches.lead is None else branches.lead[every]
    tokens = branches.prompt.render(
        rows, 0, branches.sample[every], branches.anchor[every], branches.sample_task, answers, rows, lead
    )
    states = branches.read_new(tokens, len(every)).reshape(-1, branches.slot_states.shape[1])
    target = tokens.target.reshape(-1)
    supervised = (target != IGNORED).nonzero().squeeze(1)
    total = torch.zeros(len(every))
    for part in supervised.split(ROWS):
        logits = branches.backbone.token_logits(states[part.to(states.device)]).float()
        each = logits.log_softmax(1).cpu().gather(1, target[part].unsqueeze(1)).squeeze(1)
        total.index_add_(0, tokens.query.reshape(-1)[part], each)
    return total.reshape(len(query), len(names))
