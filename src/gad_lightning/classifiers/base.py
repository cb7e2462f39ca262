"""What the classifiers share: how they are made, and how a batch is trained on and scored."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from types import NoneType
from typing import ClassVar, Self

import torch
from lightning import LightningModule
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.optim import Optimizer

from gad_lightning.backbones.base import Backbone
from gad_lightning.classifiers.detection import Detecting
from gad_lightning.classifiers.evaluation import Evaluating, Evaluation
from gad_lightning.classifiers.finite import FiniteTraining, check_settings
from gad_lightning.classifiers.monitors import check_monitors
from gad_lightning.classifiers.remembering import PastLabels
from gad_lightning.classifiers.saving.sharing import Shareable
from gad_lightning.classifiers.schedule import PaperAdamW, Then
from gad_lightning.classifiers.sharded_blocks import ShardedBlocks
from gad_lightning.classifiers.standardization import ExactFeatures, Standardization
from gad_lightning.classifiers.telling import Telling
from gad_lightning.errors import SettingError
from gad_lightning.parts import Part, check_given
from gad_lightning.prompts.layout import Branches, Text
from gad_lightning.prompts.memory import VerbalizedMemory
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.base import BranchDecoder
from gad_lightning.schema import DataSchema, FeatureSpec, schema_of
from gad_lightning.training.distribution import average
from gad_lightning.training.exact_resume import ExactResume
from gad_lightning.training.run_folder import RunFolder
from gad_lightning.turns import Turns
from gad_lightning.types import Batch, Loss, Predictions, Tokens


class _EmptyModule(LightningModule):
    """A module before any constructor runs, so that a subclass may set modules before it calls Classifier's."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        made = super().__new__(cls)
        LightningModule.__init__(made)
        return made


class Classifier(Telling, Shareable, Detecting, Evaluating, ShardedBlocks, ExactFeatures, _EmptyModule):
    """A language model that reads a video's frames and says which action a query's frame shows.

    A subclass gives :meth:`losses`, :meth:`scores` and :meth:`score_branches`. Its constructor may set modules before
    or after it calls this one. After it the language model is loaded, ``self.backbone.hidden_size`` is known, and new
    tokens can be reserved through ``self.backbone.vocabulary``. When all constructors are done, :meth:`complete` makes
    the rows of the new tokens, the connector and the LoRA.

    Args:
        backbone: language model and connector.
        schema: classes, tasks, features and windows; the command line links it from the data module.
        class_names: shorthand for a schema of one task; give one of the two.
        features: with ``class_names``, how the frames were made; by default the built-in encoder's.
        prompt: text around the frames.
        memory: what was done before them, as text; none by default.
        background_weight: weight of background queries in the loss, at least 0.
        optimizer: factory ``parameters -> Optimizer``; the default chooses its rate by the hidden size.
        schedule: learning rate after the warm-up: cosine to 0, or constant.
        warmup: fraction of all steps over which the learning rate rises from 0, in [0, 1).

    Raises:
        SettingError: if a setting cannot work with the backbone or the schema.
    """

    opener: str  # text that a branch begins with, such as <cls>, unless ``prompt.opener`` says otherwise
    unrecorded = ("optimizer",)
    training_only: ClassVar[tuple[str, ...]] = (
        *("optimizer", "background_weight", "schedule", "warmup", "class_names", "features", "schema"),
    )
    meant_by_none: ClassVar[Mapping[str, type[Part]]] = {"prompt": Prompt}
    backbone: Backbone
    background: Tensor  # (tasks,) index of the background class of each task, -1 where there is none

    def __init__(
        self,
        backbone: Backbone,
        schema: DataSchema | None = None,
        class_names: list[str] | None = None,
        features: FeatureSpec | None = None,
        prompt: Prompt | None = None,
        memory: VerbalizedMemory | None = None,
        background_weight: float = 1.0,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = PaperAdamW,
        schedule: Then = "cosine",
        warmup: float = 0.1,
    ) -> None:
        check_given("backbone", backbone, Backbone)
        check_given("schema", schema, DataSchema, NoneType)
        check_given("features", features, FeatureSpec, NoneType)
        check_given("prompt", prompt, Prompt, NoneType)
        check_given("memory", memory, VerbalizedMemory, NoneType)
        if (schema is None) == (class_names is None):
            raise SettingError("A classifier needs either a schema or class_names.", "give one of the two")
        self.schema = schema if schema is not None else schema_of(class_names or [], features=features)
        if background_weight < 0:
            raise SettingError(
                f"background_weight must be at least 0, got {background_weight}.", "use 1 for no weighting"
            )
        self.background_weight, self.rejector = background_weight, None
        self.make_optimizer, self.schedule, self.warmup = optimizer, schedule, warmup
        if backbone.built:
            raise SettingError("This backbone is part of another classifier, which would lose it.", "make one for each")
        self.backbone = backbone
        self.prompt = deepcopy(prompt) if prompt else Prompt()  # it is prepared for this classifier alone
        opener = self.opener if self.prompt.opener is None else self.prompt.opener
        classes = [name for labels in self.schema.label_sets for name in labels.names]
        own = [*self.prompt.texts(self.schema, opener), *self.own_texts]
        backbone.prepare(self.schema, [*own, *classes, *self.schema.goals])
        self.memory, self.past = deepcopy(memory), PastLabels()
        if self.memory is not None:
            self.memory.prepare(self.schema, backbone.vocabulary)
        self.prompt.prepare(self.schema, backbone.vocabulary, opener, self.memory)
        self.evaluation = Evaluation(self.schema)
        self.standardize = Standardization(self.schema.features)
        self.turns = Turns()
        background = [-1 if task.labels.background is None else task.labels.background for task in self.schema.tasks]
        self.background = torch.tensor(background)

    def complete(self) -> None:
        """Build the backbone, once all tokens are reserved.

        Raises:
            SettingError: if positions or attention span of the language model are too few.
        """
        self.backbone.build()
        windows = self.schema.windows
        frames = windows.frames if windows.mode == "window" else windows.frames - 1 + windows.chunk
        longest = max(self.prompt.trunk_length(frames, task) for task in range(len(self.schema.tasks)))
        self.check_positions(longest + self.longest_branch)

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Loss]:
        """Weighted losses of a batch by name; their sum is minimized, and each is logged as ``train/<name>``."""

    @abstractmethod
    def scores(self, batch: Batch) -> Predictions:
        """Class scores of a batch; the labels in it are not looked at."""

    @abstractmethod
    def score_branches(self, branches: BranchDecoder, task: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and logits, (Q, C) each, of branches that a live stream has read up to their slots."""

    def room(self, branches: int) -> int:
        """Room in a row of a cache for what :meth:`score_branches` writes on that many branches."""
        return 0

    @property
    def longest_branch(self) -> int:
        """Most tokens a branch can have."""
        return self.longest_lead + len(self.prompt.opener_ids)

    def check_positions(self, needed: int) -> None:
        """Refuse a language model whose positions or own sliding window are fewer than ``needed``.

        Raises:
            SettingError: naming both numbers.
        """
        limits = {"max_positions": self.backbone.max_positions, "own window": self.backbone.attention_span}
        for what, limit in limits.items():
            if limit is not None and needed > limit:
                raise SettingError(
                    f"Prompt, frames ({self.prompt.group} tokens each) and an answer need {needed} positions; the "
                    f"language model's {what} is {limit}.",
                    "make data.short_memory, data.long_memory or data.chunk smaller, let the context write less, or "
                    "take another language model",
                )
        self.backbone.fix_positions(needed)

    def forward(self, frames: Tensor, frame_counts: Tensor | None = None, task: int = 0) -> Tensor:
        """Score the classes at the last frame of each sample.

        Args:
            frames: (B, F, N, D), or (B, F, D) where N is 1; as the features are, not standardized.
            frame_counts: (B,) frames of each sample; all F by default.
            task: index into the schema's tasks.

        Returns:
            (B, C) log-probabilities.
        """
        frames = frames.unsqueeze(2) if frames.dim() == 3 else frames
        counts = torch.full((len(frames),), frames.shape[1]) if frame_counts is None else frame_counts.cpu()
        return self.scores(Batch.at_last_frames(frames.to(self.device), counts, task)).scores

    def render(
        self, batch: Batch, answers: Text | None = None, beside: Sequence[Text] = (), lead: Tensor | None = None
    ) -> Tokens:
        """Lay a batch out as tokens, on the CPU.

        Args:
            batch: what is asked.
            answers: text after each query's opener.
            beside: texts on further branches of the queries, which neither see the slot nor are seen by it.
            lead: (Q, L) ids of what :meth:`lead_of` puts before the openers.

        Raises:
            SettingError: if a text is longer than its context states, and than the language model can hold.
        """
        branches, room = self.branches(batch, answers, beside, lead), batch.frames.shape[1]
        asked = (batch.frame_counts, room, self.sample_task(batch))
        tokens = self.prompt.lay_out(*asked, branches, remembered=self.remembered(batch))
        self.check_positions(int(tokens.places.position.max()) + 1)
        return tokens

    def branches(
        self, batch: Batch, answers: Text | None = None, beside: Sequence[Text] = (), lead: Tensor | None = None
    ) -> Branches:
        """Openers and texts that hang off the frames of a batch; arguments as for :meth:`render`."""
        return self.prompt.branches(batch.sample, batch.anchor, answers, beside, lead)

    def sample_task(self, batch: Batch) -> Tensor:
        """The task that each sample's prompt asks: that of its queries, (B,)."""
        chosen = torch.zeros_like(batch.frame_counts).index_copy(0, batch.sample, batch.task)
        self.prompt.check_alike(chosen[batch.sample], batch.task)
        return chosen

    def frames(self, batch: Batch) -> Tensor:
        """Check and standardize the frames of a batch: (B, F, N, D).

        Raises:
            SettingError: if they have another width or token count than the classifier was made for.
        """
        spec = self.schema.features
        if batch.frames.shape[2:] != (spec.tokens_per_frame, spec.width):
            raise SettingError(
                f"The frames are (N, D) = {tuple(batch.frames.shape[2:])}; this classifier was made for "
                f"({spec.tokens_per_frame}, {spec.width}) of the encoder {spec.encoder!r}.",
                "encode with that encoder, or give features=FeatureSpec(width=..., tokens_per_frame=...)",
            )
        standardized: Tensor = self.standardize(batch.frames)
        return standardized

    def average(self, loss: Loss) -> Tensor:
        """Divide a loss by its count over all processes; gradients averaged over them are then those of one process."""
        return average({"": loss}, 1 if self._trainer is None else self.trainer.world_size)[0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Sum the losses, and log each as it is over all processes."""
        with self.turns:
            told = self.remembering_truth(batch)
            total, logged = average(self.losses(told), 1 if self._trainer is None else self.trainer.world_size)
        for name, value in logged.items():
            self.log(f"train/{name}", value, batch_size=len(batch.label), prog_bar=name == "loss")
        return total

    def on_fit_start(self) -> None:
        """Train with dropout also where the classifier came from a checkpoint.

        Raises:
            SettingError: if the LoRA is merged, a checkpoint could not describe a part, or a callback watches a metric
                that is not logged.
        """
        check_settings(self.spec(), type(self).__name__)  # not only when the first checkpoint is saved
        if self.backbone.merged:
            raise SettingError("The LoRA is merged into the weights.", "train before merging, or load it again")
        own = (Classifier.training_step, Classifier.validation_step, Classifier.on_validation_epoch_end)
        kind = type(self)
        if (kind.training_step, kind.validation_step, kind.on_validation_epoch_end) == own:
            check_monitors(self.trainer, self.schema)
        self.trained_state()  # is refused now, not when the first checkpoint is saved
        self.check_trainable()
        if not self.training:
            self.train()

    def configure_callbacks(self) -> list[Callback]:
        """Bring the callbacks along that make a stopped run go on exactly, unless the trainer has them."""
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]  # set, but not declared
        needed: tuple[type[Callback], ...] = (ExactResume, RunFolder, FiniteTraining)
        return [kind() for kind in needed if not any(isinstance(own, kind) for own in callbacks)]
