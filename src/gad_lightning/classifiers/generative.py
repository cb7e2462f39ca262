"""The generative classifier: it writes the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, ClassVar

import torch
from torch import Tensor

from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.predictions import data_of
from gad_lightning.classifiers.segment_means import training_moments
from gad_lightning.errors import SettingError
from gad_lightning.losses import query_weights
from gad_lightning.objectives.write_answer import written_loss
from gad_lightning.parts import Part, check_given
from gad_lightning.prompts.answers import Answer, AnswerWriter, stack
from gad_lightning.prompts.contexts.base import AuxiliaryContext
from gad_lightning.prompts.contexts.no_context import NoContext
from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.prompts.labels.words import WordLabels
from gad_lightning.prompts.neighbors import NeighborTexts
from gad_lightning.readouts.base import BranchDecoder, Readout
from gad_lightning.readouts.trie import TrieReadout
from gad_lightning.types import IGNORED, Batch, Loss, Predictions, first_class


class GenerativeClassifier(Classifier):
    r"""Writes the label after ``"\nAssistant:"``; a readout turns what is written into class scores.

    Args:
        labels: how a class is written; in words by default.
        context: what is written after the label in training; nothing by default.
        readout: how scores are found at test: greedy among the class names by default;
            :class:`NearestReadout` is the paper's.
        answer_fraction: fraction of the queries that are answered, and so trained on, in (0, 1].
        neighbors: what tells it the classes of similar training moments before it answers; nothing does by default.
        **shared: see :class:`Classifier`.

    Raises:
        SettingError: if several labels of a task can be true at once, as it writes one.

    Source: Pang et al., ICLR 2026, generative classifier.
    """

    opener = "\nAssistant:"
    training_only: ClassVar[tuple[str, ...]] = (*Classifier.training_only, "answer_fraction")
    meant_by_none: ClassVar[Mapping[str, type[Part]]] = {
        **Classifier.meant_by_none,
        "labels": WordLabels,
        "context": NoContext,
        "readout": TrieReadout,
    }

    def __init__(
        self,
        labels: LabelTokens | None = None,
        context: AuxiliaryContext | None = None,
        readout: Readout | None = None,
        answer_fraction: float = 1.0,
        neighbors: NeighborTexts | None = None,
        **shared: Any,
    ) -> None:
        check_given("neighbors", neighbors, NeighborTexts, NoneType)
        self.neighbors = neighbors
        check_given("labels", labels, LabelTokens, NoneType)
        check_given("context", context, AuxiliaryContext, NoneType)
        check_given("readout", readout, Readout, NoneType)
        super().__init__(**shared)
        several = [task.name for task in self.schema.tasks if task.labels.multi_label]
        if several:
            raise SettingError(
                f"data.multi_label is set (task {several[0]!r}), and a GenerativeClassifier writes one label a frame.",
                "take a DiscriminativeClassifier or GADClassifier, or leave data.multi_label out",
            )
        self.labels, self.context = labels or WordLabels(), context or NoContext()
        self.readout = readout or TrieReadout()
        self.answer_fraction = answer_fraction
        self.writer = AnswerWriter(self.schema, self.labels, self.context, self.backbone.vocabulary)
        if neighbors is not None:
            windows, vocabulary = self.schema.windows, self.backbone.vocabulary
            neighbors.prepare(self.schema.features.width, windows.short, windows.short_stride)
            self.around = [vocabulary.encode(text) if text else [] for text in (neighbors.before, neighbors.after)]
            self.writer.lead = self.longest_lead

    @property
    def own_texts(self) -> Sequence[str]:
        """What stands around the names of similar moments."""
        return () if self.neighbors is None else (self.neighbors.before, self.neighbors.after)

    @property
    def lead_reach(self) -> int:
        """Frames that similar moments are found by."""
        return 0 if self.neighbors is None else self.neighbors.frames

    @property
    def longest_lead(self) -> int:
        """The longest names, commas between them."""
        if self.neighbors is None:
            return 0
        names = self.neighbors.count * (self.writer.longest_label + len(self.writer.comma))
        return names + sum(map(len, self.around))

    def lead_at(self, recent: Tensor, there: Tensor, video: Tensor) -> Tensor:
        """Write the names of similar moments, nothing where there is none."""
        assert self.neighbors is not None, "there is a lead_reach"
        before, after = self.around
        found = self.neighbors.nearest(recent, there, video)
        written = [[*before, *self.writer.join(labels, 0), *after] if labels else [] for labels in found]
        return stack([Answer(ids) for ids in written]).ids

    def trained_state(self) -> dict[str, Tensor]:
        """Trained weights, and the moments."""
        own = {} if self.neighbors is None else {"neighbors.table": self.neighbors.table}
        return {**super().trained_state(), **own}

    def setup(self, stage: str) -> None:
        """Know the videos of the run that begins."""
        super().setup(stage)
        data = data_of(self.trainer)
        if self.neighbors is not None and data is not None:
            self.neighbors.know(data.video_names)

    def teardown(self, stage: str) -> None:
        """Know no video any more."""
        super().teardown(stage)
        if self.neighbors is not None:
            self.neighbors.know(())

    def on_fit_start(self) -> None:
        """Take the moments of the training videos.

        Raises:
            SettingError: if they are not known, as plain loaders are given.
        """
        if self.neighbors is not None:
            data = data_of(self.trainer)
            if data is None:
                raise SettingError(
                    "NeighborTexts reads the training videos, and the trainer was given loaders alone.",
                    "give it the data module: trainer.fit(classifier, data)",
                )
            self.neighbors.take(*training_moments(data, self.standardize))
        super().on_fit_start()

    def room(self, branches: int) -> int:
        """Room for what the readout writes."""
        return self.readout.room(self.writer, branches)

    @property
    def longest_branch(self) -> int:
        """Opener and the longest text written in training or by the readout."""
        return super().longest_branch + max(self.writer.longest, self.readout.longest(self.writer))

    def losses(self, batch: Batch) -> dict[str, Loss]:
        """Token loss of the answers; queries without one are not laid out at all, openers make rows long."""
        batch = batch.asking((batch.uniform < self.answer_fraction) & (first_class(batch.label) != IGNORED))
        answers = stack(self.writer.answers(batch, torch.ones(len(batch.label), dtype=torch.bool)))
        tokens = self.backbone.place(self.render(batch, answers, lead=self.lead_of(batch)), packed=True)
        states = self.backbone(tokens, self.frames(batch))
        weight = query_weights(batch.label, self.background[batch.task], self.background_weight)
        return {"generation": written_loss(tokens, states, self.backbone, weight.to(states.device))}

    @torch.no_grad()
    def scores(self, batch: Batch) -> Predictions:
        """Let the readout write on the open branches."""
        with self.turns:
            frames, task, lead = self.frames(batch), self.sample_task(batch), self.lead_of(batch)
            read = (self.backbone, self.prompt, self.render(batch, lead=lead), frames, batch, task)
            branches = BranchDecoder.prefill(*read, self.room, lead=lead)
            scores, logits = self.score_branches(branches, batch.task)
        asked = (batch.video, batch.query_index, batch.task, batch.frame, batch.label)
        return Predictions(*asked, scores, logits, branches.slot_states)

    @torch.no_grad()
    def score_branches(self, branches: BranchDecoder, task: Tensor) -> tuple[Tensor, Tensor]:
        """Let the readout write."""
        scores = self.readout.scores(branches, self.writer, task)
        return scores, scores
