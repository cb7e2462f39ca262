"""GAD: the discriminative classifier that also writes the answer while it trains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from gad_lightning.classifiers.choosing_context.ranking import check_rankable, rank_contexts
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.saving.checkpoint import content_of
from gad_lightning.data.base import ActionDataModule
from gad_lightning.errors import SettingError
from gad_lightning.objectives.base import Objective, check_objectives
from gad_lightning.objectives.write_answer import WriteAnswer
from gad_lightning.parts import check_given
from gad_lightning.prompts.contexts.auto import AutoContext
from gad_lightning.prompts.contexts.base import AuxiliaryContext
from gad_lightning.prompts.labels.base import LabelTokens
from gad_lightning.rebuilding import rebuild
from gad_lightning.results.context_table import write_contexts


class GADClassifier(DiscriminativeClassifier):
    """The discriminative classifier, which in training also writes label and context after its [CLS].

    A head reads the class off the [CLS], as in :class:`DiscriminativeClassifier`. :class:`WriteAnswer` lets the
    language model write the answer behind it. The loss is ``class loss + generation_weight * token loss``. The text
    sees the [CLS], which does not see the text. So the text is left out at test: scoring is inherited, nothing is
    generated, and GAD costs what the discriminative classifier costs.

    Args:
        context: what is written beside the label, such as :class:`PreviousActions`; nothing by default.
            :class:`AutoContext` is chosen after the first epoch.
        labels: how a class is written; in words by default.
        generation_weight: lambda, weight of the token loss beside the class loss of weight 1; or ``agree``: the running
            mean of the cosine between both losses' gradients at the slot, 0 where it is below (Du et al.,
            arXiv 1812.02224).
        answer_fraction: fraction of the queries whose answer is written in training, in (0, 1]; by default one in
            eight in one pass, all in windows.
        objectives: further training losses.
        **discriminative: see :class:`DiscriminativeClassifier`.

    Source: Pang et al., ICLR 2026, generation-assisted discriminative classifier; lambda 1.
    """

    training_only: ClassVar[tuple[str, ...]] = (
        *DiscriminativeClassifier.training_only,
        "context",
        "labels",
        "generation_weight",
        "answer_fraction",
    )

    def __init__(
        self,
        context: AuxiliaryContext | None = None,
        labels: LabelTokens | None = None,
        generation_weight: float | Literal["agree"] = 1.0,
        answer_fraction: float | None = None,
        objectives: list[Objective] | None = None,
        **discriminative: Any,
    ) -> None:
        check_objectives(objectives)
        write = WriteAnswer(context, labels, answer_fraction, generation_weight)
        super().__init__(objectives=[write, *(objectives or [])], **discriminative)

    @property
    def _auto(self) -> AutoContext | None:
        """The context, if it is chosen while training."""
        context = self.writing.context if isinstance(self.writing, WriteAnswer) else None
        return context if isinstance(context, AutoContext) else None

    def on_fit_start(self) -> None:
        """Check that a context can be chosen after the first epoch, if that is asked for.

        Raises:
            SettingError: on several processes, without a data module, or where several labels can be true.
            DataError: if there are too few validation videos.
        """
        super().on_fit_start()
        if self._auto is None:
            return
        self._auto.is_chosen_later = True
        if self._auto.chosen is None:
            check_rankable(self, self._videos(), "val")
            if self.trainer.world_size > 1:
                raise SettingError(
                    f"AutoContext looks at all validation videos in one process, and there are "
                    f"{self.trainer.world_size}.",
                    "name a context, such as the one that gad-lightning choose-context prints for a run of Disc",
                )
            if self.trainer.max_epochs == 1:
                rank_zero_warn(
                    "AutoContext is chosen before the second epoch, and trainer.max_epochs is 1: none is written."
                )

    def on_train_epoch_start(self) -> None:
        """Choose the context after the first epoch, if that is asked for."""
        super().on_train_epoch_start()
        auto = self._auto
        if auto is None or auto.chosen is not None or self.current_epoch == 0:
            return
        found = rank_contexts(self, self._videos(), auto.candidates(bool(self.schema.goals)))
        auto.chosen = found.best
        folder = self.trainer.log_dir if self.trainer.loggers else None
        kept = "" if folder is None else f", see {write_contexts(Path(folder), found.table())}"
        rank_zero_info(f"AutoContext takes {found.table().chosen}{kept}")

    def _videos(self) -> ActionDataModule:
        """The data of this run.

        Raises:
            SettingError: if it has no data module of this library.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]  # set, but not declared
        if not isinstance(data, ActionDataModule):
            raise SettingError(
                "AutoContext reads the validation videos of an ActionDataModule, and this run has none.",
                "fit with datamodule=..., or name a context",
            )
        return data

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the context that the checkpoint's run had chosen."""
        super().on_load_checkpoint(checkpoint)
        if self._auto is None or self._auto.chosen is not None:
            return
        written = content_of(checkpoint, "the checkpoint")["spec"]["init_args"].get("context")
        stored = written["init_args"].get("chosen") if isinstance(written, Mapping) else None
        if stored is not None:
            known = [one for one in self._auto.candidates(bool(self.schema.goals)) if one.spec() == stored]
            chosen = known[0] if known else rebuild(stored, self.allowed)  # those at hand may be of any package
            check_given("chosen", chosen, AuxiliaryContext)
            self._auto.chosen = chosen
