"""What is measured of a language model beside the task, and compared with the model as it came."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.data.base import ActionDataModule
from gad_lightning.data.sampling import BatchKey
from gad_lightning.forgetting.probe_texts import Choice, ProbeTexts
from gad_lightning.losses import divergence
from gad_lightning.prompts.plain_text import followed, text_tokens
from gad_lightning.results.forgetting import (
    NEUTRAL_KL,
    NEUTRAL_PERPLEXITY,
    NEW_TOKENS,
    PAIRS,
    PROMPTS_KL,
    QUESTIONS,
    TEXT_KL,
    TEXT_PERPLEXITY,
)
from gad_lightning.types import Batch

TOGETHER = 16
"""Sentences that are read at once."""
LOGITS = 256
"""Tokens whose logits are held at once."""
SAMPLES, SLOTS = 8, 64
"""Samples of the validation split whose prompts are read, evenly over it, and slots of each."""


class Probes:
    """Measures what the language model makes of texts and prompts now, beside what it made of them as it came.

    Of the model as it came the states are kept, (n, H) a probe; logits are made for a few tokens at once.

    Args:
        classifier: whose backbone has the language model as it came too.
        texts: encoded for it.
        data: whose validation split gives the prompts.
    """

    def __init__(self, classifier: Classifier, texts: ProbeTexts, data: ActionDataModule) -> None:
        self.classifier, self.backbone, self.texts = classifier, classifier.backbone, texts
        self.width = classifier.schema.features.width
        self.blocks = {NEUTRAL_KL: (texts.neutral, NEUTRAL_PERPLEXITY)}
        if texts.own is not None:
            self.blocks[TEXT_KL] = (texts.own, TEXT_PERPLEXITY)
        self.prompts = [batch.to(classifier.device) for batch in _some_batches(data)]
        with torch.no_grad(), self.backbone.original():
            self.base = {probe: self._states_of(blocks) for probe, (blocks, _) in self.blocks.items()}
            self.base_slots = self._slots()

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Values by the names of the probes, of the language model as it is now."""
        found = {}
        for probe, (blocks, perplexity) in self.blocks.items():
            states, following = self._states_of(blocks), followed(blocks)[1]
            found[probe.name] = self._divergence(self.base[probe], states)
            taken, surprise = self._surprise(states, following)
            found[perplexity.name] = math.exp(surprise)
            if probe is NEUTRAL_KL:
                found[NEW_TOKENS.name] = taken
        found[PROMPTS_KL.name] = self._divergence(self.base_slots, self._slots())
        for probe, choices in ((PAIRS, self.texts.pairs), (QUESTIONS, self.texts.questions)):
            if choices:  # a small tokenizer knows too few words
                found[probe.name] = self._share_right(choices)
        return found

    def _states_of(self, blocks: Tensor) -> Tensor:
        """States of all tokens that another one follows: (k, H)."""
        return torch.cat([self._read(block.unsqueeze(0))[0] for block in blocks])

    def _read(self, laid: Tensor) -> tuple[Tensor, Tensor]:
        """States of the tokens of (n, T) that another one follows, (k, H), and those, (k,)."""
        device = self.classifier.device
        places, following = (part.to(device) for part in followed(laid))
        no_frames = torch.zeros(1, 1, 1, self.width, device=device)
        return self.backbone(text_tokens(laid).to(device), no_frames).flatten(0, 1)[places], following

    def _slots(self) -> Tensor:
        """States of the slots of the prompts: (k, H)."""
        return torch.cat([self.classifier.score_in_evaluation(batch).slot_states for batch in self.prompts])

    def _logits(self, states: Tensor) -> Iterator[Tensor]:
        """Logits of all tokens, new ones behind the others, for a few states at once."""
        for some in states.split(LOGITS):
            yield self.backbone.token_logits(some)

    def _divergence(self, base: Tensor, tuned: Tensor) -> float:
        """Mean KL(base || tuned) over the language model's own tokens, in nats."""
        size, total = self.backbone.vocabulary.size, 0.0
        for held, found in zip(base.split(LOGITS), tuned.split(LOGITS), strict=True):
            with self.backbone.original():
                before = self.backbone.token_logits(held)[:, :size]
            total += float(divergence(before, self.backbone.token_logits(found)[:, :size]).double().sum())
        return total / max(len(base), 1)

    def _surprise(self, states: Tensor, following: Tensor) -> tuple[float, float]:
        """Mean nats that new tokens take away, and mean nats of what follows, among the model's own tokens."""
        size, taken, total = self.backbone.vocabulary.size, 0.0, 0.0
        following = following.to(states.device)
        for logits, target in zip(self._logits(states), following.split(LOGITS), strict=True):
            own = logits[:, :size].log_softmax(1)
            total -= float(own.gather(1, target.unsqueeze(1)).double().sum())
            if logits.shape[1] > size:
                taken += float((logits.logsumexp(1) - logits[:, :size].logsumexp(1)).double().sum())
        return taken / max(len(states), 1), total / max(len(states), 1)

    def _share_right(self, choices: Sequence[Choice]) -> float:
        """Share of the choices whose first text is likelier than every other."""
        rows = [(row, choice.start) for choice in choices for row in choice.rows]
        scores: list[float] = []
        for first in range(0, len(rows), TOGETHER):
            scores += self._likelihoods(rows[first : first + TOGETHER])
        right, place = 0, 0
        for choice in choices:
            own = scores[place : place + len(choice.rows)]
            right, place = right + (own[0] > max(own[1:])), place + len(choice.rows)
        return right / len(choices)

    def _likelihoods(self, rows: Sequence[tuple[tuple[int, ...], int]]) -> list[float]:
        """Log-likelihood of each text from its start on."""
        longest = max(len(ids) for ids, _ in rows)
        laid = torch.tensor([[*ids, *[-1] * (longest - len(ids))] for ids, _ in rows])
        states, following = self._read(laid)
        logits = torch.cat([part[:, : self.backbone.vocabulary.size] for part in self._logits(states)])
        each = logits.log_softmax(1).gather(1, following.unsqueeze(1)).squeeze(1).double()
        totals, place = [], 0
        for ids, start in rows:
            totals.append(float(each[place + start - 1 : place + len(ids) - 1].sum()))
            place += len(ids) - 1
        return totals


def _some_batches(data: ActionDataModule) -> list[Batch]:
    """Samples of the validation split, evenly over it, with some of their queries."""
    dataset = data.dataset("val")
    count = min(SAMPLES, len(dataset))
    found = []
    for number in range(count):
        batch = dataset[BatchKey(0, (number * len(dataset) // count,))]
        queries = len(batch.label)
        chosen = torch.zeros(queries, dtype=torch.bool)
        chosen[torch.linspace(0, queries - 1, min(SLOTS, queries)).round().long()] = True
        found.append(batch.asking(chosen))
    return found
