"""What the three classifiers share: steps, metrics, optimizer, reading of a batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from lightning import LightningModule
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer

from gad_lightning.backbones.base import Backbone
from gad_lightning.classifiers.detection import Detection, detect
from gad_lightning.classifiers.evaluation import Evaluation
from gad_lightning.classifiers.schedule import PaperAdamW, warm_up
from gad_lightning.classifiers.sharded_blocks import ShardedBlocks
from gad_lightning.classifiers.sharing import Shareable
from gad_lightning.errors import SettingError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.readouts.base import BranchDecoder
from gad_lightning.schema import DataSchema, FeatureSpec, schema_of
from gad_lightning.training.distribution import average
from gad_lightning.training.exact_resume import ExactResume
from gad_lightning.training.run_folder import RunFolder
from gad_lightning.types import IGNORED, Batch, Loss, Predictions, Tokens


class Classifier(Shareable, ShardedBlocks, LightningModule):  # type: ignore[misc]  # loads with fewer arguments, on purpose
    """Base: a subclass gives ``losses(batch)`` and ``scores(batch)``, and nothing else differs.

    Args:
        backbone: language model and connector.
        schema: classes, tasks, features and windows; the command line links it from the data module.
        class_names: shorthand for a schema of one task; give one of the two.
        features: with ``class_names``, how the frames were made; by default the built-in encoder's.
        prompt: text around the frames.
        background_weight: weight of background queries in the loss, at least 0.
        optimizer: factory ``parameters -> Optimizer``.
        schedule: learning rate after the warm-up: cosine to 0, or constant.
        warmup: share of all steps over which the learning rate rises from 0, in [0, 1).

    Raises:
        SettingError: if a setting cannot work with the backbone or the schema.
    """

    opener: ClassVar[str]
    unrecorded = ("optimizer",)

    def __init__(
        self,
        backbone: Backbone,
        schema: DataSchema | None = None,
        class_names: list[str] | None = None,
        features: FeatureSpec | None = None,
        prompt: Prompt | None = None,
        background_weight: float = 1.0,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer] = PaperAdamW,
        schedule: Literal["cosine", "constant"] = "cosine",
        warmup: float = 0.1,
    ) -> None:
        super().__init__()
        if (schema is None) == (class_names is None):
            raise SettingError("A classifier needs either a schema or class_names.", "give one of the two")
        self.schema = schema if schema is not None else schema_of(class_names or [], features=features)
        if background_weight < 0:
            raise SettingError(
                f"background_weight must be at least 0, got {background_weight}.", "use 1 for no weighting"
            )
        self.background_weight = background_weight
        self.make_optimizer, self.schedule, self.warmup = optimizer, schedule, warmup
        if getattr(getattr(backbone, "new_tokens", None), "built", False):
            raise SettingError("This backbone is part of another classifier, which would lose it.", "make one for each")
        self.backbone = backbone
        self.prompt = deepcopy(prompt) if prompt else Prompt()  # it is prepared for this classifier alone
        opener = self.opener if self.prompt.opener is None else self.prompt.opener
        classes = [name for labels in self.schema.label_sets for name in labels.names]
        backbone.prepare(self.schema, [*self.prompt.texts(self.schema, opener), *classes, *self.schema.goals])
        self.prompt.prepare(self.schema, backbone.vocabulary, opener)
        self.prepare()
        backbone.build()
        self.evaluation = Evaluation(self.schema)
        self.check_positions()
        for name in ("mean", "std"):
            self.register_buffer(name, torch.zeros(self.schema.features.width), persistent=False)
        self.take_statistics(self.schema.features)
        background = [-1 if task.labels.background is None else task.labels.background for task in self.schema.tasks]
        self.background = torch.tensor(background)

    @abstractmethod
    def prepare(self) -> None:
        """Make what the subclass needs, after the backbone is prepared and before it is built."""

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Loss]:
        """Weighted losses of a batch by name; their sum is minimized."""

    @abstractmethod
    def scores(self, batch: Batch) -> Predictions:
        """Class scores of a batch; nothing is rendered but openers."""

    @abstractmethod
    def score_branches(self, branches: BranchDecoder, task: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and logits, (Q, C) each, of branches that are open on a cache (a live stream's)."""

    def room(self, branches: int) -> int:
        """Room in a row that ``judge`` needs for what it reads on that many branches."""
        return 0

    @property
    def longest_branch(self) -> int:
        """Most tokens a branch can have."""
        return len(self.prompt.opener_ids)

    def check_positions(self) -> None:
        """Refuse a backbone whose positions or own sliding window cannot hold prompt, window, chunk and answer.

        Raises:
            SettingError: naming both numbers.
        """
        windows = self.schema.windows
        frames = windows.frames if windows.mode == "window" else windows.frames - 1 + windows.chunk
        needed = max(self.prompt.trunk_length(frames, task) for task in range(len(self.schema.tasks)))
        needed += self.longest_branch
        for what, limit in (
            ("max_positions", self.backbone.max_positions),
            ("own window", self.backbone.attention_span),
        ):
            if limit is not None and needed > limit:
                raise SettingError(
                    f"Prompt, {frames} frames of {self.prompt.group} tokens and an answer need {needed} positions; the "
                    f"language model's {what} is {limit}.",
                    "make data.short_memory, data.long_memory or data.chunk smaller, or take another language model",
                )

    def forward(self, frames: Tensor, frame_counts: Tensor | None = None, task: int = 0) -> Tensor:
        """Say what happens at the last frame of each sample.

        Args:
            frames: (B, F, N, D), or (B, F, D) where N is 1; as the features are, not standardized.
            frame_counts: (B,) frames of each sample; all F by default.
            task: index into the schema's tasks.

        Returns:
            (B, C) log-probabilities.
        """
        frames = frames.unsqueeze(2) if frames.dim() == 3 else frames
        counts = torch.full((len(frames),), frames.shape[1]) if frame_counts is None else frame_counts.cpu()
        return self.scores(self.last_frame_batch(frames.to(self.device), counts, task)).scores

    def detect(self, video: str | Path | np.ndarray | Tensor, fps: float | None = None, **how: Any) -> Detection:
        """Label every frame of one video, as ``gad-lightning predict`` would.

        Args:
            video: path of a video file, which is decoded and encoded; or features, (F, D) or (F, N, D), as an array or
                the path of a .npy file, not standardized.
            fps: rate of features given, to be checked against the classifier's.
            **how: ``task`` (index), ``batch_size``, ``encoder`` (for video files; needed if it is not the built-in).

        Returns:
            Labels, times, scores of every frame, and the segments.

        Raises:
            MissingDataError, DataError, SettingError: if the video cannot be read or is of another kind.
        """
        return detect(self, video, fps, **how)

    @staticmethod
    def last_frame_batch(frames: Tensor, counts: Tensor, task: int = 0) -> Batch:
        """Ask at the last frame of each sample: frames (B, F, N, D), counts (B,)."""
        size = len(frames)
        zeros, every = torch.zeros(size, dtype=torch.int64), torch.arange(size)
        return Batch(
            frames=frames,
            frame_counts=counts,
            first_frame=zeros,
            goal=zeros - 1,
            segments=torch.zeros(size, 0, 3, dtype=torch.int64),
            sample=every,
            anchor=counts - 1,
            frame=counts - 1,
            horizon=zeros,
            task=zeros + task,
            label=torch.full_like(zeros, IGNORED),
            video=every,
            query_index=zeros,
            uniform=torch.ones(size),
        )

    def render(
        self,
        batch: Batch,
        answers: tuple[Tensor, Tensor] | None = None,
        apart: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> Tokens:
        """Lay a batch out as tokens, on the CPU; see :meth:`Prompt.render`."""
        asked = (batch.sample, batch.anchor, self.sample_task(batch))
        return self.prompt.render(batch.frame_counts, batch.frames.shape[1], *asked, answers, apart=apart)

    def sample_task(self, batch: Batch) -> Tensor:
        """Task whose prompt each sample has: that of its queries, (B,)."""
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
        return self.standardize(batch.frames)

    def standardize(self, frames: Tensor) -> Tensor:
        """Give features (..., D) the training split's zero mean and unit spread."""
        exact = torch.promote_types(self.mean.dtype, torch.float32)
        scaled: Tensor = (frames.to(exact) - self.mean) / self.std
        return scaled

    def average(self, loss: Loss) -> Tensor:
        """Divide a loss by its count over all processes, so that their averaged gradients are those of one process."""
        return average({"": loss}, 1 if self._trainer is None else self.trainer.world_size)[0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Sum the losses, and log each as it is over all processes."""
        total, logged = average(self.losses(batch), self.trainer.world_size)
        for name, value in logged.items():
            self.log(f"train/{name}", value, batch_size=len(batch.label), prog_bar=name == "loss")
        return total

    def on_fit_start(self) -> None:
        """Train with dropout also where the classifier came from a checkpoint; refuse one whose LoRA is merged."""
        if getattr(self.backbone, "merged", False) and getattr(self.backbone, "lora", None) is not None:
            raise SettingError("The LoRA is merged into the weights.", "train before merging, or load it again")
        if not self.training:
            self.train()

    def on_validation_epoch_start(self) -> None:
        """Forget what a validation that was broken off has left."""
        self.evaluation.reset()

    on_test_epoch_start = on_validation_epoch_start

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect predictions for the validation metrics."""
        self.evaluation.update(self.scores(batch))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect predictions for the test metrics."""
        self.evaluation.update(self.scores(batch))

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Predictions:
        """Score a batch; no objective runs and nothing is generated beyond what the readout needs."""
        scored = self.scores(batch)
        return Predictions(*(part.cpu() for part in scored))

    def on_validation_epoch_end(self) -> None:
        """Log the validation metrics."""
        self.log_dict({f"val/{name}": value for name, value in self.evaluation.compute().items()}, prog_bar=True)

    def on_test_epoch_end(self) -> None:
        """Log the test metrics."""
        self.log_dict({f"test/{name}": value for name, value in self.evaluation.compute().items()})

    def configure_callbacks(self) -> list[Callback]:
        """Bring along what makes a stopped run go on exactly, unless the trainer has it."""
        trainer: Any = self.trainer  # whose callbacks are not declared
        needed: tuple[type[Callback], ...] = (ExactResume, RunFolder)
        return [kind() for kind in needed if not any(isinstance(own, kind) for own in trainer.callbacks)]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimize what is trained, with warm-up and schedule in steps.

        Raises:
            SettingError: if the run has no end, by which the schedule is stretched.
        """
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise SettingError("The schedule of the learning rate needs a run that ends.", "set trainer.max_epochs")
        optimizer = self.make_optimizer([weight for weight in self.parameters() if weight.requires_grad])
        scheduler = warm_up(optimizer, int(steps), self.warmup, self.schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
