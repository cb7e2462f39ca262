"""Two stages: which weights move when, and what a checkpoint keeps of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning import Callback, Trainer
from torch import Tensor

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.ablations.two_stage import TwoStageClassifier
from gad_lightning.classifiers.base import Classifier
from gad_lightning.cli import main
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


class Watch(Callback):
    """Keeps the trained weights, the losses and the learning rate after every step."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []
        self.losses: list[dict[str, float]] = []
        self.rates: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, *unused: Any) -> None:
        self.states.append({name: weight.detach().clone() for name, weight in pl_module.trained_state().items()})
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *unused: Any) -> None:
        self.losses.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    on_train_end = on_train_batch_start


def fit(**settings: Any) -> tuple[Any, Watch]:
    """Eight steps on the toy sequences, with weight decay."""
    data = ToyActions(short_memory=4, stride=4, batch_size=4)
    torch.manual_seed(0)

    def adam(weights: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(weights, lr=1e-2, weight_decay=0.1)

    model = TwoStageClassifier(
        backbone=TinyBackbone(hidden_size=16, num_layers=1), schema=data.schema, optimizer=adam, **settings
    )
    watch = Watch()
    trainer = Trainer(max_steps=8, max_epochs=-1, accelerator="cpu", callbacks=[watch], limit_val_batches=0, **QUIET)
    trainer.fit(model, data)
    return model, watch


def moved(watch: Watch, begin: int, end: int) -> set[str]:
    """Parts whose weights differ between two steps."""
    before, after = watch.states[begin], watch.states[end]
    names = {name for name in before if not torch.equal(before[name], after[name])}
    return {"head" if name.startswith("heads") else "cls" if "new_tokens" in name else "trunk" for name in names}


def test_the_text_alone_then_the_class_alone_on_a_frozen_trunk() -> None:
    _, watch = fit()
    assert moved(watch, 0, 4) - {"cls"} == {"trunk"}  # [CLS] has a gradient of 0, and decays
    assert moved(watch, 4, 8) == {"head", "cls"}
    for step, losses in enumerate(watch.losses):
        assert (losses["train/generation"] > 0) == (step < 4)
        assert (losses["train/classification"] > 0) == (step >= 4)


def test_unfrozen_the_second_stage_trains_all() -> None:
    _, watch = fit(freeze_trunk=False, first_fraction=0.25)
    assert moved(watch, 0, 2) - {"cls"} == {"trunk"}
    assert moved(watch, 2, 8) == {"trunk", "head", "cls"}


def test_each_stage_warms_up_and_cools_down() -> None:
    rates = fit(warmup=0.25)[1].rates
    assert rates[:4] == pytest.approx(rates[4:8])
    assert rates[0] == 0
    assert max(rates) == rates[1] == 1e-2


def test_a_checkpoint_keeps_frozen_and_trained_weights() -> None:
    model, _ = fit(freeze_trunk=True, first_fraction=0.75)
    checkpoint: dict[str, Any] = {}
    model.on_save_checkpoint(checkpoint)
    assert any(name.startswith("backbone.connector") for name in checkpoint["state_dict"])
    again: Any = Classifier.made_again(checkpoint, "here", "cpu", ("gad_lightning",))
    assert (type(again), again.first_fraction, again.freeze_trunk, again.order) == (
        TwoStageClassifier,
        0.75,
        True,
        "parallel",
    )
    frames = torch.zeros(2, 3, model.schema.features.width)
    assert torch.allclose(again(frames), model.eval()(frames), atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_stage_without_steps_is_refused(share: float) -> None:
    with pytest.raises(SettingError, match="first_fraction is a part of the steps"):
        fit(first_fraction=share)


def test_a_run_without_an_end_is_refused() -> None:
    model = TwoStageClassifier(backbone=TinyBackbone(hidden_size=16), schema=ToyActions().schema)
    trainer = Trainer(max_epochs=-1, max_time="00:00:00:01", accelerator="cpu", **QUIET)
    with pytest.raises(SettingError, match="need to know how long a run is"):
        trainer.fit(model, ToyActions(short_memory=4))


def test_a_config_sets_the_stages(tmp_path: Path) -> None:
    kind = "gad_lightning.TwoStageClassifier"
    arguments = {"backbone": "gad_lightning.TinyBackbone", "freeze_trunk": False}
    config = {
        "model": {"class_path": kind, "init_args": arguments},
        "data": {"class_path": "gad_lightning.ToyActions", "init_args": {"short_memory": 4, "stride": 8}},
        "trainer": {"max_steps": 2, "accelerator": "cpu", "enable_progress_bar": False, "limit_val_batches": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    main(["fit", f"--config={tmp_path / 'config.yaml'}", f"--trainer.default_root_dir={tmp_path / 'runs'}"])
    found: Any = Classifier.load_from_checkpoint(next(tmp_path.rglob("*.ckpt")))
    assert not found.freeze_trunk
