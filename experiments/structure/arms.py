"""What is compared: data sets, kernels, and how a classifier is trained with one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from kitchen_orders import KitchenOrders
from lightning import Trainer, seed_everything
from measures import HISTORY
from names import WRITING
from torch import Tensor

from gad_lightning import (
    ActionSlices,
    AlignmentKernel,
    DiscriminativeClassifier,
    GenerativeClassifier,
    LabelMatch,
    MeanSimilarity,
    NeighborTexts,
    OwnVideos,
    PaperAdamW,
    Prompt,
    SequenceKernel,
    Slices,
    StructureInduced,
    TinyBackbone,
    TruncatedSmoothing,
)
from gad_lightning.classifiers.base import Classifier
from gad_lightning.data.base import ActionDataModule
from gad_lightning.objectives.base import Objective


class Permuted(SequenceKernel):
    """The control: targets of another kernel, given to other queries of the batch; a query is still like itself.

    Args:
        kernel: whose targets are permuted.
    """

    def __init__(self, kernel: SequenceKernel) -> None:
        self.kernel, self.generator = kernel, torch.Generator().manual_seed(0)

    def fit(self, slices: Slices) -> None:
        """Let the kernel choose its scale."""
        self.kernel.fit(slices)

    def compare(self, a: Slices, b: Slices) -> Tensor:
        """Permute rows and columns alike."""
        found, order = self.kernel.compare(a, b), torch.randperm(len(a.counts), generator=self.generator)
        return found[order][:, order]


class DataSet(NamedTuple):
    """Data of the experiment, and how long is trained on it."""

    make: Callable[[Path, int], ActionDataModule]  # folder of the prepared data, seed
    epochs: int
    smoothing: bool = False  # as its recipe has it


def _ikea(home: Path, seed: int) -> ActionDataModule:
    loading = {"mode": "one_pass", "short_memory": 128, "chunk": 128, "batch_size": 8, "val_fraction": 0.2}
    return OwnVideos(home / "ikea", seed=seed, **loading)


def _jigsaws(home: Path, seed: int) -> ActionDataModule:
    loading = {"mode": "one_pass", "short_memory": 192, "chunk": 128, "batch_size": 8, "val_fraction": 0.2}
    return OwnVideos(home / "jigsaws", background=None, seed=seed, **loading)


def _kitchen(home: Path, seed: int) -> ActionDataModule:
    return KitchenOrders(mode="one_pass", short_memory=96, chunk=96, batch_size=8, eval_batch_size=32, seed=seed)


DATA = {
    "ikea": DataSet(_ikea, epochs=10),
    "jigsaws": DataSet(_jigsaws, epochs=16, smoothing=True),
    "kitchen": DataSet(_kitchen, epochs=16),
}
FACTORS, WEIGHTS = (0.35, 0.7), (0.1, 0.3)
"""What is tried on validation: delta as a share of the distance of two classes, and the weight of the loss."""
ANSWERED = 0.25
"""Part of the queries that they are trained on."""


class Arm(NamedTuple):
    """A kernel with its settings; the name ``none`` is no kernel."""

    name: str
    weight: float = 0.0
    factor: float = 0.0

    def kernel(self) -> SequenceKernel:
        """Make it. Two classes are orthogonal: the distance of any two is the root of 2."""
        alignment = AlignmentKernel(delta=self.factor * math.sqrt(2) or 1.0)
        made = {"mean": MeanSimilarity(), "match": LabelMatch(), "permuted": Permuted(alignment)}
        return made.get(self.name, alignment)

    def objectives(self) -> list[Objective]:
        """The loss of this arm."""
        if self.name in ("none", *WRITING):
            return []
        slices = ActionSlices(vectors="apart", history=HISTORY)
        return [StructureInduced(self.kernel(), slices, weight=self.weight)]


def trained(of: DataSet, data: ActionDataModule, arm: Arm, seed: int, folder: Path) -> Classifier:
    """Train a classifier; its weights are those after the last epoch."""
    seed_everything(seed, verbose=False)
    shared: dict[str, Any] = {
        "backbone": TinyBackbone(seed=seed),
        "schema": data.schema,
        "prompt": Prompt(question="action?"),
        "optimizer": lambda parameters: PaperAdamW(parameters, weight_decay=0.01),
    }
    classifier: Classifier
    if arm.name in WRITING:
        texts = NeighborTexts() if arm.name == "texts" else None
        classifier = GenerativeClassifier(neighbors=texts, answer_fraction=ANSWERED, **shared)
    else:
        smoothing = [TruncatedSmoothing()] if of.smoothing else []
        classifier = DiscriminativeClassifier(objectives=[*smoothing, *arm.objectives()], **shared)
    trainer = Trainer(
        max_epochs=of.epochs,
        gradient_clip_val=1.0,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        default_root_dir=folder,
    )
    trainer.fit(classifier, data)
    return classifier
