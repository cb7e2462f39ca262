"""Unknown stretches in words: the language model writes on from the slot, or answers as it was before training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import NamedTuple

import torch
from torch import Tensor

from gad_lightning.backbones.base import Backbone
from gad_lightning.classifiers.deciding import Deciding
from gad_lightning.data.records import FeatureSource
from gad_lightning.data.windows import frames_up_to
from gad_lightning.decisions.handing_over import HandedOver, HandOver, TokenBudget, WrittenText
from gad_lightning.decisions.path import Event
from gad_lightning.errors import SettingError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.base import BranchDecoder
from gad_lightning.readouts.nearest import write_freely
from gad_lightning.turns import Turns
from gad_lightning.types import Batch


class _Way(NamedTuple):
    """How a text is asked for."""

    prompt: Prompt  # its opener ends with the slot, if the text follows one
    prefix: list[int]  # fixed text after the opener
    original: bool  # whether it may hold no new token


class Describing(Deciding):
    """Mixin of the classifiers: puts what is unknown into words, if so asked."""

    backbone: Backbone
    prompt: Prompt
    turns: Turns

    @abstractmethod
    def frames(self, batch: Batch) -> Tensor:
        """Check and standardize the frames of a batch: (B, F, N, D)."""

    @property
    @abstractmethod
    def slot_reach(self) -> int:
        """Frames up to the asked one whose visual vectors the slot is told directly."""

    @abstractmethod
    def shown_at(self, visual: Tensor, sample: Tensor, anchor: Tensor) -> Tensor:
        """What is added to the slots' input, (Q, H)."""

    @property
    @abstractmethod
    def longest_lead(self) -> int:
        """Most tokens that are told before an opener."""

    @property
    def text_follows_slot(self) -> bool:
        """Whether text is learned after the slot; if not, on a branch of its own."""
        return True

    def check_hand_over(self, asked: HandOver, task: int, merge: bool = False) -> None:
        """Refuse to put into words where it cannot be.

        Args:
            asked: how.
            task: index into the schema's tasks.
            merge: whether the LoRA is to be folded into the weights.

        Raises:
            SettingError: if nothing is ever unknown, the language model of before is gone, or has too few positions.
        """
        if self.rejector is None or self.rejector.task != task:
            raise SettingError(
                f"hand_over is set, and nothing is unknown in the task {self.schema.tasks[task].name!r}.",
                "run gad-lightning fit-rejection first, or leave hand_over out",
            )
        if asked.from_slot and (self.prompt.memory is not None or self.longest_lead):
            raise SettingError(
                "HandOver cannot write from the slot of a classifier that reads what it remembers, or like moments.",
                "set from_slot=False, or take a classifier without model.memory and model.neighbors",
            )
        if asked.from_base and merge:
            raise SettingError(
                "HandOver asks the language model without its LoRA, and merge folds the LoRA into it.",
                "leave merge out, or set from_base=False",
            )
        if asked.from_base:
            try:
                with self.backbone.original():
                    pass
            except SettingError as error:
                raise SettingError(error.message, "set from_base of HandOver to False") from error
        windows = self.schema.windows
        frames = windows.frames if windows.mode == "window" else windows.frames - 1 + windows.chunk
        needed = asked.max_tokens + max(
            way.prompt.trunk_length(frames, task) + len(way.prompt.opener_ids) + len(way.prefix)
            for way in (self._from_slot(), self._from_base(asked))
        )
        limits = [limit for limit in (self.backbone.max_positions, self.backbone.attention_span) if limit is not None]
        if needed > min(limits):
            raise SettingError(
                f"Prompt, frames and {asked.max_tokens} tokens of HandOver need {needed} positions; the language model "
                f"has {min(limits)}.",
                "lower max_tokens of HandOver",
            )

    def hand_over_in(
        self, asked: HandOver, video: FeatureSource, events: Sequence[Event], scores: Tensor, task: int
    ) -> tuple[HandedOver, ...]:
        """Put the unknown stretches of one video into words.

        Args:
            asked: how.
            video: its frames.
            events: all of them, in the order of their starts.
            scores: (F, C) log-probabilities.
            task: index into the schema's tasks.
        """
        fps, unknown = self.schema.features.fps, len(self.schema.tasks[task].labels.names)
        budget, told = TokenBudget(asked.tokens_per_minute, fps), list[HandedOver]()
        for event in events:
            frame = event.start + asked.frames(fps) - 1
            if event.label == unknown and frame < event.end:
                seen = torch.from_numpy(video.rows(frames_up_to(frame, self.schema.windows)))
                told.append(
                    self.hand_over(asked, (event.start, frame), seen, scores[frame], budget.left(0, frame), task)
                )
                budget.spend(0, frame, told[-1].tokens)
        return tuple(told)

    @torch.inference_mode()
    def hand_over(
        self, asked: HandOver, stretch: tuple[int, int], frames: Tensor, scores: Tensor, left: int, task: int
    ) -> HandedOver:
        """Put an unknown stretch into words, at its last frame so far.

        Args:
            asked: how.
            stretch: first and last frame, numbers in the video.
            frames: (F, N, D) that the last one is read with, itself included; not standardized.
            scores: (C,) log-probabilities of the last one.
            left: tokens that may be written.
            task: index into the schema's tasks.
        """
        labels, fps = self.schema.tasks[task].labels, self.schema.features.fps
        none = [index for index in (labels.background, labels.ignore) if index is not None]
        known = (
            scores[: len(labels.names)].float().cpu().index_fill(0, torch.tensor(none, dtype=torch.int64), -torch.inf)
        )
        first, last = (frame / fps for frame in stretch)
        best = int(known.argmax())
        told = HandedOver(first, last, labels.names[best], float(known[best].exp()), None, None, 0)
        if left < asked.most_tokens:
            return told
        batch = Batch.at_last_frames(frames[None].to(self.device), torch.tensor([len(frames)]), task)
        with self.turns, self.in_evaluation():
            if asked.from_slot:
                words, tokens = self._words_of(batch, self._from_slot(), asked.max_tokens)
                told = told._replace(slot=words, tokens=tokens)
            if asked.from_base:
                with self.backbone.original():
                    words, tokens = self._words_of(batch, self._from_base(asked), asked.max_tokens)
                told = told._replace(base=words, tokens=told.tokens + tokens)
        return told

    @contextmanager
    def in_evaluation(self) -> Iterator[None]:
        """Be without dropout for as long as the block lasts; every module is then as it was before."""
        training = [module for module in self.modules() if module.training]
        self.eval()
        try:
            yield
        finally:
            for module in training:
                module.training = True

    def _from_slot(self) -> _Way:
        """The text that the classifier learned to write."""
        if not self.text_follows_slot:
            return _Way(_without_opener(self.prompt), self._answer_prefix(), original=False)
        begun = bool(self.prompt.opener_written.any())  # the opener says itself what an answer begins with
        return _Way(self.prompt, [] if begun else self._answer_prefix(), original=False)

    def _from_base(self, asked: HandOver) -> _Way:
        """The answer of the language model to another question."""
        own = self.prompt
        made = Prompt(asked.question, own.template, own.separator, "", own.answer_prefix)
        made.prepare(self.schema, self.backbone.vocabulary, "")
        return _Way(made, self._answer_prefix(), original=True)

    def _answer_prefix(self) -> list[int]:
        prefix = self.prompt.answer_prefix
        return self.backbone.vocabulary.encode(prefix) if prefix else []

    def _words_of(self, batch: Batch, way: _Way, most: int) -> tuple[WrittenText, int]:
        """A greedy text for a batch of one query, and the tokens that it took."""
        prompt, backbone, frames = way.prompt, self.backbone, self.frames(batch)
        tokens = prompt.render(batch.frame_counts, frames.shape[1], batch.sample, batch.anchor, batch.task)
        told = None
        if self.slot_reach and len(prompt.opener_ids):
            where = frames.device
            told = self.shown_at(backbone.visual(frames), batch.sample.to(where), batch.anchor.to(where))
        room = len(way.prefix) + most
        branches = BranchDecoder.prefill(
            backbone, prompt, tokens, frames, batch, batch.task, lambda count: count * room, told
        )
        first = branches.append(batch.sample, torch.tensor([way.prefix])) if way.prefix else branches.slot_states
        known = backbone.vocabulary.size if way.original else None
        (ids,), total = write_freely(branches, backbone.vocabulary.end, most, first, known)
        return WrittenText(backbone.vocabulary.decode(ids).strip(), float(total)), min(len(ids) + 1, most)


def _without_opener(prompt: Prompt) -> Prompt:
    """The same prompt for branches that begin with their text."""
    made = copy(prompt)
    made.opener_ids, made.opener_written = prompt.opener_ids[:0], prompt.opener_written[:0]
    return made
