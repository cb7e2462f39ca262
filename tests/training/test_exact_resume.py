"""A run that is stopped and goes on ends as the run that was never stopped, to the last bit."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.utils.data import DataLoader, TensorDataset

from gad_lightning.errors import CheckpointError
from gad_lightning.training.exact_resume import ExactResume
from gad_lightning.training.seeds import seed_generators
from tests.training.program import Ending, Run, train

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulating": {"accumulate": 2, "validate": 0.4},
    "by steps": {"epochs": -1, "steps": 8, "validate": 0.4},
    "validating within": {"validate": 0.4},
    "accumulating by epochs": {"accumulate": 2},
    "by steps, validating by epochs": {"epochs": -1, "steps": 8},
    "never validating": {"validate": None},
}
HOOKS = ("batch_end", "validation_end", "epoch_end", "train_end")
POINTS = [(hook, batches) for hook in HOOKS for batches in range(1, 10)]
NOTABLE = {("batch_end", 1), ("batch_end", 5), ("validation_end", 5), ("epoch_end", 5), ("batch_end", 7)}


@pytest.fixture(scope="module")
def unstopped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Run, Ending]]:
    """Runs made so far, by setting: each writes a checkpoint at every point."""
    return {}


def run_of(name: str, unstopped: dict[str, tuple[Run, Ending]], factory: pytest.TempPathFactory) -> tuple[Run, Ending]:
    """The unstopped run of a setting, made at the first use."""
    if name not in unstopped:
        run = Run(factory.mktemp("run"), save_at=tuple(POINTS), **SETTINGS[name])
        unstopped[name] = run, train(run)
    return unstopped[name]


def assert_same_end(whole: Ending, rest: Ending, step: int) -> None:
    """Compare a resumed run with the part of the unstopped one after ``step``."""
    assert rest._replace(losses={}, validations={}, samples=[]) == whole._replace(losses={}, validations={}, samples=[])
    assert rest.samples == whole.samples[len(whole.samples) - len(rest.samples) :]
    assert rest.losses == {at: loss for at, loss in whole.losses.items() if at >= step}
    assert rest.validations.items() <= whole.validations.items()
    assert set(rest.validations) >= {at for at in whole.validations if at >= step}


def resume_at(run: Run, whole: Ending, point: tuple[str, int]) -> None:
    """Resume from one checkpoint of an unstopped run and compare."""
    checkpoint = run.checkpoint(*point)
    stored = torch.load(checkpoint, weights_only=True)["exact_resume"]["position"]
    rest = train(run._replace(resume=checkpoint, save_at=()))
    assert_same_end(whole, rest, stored["steps"])
    assert len(rest.samples) == len(whole.samples) - stored["total_batches"]
    at_last_step = stored["steps"] - 1 in rest.validations
    assert not (at_last_step and stored["validated"]), "a validation was run twice"


@pytest.mark.parametrize("point", sorted(NOTABLE), ids=lambda point: f"{point[0]} {point[1]}")
def test_whichever_hook_saved(
    point: tuple[str, int], unstopped: dict[str, tuple[Run, Ending]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    resume_at(*run_of("plain", unstopped, tmp_path_factory), point)


@pytest.mark.parametrize(
    ("name", "point"),
    [("accumulating", ("batch_end", 3)), ("accumulating", ("validation_end", 4)), ("by steps", ("batch_end", 4))],
)
def test_within_an_accumulation_and_before_a_validation(
    name: str,
    point: tuple[str, int],
    unstopped: dict[str, tuple[Run, Ending]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    resume_at(*run_of(name, unstopped, tmp_path_factory), point)


@pytest.mark.slow  # some twenty runs for each setting
@pytest.mark.parametrize("name", SETTINGS)
def test_after_every_batch_and_hook(
    name: str, unstopped: dict[str, tuple[Run, Ending]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run, whole = run_of(name, unstopped, tmp_path_factory)
    left = [point for point in POINTS if run.checkpoint(*point).exists() and point[1] < len(whole.samples)]
    assert len(left) >= 8
    for point in left:
        resume_at(run, whole, point)


def test_a_run_stopped_by_max_steps_can_be_made_longer(tmp_path: Path) -> None:
    whole = train(Run(tmp_path, schedule="constant"))
    short = Run(tmp_path, steps=3, save_at=(("train_end", 3),), schedule="constant")
    train(short)
    rest = train(Run(tmp_path, resume=short.checkpoint("train_end", 3), schedule="constant"))
    assert_same_end(whole, rest, 3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"step_samples": 8}, "samples of a step over all processes 4, this one has 8.*set data.batch_size to 4"),
        ({"data": (("seed", 6),)}, "data.seed 5, this one has 6.*start a new run from the checkpoint's weights"),
        ({"data": (("stride", 5),)}, "samples of an epoch [0-9]+, this one has [0-9]+"),
        ({"accumulate": 2}, "trainer.accumulate_grad_batches 1, this one has 2.*set it to 1 again"),
        ({"trainer": (("limit_train_batches", 4),)}, "batches of an epoch 5, this one has 4"),
    ],
    ids=["batch size", "seed", "data", "accumulation", "limit"],
)
def test_another_epoch_is_refused(
    changed: dict[str, Any],
    message: str,
    unstopped: dict[str, tuple[Run, Ending]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run, _ = run_of("plain", unstopped, tmp_path_factory)
    with pytest.raises(CheckpointError, match=re.compile(message, re.DOTALL)):
        train(run._replace(resume=run.checkpoint("batch_end", 3), save_at=(), **changed))


def test_a_checkpoint_without_its_place_is_refused(
    unstopped: dict[str, tuple[Run, Ending]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    run, _ = run_of("plain", unstopped, tmp_path_factory)
    content = torch.load(run.checkpoint("batch_end", 3), weights_only=True)
    del content["exact_resume"]
    path = run.root / "foreign.ckpt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="saved without ExactResume"):
        train(run._replace(resume=path, save_at=()))


class Foreign(LightningModule):
    """A model and data that know nothing of this library, and draw random numbers as they like."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.map = nn.Linear(2, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Some loss."""
        loss: Tensor = dropout(self.map(batch[0]), 0.5).square().mean()
        return loss

    def train_dataloader(self) -> DataLoader[Any]:
        """Four batches, always the same."""
        return DataLoader(TensorDataset(torch.arange(16.0).view(8, 2)), batch_size=2)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """SGD."""
        return torch.optim.SGD(self.parameters(), 0.001)

    def fit(self, root: Path, epochs: int, resume: Path | None = None) -> Path:
        """Train with the callback, and say where the last checkpoint is; those of every step lie beside it."""
        keep = ModelCheckpoint(root, "{step}", every_n_train_steps=1, save_top_k=-1, save_last=True)
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            logger=False,
            callbacks=[ExactResume(), keep],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        torch.manual_seed(3)  # the run's seed is drawn from here
        trainer.fit(self, ckpt_path=resume)
        return Path(keep.last_model_path)


def test_other_models_resume_between_epochs_and_are_refused_within_one(tmp_path: Path) -> None:
    whole, rest = Foreign(), Foreign()
    whole.fit(tmp_path / "whole", 2)
    last = rest.fit(tmp_path / "rest", 1)
    rest.fit(tmp_path / "more", 2, last)
    assert torch.equal(whole.map.weight, rest.map.weight)
    with pytest.raises(CheckpointError, match="saved after 3 batches of an epoch; this loader cannot start there"):
        Foreign().fit(tmp_path / "never", 2, tmp_path / "rest" / "step=3.ckpt")


def test_a_place_gives_its_own_numbers() -> None:
    def numbers(*place: int) -> list[float]:
        seed_generators(*place)
        return [torch.rand(()).item(), float(np.random.rand()), random.random()]

    assert numbers(0, 1, 2) == numbers(0, 1, 2)
    others = [numbers(0, 1, 2), numbers(0, 1, 3), numbers(0, 12), numbers(1, 1, 2)]
    assert len({number for three in others for number in three}) == 12
