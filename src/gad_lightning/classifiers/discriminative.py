"""The discriminative classifier: a learned [CLS] and a head, one step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import NoneType
from typing import Any, ClassVar

import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.optim import Optimizer

from gad_lightning.backbones.text_tower import embed_texts
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.saving.checkpoint import content_of
from gad_lightning.errors import SettingError
from gad_lightning.heads.base import ClassifierHead, check_factory, check_widths, make_heads
from gad_lightning.heads.linear import LinearHead
from gad_lightning.losses import class_loss, query_weights
from gad_lightning.objectives.agreement import EVERY, GradientAgreement
from gad_lightning.objectives.base import ClassObjective, Objective, check_objectives
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.parts import Part, check_given, checked_part
from gad_lightning.prompts.slots.base import Slot
from gad_lightning.prompts.slots.last_visual import LastVisualSlot
from gad_lightning.prompts.slots.learned import LearnedSlot
from gad_lightning.readouts.base import BranchDecoder
from gad_lightning.schema import LabelSet
from gad_lightning.training.position import batches_done
from gad_lightning.types import Batch, Loss, Predictions, Tokens

AGREEMENT = "agreement"
"""Where a checkpoint keeps what was measured of the gradients."""


class DiscriminativeClassifier(Classifier):
    """Reads the class off the slot: a head on the language model's state at a learned [CLS] after the asked frame.

    Args:
        head: factory ``(hidden_size, labels) -> ClassifierHead``, called once per label set.
        objectives: further training losses; predict never runs them.
        slot: the token whose state is read; :class:`LearnedSlot`, the [CLS], by default.
        **shared: see :class:`Classifier`.

    Source: Pang et al., ICLR 2026, discriminative classifier.
    """

    training_only: ClassVar[tuple[str, ...]] = (*Classifier.training_only, "objectives")
    meant_by_none: ClassVar[Mapping[str, type[Part]]] = {**Classifier.meant_by_none, "slot": LearnedSlot}

    def __init__(
        self,
        head: Callable[[int, LabelSet], ClassifierHead] = LinearHead,
        objectives: list[Objective] | None = None,
        slot: Slot | None = None,
        **shared: Any,
    ) -> None:
        check_factory(head, "model.head")
        check_objectives(objectives)
        check_given("slot", slot, Slot, NoneType)
        self.slot = slot or LearnedSlot()
        self.opener = self.slot.opener
        super().__init__(**shared)
        if slot is None and not len(self.prompt.opener_ids):
            self.slot = LastVisualSlot()  # as an empty prompt.opener says
        self.heads = make_heads(head, self.backbone.hidden_size, self.schema.label_sets, "model.head")
        self.objectives = nn.ModuleList(objectives or [])

    def complete(self) -> None:
        """Prepare heads and objectives, then build the backbone and try the heads.

        Raises:
            SettingError: if several objectives write, the slot is told something and is no token of its own, or a head
                gives another number of logits than there are classes.
        """
        if self.slot_reach and not len(self.prompt.opener_ids):
            raise SettingError(
                f"slot is {type(self.slot).__name__}, which adds to a token of its own, and prompt.opener is empty.",
                "leave prompt.opener out, or set slot: gad_lightning.LastVisualSlot",
            )
        for head in self.heads:
            if isinstance(head, ClassifierHead):  # what else there is, is refused when it is to be described
                head.prepare(partial(embed_texts, self.backbone))
        for objective in self._objectives:
            objective.prepare(self.schema, self.backbone, self.prompt.answer_prefix)
        names = [type(objective).__name__ for objective in self._objectives if objective.writes]
        if len(names) > 1:
            raise SettingError(
                f"{len(names)} objectives want to write an answer ({', '.join(names)}), and a query has room for one.",
                "keep one of them in model.objectives",
            )
        if self.agreement is not None and not len(self.prompt.opener_ids):
            raise SettingError(
                "generation_weight is agree, which is measured at a slot that is a token of its own, and the opener is "
                "empty.",
                "leave prompt.opener out and set slot: gad_lightning.LearnedSlot, or give a number",
            )
        super().complete()
        check_widths(self.heads, self.backbone.hidden_size, self.schema.label_sets, "model.head")

    def on_fit_start(self) -> None:
        """Say what the heads have to say of themselves.

        Raises:
            SettingError: if the weight of a text is to follow the gradients, and the blocks are spread over processes.
        """
        super().on_fit_start()
        if self.agreement is not None and self.device_mesh is not None:
            raise SettingError(
                "generation_weight is agree, which asks for gradients twice, and blocks that are spread over processes "
                "give them once.",
                "set model.generation_weight to a number, or use strategy: ddp",
            )
        for summary in filter(None, (head.summary() for head in self.heads_made)):
            rank_zero_info(summary)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Tell the objectives which batch it is."""
        for objective in self._objectives:
            objective.begin(batches_done(self.trainer), self.global_rank, self.trainer.world_size)

    @property
    def _objectives(self) -> list[Objective]:
        """The training losses beside the class loss."""
        kind: type[Objective] = Objective  # type: ignore[type-abstract]  # nothing is made of it
        return [checked_part(objective, kind, "model.objectives") for objective in self.objectives]

    @property
    def writing(self) -> Objective | None:
        """The objective that writes an answer, if there is one."""
        return next((objective for objective in self._objectives if objective.writes), None)

    def made(self) -> dict[str, tuple[Part, int]]:
        """The head, of whatever class the factory makes."""
        return {"head": (self.heads_made[0], 2)}

    @property
    def slot_reach(self) -> int:
        """Frames that the slot is told of directly."""
        return self.slot.reach(self.schema.windows.frames)

    def shown_at(self, visual: Tensor, sample: Tensor, anchor: Tensor) -> Tensor:
        """What the slot makes of visual vectors."""
        return self.slot.shown(visual, sample, anchor, self.schema.windows.frames)

    def _told(self, tokens: Tokens, frames: Tensor, batch: Batch) -> Tokens:
        """Add to placed tokens what their slots are told of the standardized frames."""
        if not self.slot_reach:
            return tokens
        sample, anchor = batch.sample.to(frames.device), batch.anchor.to(frames.device)
        return tokens.showing(self.shown_at(self.backbone.visual(frames), sample, anchor))

    @property
    def longest_branch(self) -> int:
        """Opener and answer."""
        return super().longest_branch + max((objective.longest for objective in self._objectives), default=0)

    def losses(self, batch: Batch) -> dict[str, Loss]:
        """Class loss at the slot as ``classification``, and every objective's under its own name."""
        after = [text for objective in self._objectives if (text := objective.text(batch)) is not None]
        beside = [text for objective in self._objectives if (text := objective.text_beside(batch)) is not None]
        tokens = self.backbone.place(self.render(batch, after[0] if after else None, beside), packed=True)
        frames = self.frames(batch)
        tokens = self._told(tokens, frames, batch)
        agreement = self._agreement_due
        if agreement is not None:
            tokens, at = agreement.watched(tokens, self.backbone.hidden_size, frames.device)
        states = self.backbone(tokens, frames)
        weight = query_weights(batch.label, self.background[batch.task], self.background_weight)
        at_slots = tokens.at_slots(states)
        logits = self.classify(at_slots, batch.task)
        weight = weight.to(logits.device)
        chosen = class_loss(logits, batch.label.to(logits.device), weight)
        if self.writing is None:
            # a head that is trained but writes nothing has no gradient, which distributed training would wait for
            chosen = replace(chosen, sum=chosen.sum + self.backbone.token_logits(states[0, :0]).sum())
        losses = {"classification": chosen}
        for name, loss in self._losses_of_heads(at_slots, batch, weight):
            losses[_free_name(name, losses)] = loss
        for objective in self._objectives:
            if not objective.due:
                continue
            if isinstance(objective, ClassObjective):
                loss = objective.of_scores(batch, self._log_probabilities(logits.float(), batch.task))
            else:
                loss = objective(batch, tokens, states, self.backbone)
            scale = objective.weight
            if isinstance(objective, WriteAnswer) and objective.agreement is not None:
                if agreement is not None:
                    processes = 1 if self._trainer is None else self.trainer.world_size
                    agreement.measure(chosen, loss, at, processes)
                scale = objective.agreement.weight
            losses[_free_name(objective.name, losses)] = loss.scaled(scale)
        return losses

    @property
    def agreement(self) -> GradientAgreement | None:
        """What weighs the written text, if its weight is no number."""
        return self.writing.agreement if isinstance(self.writing, WriteAnswer) else None

    @property
    def _agreement_due(self) -> GradientAgreement | None:
        """The same at the steps that it measures at."""
        due = self.training and torch.is_grad_enabled()
        step = 0 if self._trainer is None else self.trainer.global_step
        return self.agreement if due and step % EVERY == 0 else None

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Let the agreement that was measured count, and log the weight it gives."""
        super().on_before_optimizer_step(optimizer)
        if self.agreement is not None:
            self.agreement.step()
            self.log("train/generation_weight", self.agreement.weight)

    def about(self) -> dict[str, Any]:
        """What a checkpoint says, the agreement that was measured too."""
        measured = {} if self.agreement is None else {AGREEMENT: self.agreement.measured()}
        return {**super().about(), **measured}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the agreement that the checkpoint's run had measured.

        Raises:
            CheckpointError: if it is no mean and count.
        """
        super().on_load_checkpoint(checkpoint)
        measured = content_of(checkpoint, "the checkpoint").get(AGREEMENT)
        if self.agreement is not None and measured is not None:
            self.agreement.take(measured)

    def _losses_of_heads(self, states: Tensor, batch: Batch, weight: Tensor) -> Iterator[tuple[str, Loss]]:
        """What the heads minimize beside the class loss: states (Q, H), weight (Q,)."""
        of_task = torch.tensor(self.schema.head_of_task)[batch.task]
        for number, head in enumerate(self.heads_made):
            own = of_task == number
            label = batch.label[own] if batch.label.dim() == 1 else batch.label[own, : len(head.labels.names)]
            ready = states[own.to(states.device)].to(next(self.heads.parameters(), states).dtype)
            yield from head.extra_losses(ready, label, weight[own.to(weight.device)]).items()

    def classify(self, states: Tensor, task: Tensor) -> Tensor:
        """Logits of each query's own head: states (Q, H), task (Q,) -> (Q, C), finite; lowest beyond its classes."""
        states = states.to(next(self.heads.parameters(), states).dtype)  # a bfloat16 decoder, a float32 head
        if len(self.heads) == 1:
            logits: Tensor = self.heads[0](states)
            return logits
        of_task = torch.tensor(self.schema.head_of_task)[task]
        parts = [head(states[of_task == index]) for index, head in enumerate(self.heads)]
        logits = parts[0].new_full((len(states), self.schema.num_classes), torch.finfo(parts[0].dtype).min)
        for index, part in enumerate(parts):
            # every head takes part in every step, if only with no rows: distributed training waits for all of them
            logits[(of_task == index).nonzero(), torch.arange(part.shape[1])] = part
        return logits

    def scores(self, batch: Batch) -> Predictions:
        """Head at the slot; no objective, no language-model head, no answer."""
        with self.turns:
            tokens, frames = self.backbone.place(self.render(batch), packed=True), self.frames(batch)
            states = self.backbone.slot_states(self._told(tokens, frames, batch), frames)
            scores, logits = self.score(states, batch.task)
        return Predictions(batch.video, batch.query_index, batch.task, batch.frame, batch.label, scores, logits, states)

    def score(self, slot_states: Tensor, task: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities and logits of slot states, (Q, C) float32; of each class by itself if ``multi_label``."""
        logits = self.classify(slot_states, task).float()
        return self._log_probabilities(logits, task), logits

    def _log_probabilities(self, logits: Tensor, task: Tensor) -> Tensor:
        """Log-probabilities of float32 logits, (Q, C) both; -inf beyond a task's classes."""
        scores = logits.log_softmax(1)
        several = torch.tensor([asked.labels.multi_label for asked in self.schema.tasks])[task]
        if bool(several.any()):
            scores = torch.where(several.unsqueeze(1).to(logits.device), logsigmoid(logits), scores)
        return scores.masked_fill(logits == torch.finfo(logits.dtype).min, -torch.inf)

    def origin_of(self, task: int) -> Tensor | None:
        """That of the task's head."""
        return self.heads_made[self.schema.head_of_task[task]].origin()

    def score_branches(self, branches: BranchDecoder, task: Tensor) -> tuple[Tensor, Tensor]:
        """Head at the slots; nothing is written."""
        return self.score(branches.slot_states, task)


def _free_name(name: str, taken: Collection[str]) -> str:
    """Name of a loss, numbered from 2 on where several objectives have one name.

    Example:
        >>> _free_name("previous_action", ["classification", "previous_action"])
        'previous_action_2'
    """
    names = [name, *(f"{name}_{number}" for number in range(2, len(taken) + 2))]
    return next(free for free in names if free not in taken)
