"""The learning rate of every step, and what Lightning's finders make of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import BackboneFinetuning, BatchSizeFinder, Callback, LearningRateFinder, ModelPruning

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.ablations.two_stage import TwoStageClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.schedule import PaperAdamW, scale_at
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError


class Rates(Callback):
    """Notes the learning rate and the batch size of every step."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.sizes: list[int] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        self.sizes.append(len(batch.frames))


def fitted(tmp_path: Path, kind: Any, *callbacks: Callback, **settings: Any) -> tuple[Any, Trainer, Rates, ToyActions]:
    """Train on the toy sequences."""
    data, rates = ToyActions(short_memory=4, stride=8, batch_size=2), Rates()
    model = kind(backbone=TinyBackbone(hidden_size=16, num_layers=1), schema=data.schema)
    trainer = Trainer(
        accelerator="cpu",
        callbacks=[*callbacks, rates],
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        **settings,
    )
    trainer.fit(model, data)
    return model, trainer, rates, data


@pytest.mark.parametrize("kind", [GADClassifier, TwoStageClassifier])
def test_the_batch_size_finder_finds_one_and_the_schedule_ends_with_the_run(kind: Any, tmp_path: Path) -> None:
    _, trainer, rates, data = fitted(tmp_path, kind, BatchSizeFinder(max_trials=3, steps_per_trial=1), max_epochs=1)
    assert data.batch_size == 8
    assert len(rates.sizes) == -(-sum(rates.sizes) // 8)  # as few batches as that size needs
    steps = len(rates.rates)
    assert steps == trainer.estimated_stepping_batches
    if kind is GADClassifier:
        assert rates.rates == pytest.approx([3e-3 * scale_at(step, steps, 0.1, "cosine") for step in range(steps)])
    assert not list(tmp_path.rglob("*.ckpt"))


def test_the_learning_rate_finder_sets_a_rate_that_the_schedule_keeps_to(tmp_path: Path) -> None:
    finder = LearningRateFinder(num_training_steps=30, min_lr=1e-5, max_lr=1e-1, early_stop_threshold=None)
    model, trainer, rates, _ = fitted(tmp_path, GADClassifier, finder, max_steps=10)
    assert model.lr is not None
    assert 1e-5 <= model.lr <= 1e-1
    assert rates.rates == pytest.approx([model.lr * scale_at(step, 10, 0.1, "cosine") for step in range(10)])
    assert trainer.global_step == 10
    model.trainer = None  # the next run takes the rate too
    again = Trainer(max_steps=2, accelerator="cpu", callbacks=[Rates()], logger=False, enable_checkpointing=False)
    model.warmup = 0.0
    again.fit(model, ToyActions(short_memory=4, stride=8))
    noted: Any = next(own for own in again.callbacks if isinstance(own, Rates))  # type: ignore[attr-defined]  # set, but not declared
    assert noted.rates[0] == pytest.approx(model.lr)


def test_a_rate_left_unset_is_chosen_by_the_hidden_size_and_said_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        model, _, rates, _ = fitted(tmp_path, GADClassifier, max_steps=4)
    (line,) = [record.message for record in caplog.records if record.message.startswith("Learning rate")]
    assert line == (
        "Learning rate 0.003, by the hidden size 16 of the language model; the optimizer's lr sets another one."
    )
    assert max(rates.rates) == 3e-3
    assert model.optimizer_made["init_args"]["lr"] == 3e-3  # a loaded classifier is trained on at this rate


def test_a_rate_that_is_set_stays_and_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = ToyActions(short_memory=4, stride=8)
    optimizer = partial(PaperAdamW, lr=1e-4)
    model = GADClassifier(backbone=TinyBackbone(hidden_size=16, num_layers=1), schema=data.schema, optimizer=optimizer)
    trainer = Trainer(max_steps=2, accelerator="cpu", callbacks=[Rates()], logger=False, enable_checkpointing=False)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        trainer.fit(model, data)
    assert model.optimizer_made is not None
    assert model.optimizer_made["init_args"]["lr"] == 1e-4
    assert not [record for record in caplog.records if record.message.startswith("Learning rate")]


def test_a_run_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"needs a run that ends.*\n.*trainer.max_epochs"):
        fitted(tmp_path, GADClassifier, max_epochs=-1, max_time="00:00:00:01")


def test_only_what_is_trained_is_optimized(tmp_path: Path) -> None:
    model, trainer, _, _ = fitted(tmp_path, GADClassifier, max_steps=1)
    optimized = sum(weight.numel() for group in trainer.optimizers[0].param_groups for weight in group["params"])
    assert optimized == sum(weight.numel() for weight in model.trained_state().values())
    assert all(torch.isfinite(weight).all() for weight in model.trained_state().values())


@pytest.mark.parametrize("callback", [BackboneFinetuning(), ModelPruning("l1_unstructured", amount=0.5)])
def test_callbacks_that_change_what_is_trained_are_refused(callback: Callback, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=f"trainer.callbacks has {type(callback).__name__}, which changes what"):
        fitted(tmp_path, GADClassifier, callback, max_epochs=1)
