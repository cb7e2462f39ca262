"""A run whose numbers are no numbers stops, and nothing of it is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.schedule import PaperAdamW
from gad_lightning.errors import NotFiniteError, SettingError
from gad_lightning.types import Batch, Loss
from tests.classifiers.making import make
from tests.classifiers.saving.test_differences import runner, toy


class Poisoned(DiscriminativeClassifier):
    """Its loss is not finite from a step on."""

    poison: float = float("nan")
    at = 3

    def losses(self, batch: Batch) -> dict[str, Loss]:
        found = super().losses(batch)
        if self.trainer.global_step < self.at:
            return found
        return {name: Loss(loss.sum * self.poison, loss.count) for name, loss in found.items()}


class BadGradient(DiscriminativeClassifier):
    """Its loss is finite, its gradient is not: the slope of a root at 0."""

    def losses(self, batch: Batch) -> dict[str, Loss]:
        found = super().losses(batch)
        zero = (next(self.heads.parameters()) * 0).abs().sum().sqrt()
        return {name: Loss(loss.sum + zero, loss.count) for name, loss in found.items()}


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run_at_its_step_and_keeps_the_last_checkpoint(
    poison: float, tmp_path: Path
) -> None:
    data = toy()
    model = Poisoned(backbone=TinyBackbone(hidden_size=16), schema=data.schema)
    model.poison = poison
    keep = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=1, monitor="step", mode="max")
    trainer = runner(max_steps=9, callbacks=[keep], enable_checkpointing=True)
    with pytest.raises(
        NotFiniteError, match=rf"Optimizer step 4 .* the loss is {poison:g}, .* Its videos: \w+.*\n.*learning rate"
    ):
        trainer.fit(model, data)
    assert [path.name for path in tmp_path.iterdir()] == ["step=3.ckpt"]
    again = Poisoned.load_from_checkpoint(tmp_path / "step=3.ckpt", allowed=["gad_lightning", "tests"])
    assert all(bool(weight.isfinite().all()) for weight in again.parameters())


def test_a_gradient_that_is_not_finite_stops_the_run_before_its_step() -> None:
    data = toy()
    model = BadGradient(backbone=TinyBackbone(hidden_size=16), schema=data.schema)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    with pytest.raises(NotFiniteError, match=r"Optimizer step 1 .* the loss is [\d.]+, the norm of its gradients nan"):
        runner().fit(model, data)
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_large_finite_gradients_are_no_fault() -> None:
    data = toy()
    model = Poisoned(backbone=TinyBackbone(hidden_size=16), schema=data.schema)
    model.poison, model.at = 1e25, 0  # the square of its gradients has no room in float32
    runner(gradient_clip_val=1.0).fit(model, data)
    assert all(bool(weight.isfinite().all()) for weight in model.parameters())


def test_float16_throughout_is_named_where_it_has_no_room() -> None:
    data = toy()
    model = GADClassifier(backbone=TinyBackbone(hidden_size=16), schema=data.schema)
    with pytest.raises(NotFiniteError, match=r"(?s)Optimizer step \d .*set trainer.precision to bf16-mixed or 32-true"):
        runner(precision="16-true", max_steps=9).fit(model, data)
    half = make(GADClassifier).half()
    with torch.no_grad():
        next(half.heads.parameters()).view(-1)[0] = float("inf")
    with pytest.raises(NotFiniteError, match=r"is not finite.*\n.*set trainer.precision to bf16-mixed"):
        half.on_save_checkpoint({})


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    gad = make(GADClassifier)
    with torch.no_grad():
        next(gad.heads.parameters()).view(-1)[0] = float("nan")
    for save in (gad.on_save_checkpoint, lambda content: gad.save_pretrained(tmp_path)):
        with pytest.raises(NotFiniteError, match=r"The weight heads\.0\.\w+(\.\w+)* is not finite"):
            save({})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"background_weight": float("nan")}, "background_weight of GADClassifier is nan"),
        ({"generation_weight": float("inf")}, "generation_weight of GADClassifier is inf"),
    ],
)
def test_settings_that_are_not_finite_are_refused(settings: dict[str, Any], message: str) -> None:
    data = toy()
    model = GADClassifier(backbone=TinyBackbone(hidden_size=16), schema=data.schema, **settings)
    with pytest.raises(SettingError, match=message):
        runner().fit(model, data)


def test_a_learning_rate_that_is_not_finite_is_refused() -> None:
    data = toy()
    model = GADClassifier(
        backbone=TinyBackbone(hidden_size=16),
        schema=data.schema,
        optimizer=lambda p: torch.optim.SGD(p, lr=float("inf")),
    )
    with pytest.raises(SettingError, match="lr of SGD is inf"):
        runner().fit(model, data)


@pytest.mark.parametrize("wrong", [{"lr": float("nan")}, {"lr": -1.0}, {"weight_decay": -1.0}])
def test_what_an_optimizer_refuses_is_told_with_its_setting(wrong: dict[str, float]) -> None:
    data = toy()
    model = GADClassifier(
        backbone=TinyBackbone(hidden_size=16), schema=data.schema, optimizer=lambda p: PaperAdamW(p, **wrong)
    )
    with pytest.raises(SettingError, match=r"model\.optimizer cannot be made: Invalid (learning rate|weight_decay)"):
        runner().fit(model, data)


@pytest.mark.parametrize(
    ("trainer", "settings", "message"),
    [
        ({"gradient_clip_val": -1.0}, {}, "trainer.gradient_clip_val is -1.0"),
        ({"gradient_clip_val": float("nan")}, {}, "trainer.gradient_clip_val is nan"),
        ({"accumulate_grad_batches": 0}, {}, "trainer.accumulate_grad_batches must be at least 1, got 0"),
        ({}, {"warmup": 2.0}, r"model.warmup must lie in \[0, 1\), got 2.0"),
        ({}, {"warmup": float("nan")}, r"model.warmup must lie in \[0, 1\), got nan"),
    ],
)
def test_steps_that_lead_upward_or_nowhere_are_refused(
    trainer: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    data = toy()
    model = GADClassifier(backbone=TinyBackbone(hidden_size=16), schema=data.schema, **settings)
    with pytest.raises(SettingError, match=message):
        runner(**trainer).fit(model, data)


def test_a_loss_is_never_made_larger() -> None:
    with pytest.raises(SettingError, match="The weight of WriteAnswer must be at least 0, got -1"):
        make(GADClassifier, generation_weight=-1.0)
