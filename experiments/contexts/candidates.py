"""What is compared: contexts, data sets, and how a classifier is trained."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import Callback

from gad_lightning import (
    AuxiliaryContext,
    Classifier,
    ContextQuery,
    DiscriminativeClassifier,
    GADClassifier,
    GoalContext,
    JoinedContexts,
    NextActions,
    NoContext,
    OwnVideos,
    PreviousActions,
    Prompt,
    SimulatedDials,
    SyntheticTimelines,
    TinyBackbone,
)
from gad_lightning.data.base import ActionDataModule

sys.path.append(str(Path(__file__).resolve().parent.parent / "structure"))

from kitchen_orders import KitchenOrders

NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "many")
QUESTION = f"action? steps: {' '.join(NUMBERS)}"
"""Has the numbers in it, so that the tiny language model's tokenizer knows them."""


class StepNumber(AuxiliaryContext):
    """How many actions are over, as a word; seven and more are "many"."""

    def context(self, query: ContextQuery) -> list[int | str]:
        """One word."""
        over = sum(segment.end <= query.frame for segment in query.segments)
        return [NUMBERS[min(over, len(NUMBERS) - 1)]]

    def longest(self, label: int, goal: int, comma: int) -> int:
        """One word of the tiny language model."""
        return comma + 1


class AnyClass(AuxiliaryContext):
    """The control: a class of the video that depends on the frame number alone."""

    def context(self, query: ContextQuery) -> list[int | str]:
        """One class."""
        classes = sorted({segment.label for segment in query.segments})
        return [classes[query.frame * 2654435761 % 4294967296 % len(classes)]] if classes else []


class DataSet(NamedTuple):
    """Data of the experiment, and how long is trained on it."""

    make: Callable[[Path, int], ActionDataModule]  # folder of the prepared data, seed
    epochs: int
    goals: bool


def _dials(home: Path, seed: int) -> ActionDataModule:
    loading = {"mode": "one_pass", "short_memory": 64, "chunk": 64, "batch_size": 8, "eval_batch_size": 32}
    source = SyntheticTimelines(num_videos=120)
    return SimulatedDials(source, similarity=0.7, history=0.75, num_classes=24, noise=2.0, seed=seed, **loading)


def _kitchen(home: Path, seed: int) -> ActionDataModule:
    return KitchenOrders(mode="one_pass", short_memory=96, chunk=96, batch_size=8, eval_batch_size=32, seed=seed)


def _ikea(home: Path, seed: int) -> ActionDataModule:
    loading = {"mode": "one_pass", "short_memory": 64, "chunk": 64, "batch_size": 8, "val_fraction": 0.25}
    return OwnVideos(home / "ikea", seed=seed, **loading)


def _jigsaws(home: Path, seed: int) -> ActionDataModule:
    loading = {"mode": "one_pass", "short_memory": 64, "chunk": 64, "batch_size": 8, "val_fraction": 0.4}
    return OwnVideos(home / "jigsaws", seed=seed, background=None, **loading)


DATA = {
    "dials": DataSet(_dials, epochs=6, goals=False),
    "kitchen": DataSet(_kitchen, epochs=6, goals=True),
    "ikea": DataSet(_ikea, epochs=12, goals=True),
    "jigsaws": DataSet(_jigsaws, epochs=12, goals=False),
}
DISC, ALL, HAND = "disc", "all", "previous"
"""The classifier without an answer, all contexts together, and the paper's choice for online tasks."""
BY_AGREEMENT = " by agreement"
"""Ends the name of an arm whose text is weighted by how well the gradients of both losses agree."""
ANSWERED = 0.25
"""Part of the queries whose answer is written."""


def contexts_of(data: str) -> dict[str, AuxiliaryContext]:
    """The candidates by name, and all of them together."""
    single = {
        "label": NoContext(),
        HAND: PreviousActions(1),
        "previous 2": PreviousActions(2),
        "next": NextActions(1),
        "next 2": NextActions(2),
        "step": StepNumber(),
        "control": AnyClass(),
        "previous, next": JoinedContexts([PreviousActions(1), NextActions(1)]),
    }
    if DATA[data].goals:
        single["goal"] = GoalContext()
        single["previous, goal"] = JoinedContexts([PreviousActions(1), GoalContext()])
    goal = [GoalContext()] if DATA[data].goals else []
    return {**single, ALL: JoinedContexts([PreviousActions(2), NextActions(1), *goal, StepNumber()])}


def quiet_trainer(data: str, folder: Path, callbacks: Sequence[Callback] = ()) -> Trainer:
    """Trains as long as a data set asks for, on a CPU, without validation and without files."""
    return Trainer(
        max_epochs=DATA[data].epochs,
        callbacks=list(callbacks),
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


def trained(data: str, module: ActionDataModule, arm: str, seed: int, folder: Path) -> Classifier:
    """Train a classifier; its weights are those after the last epoch. ``arm`` is a context's name, or ``disc``."""
    seed_everything(seed, verbose=False)
    backbone, prompt = TinyBackbone(seed=seed), Prompt(question=QUESTION)
    classifier: Classifier
    if arm == DISC:
        classifier = DiscriminativeClassifier(backbone=backbone, schema=module.schema, prompt=prompt)
    else:
        name = arm.removesuffix(BY_AGREEMENT)
        classifier = GADClassifier(
            contexts_of(data)[name],
            answer_fraction=ANSWERED,
            generation_weight=1.0 if name == arm else "agree",
            backbone=backbone,
            schema=module.schema,
            prompt=prompt,
        )
    trainer = quiet_trainer(data, folder)
    trainer.fit(classifier, module)
    if arm == DISC:
        trainer.save_checkpoint(folder / f"{data}-{seed}.ckpt")
    return classifier
