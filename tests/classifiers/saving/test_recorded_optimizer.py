"""Optimizers that a checkpoint tells, and averages of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from torch import nn

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.saving.recorded_optimizer import RecordedOptimizer
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import CheckpointError, SettingError
from tests.backbones.folders import llama_folder
from tests.classifiers.saving.test_differences import runner, toy


class Mine(torch.optim.SGD):
    """Of a package that is not allowed."""


@pytest.mark.parametrize("through", ["checkpoint", "folder"])
def test_a_loaded_classifier_goes_on_with_its_own_optimizer(through: str, tmp_path: Path) -> None:
    data = toy()
    model = GADClassifier(
        backbone=TinyBackbone(hidden_size=16),
        schema=data.schema,
        optimizer=lambda p: torch.optim.SGD(p, lr=0.25, momentum=0.5, nesterov=True),
    )
    trainer = runner()
    trainer.fit(model, data)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    model.save_pretrained(tmp_path / "x")
    path = tmp_path / ("x.ckpt" if through == "checkpoint" else "x")
    again = GADClassifier.from_pretrained(path)
    on = runner(max_steps=2)
    on.fit(again, toy())
    optimizer = on.optimizers[0]
    assert type(optimizer) is torch.optim.SGD
    assert {name: optimizer.defaults[name] for name in ("lr", "momentum", "nesterov")} == {
        "lr": 0.25,
        "momentum": 0.5,
        "nesterov": True,
    }


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (
            {"class_path": "tests.classifiers.saving.test_recorded_optimizer.Mine", "groups": 1},
            "which is not of torch, gad_lightning",
        ),
        ({"class_path": "torch.optim.sgd.SGD", "groups": 2}, "had 2 groups of weights"),
        ({"class_path": "torch.optim.NoSuch", "groups": 1}, "there is no such optimizer"),
        ({"class_path": "torch.hub.load", "groups": 1}, "there is no such optimizer"),
    ],
)
def test_an_optimizer_that_cannot_be_made_again_is_named_when_training_begins(
    described: dict[str, Any], message: str
) -> None:
    make = RecordedOptimizer({**described, "init_args": {}}, ["gad_lightning"])
    with pytest.raises(CheckpointError, match=rf"{message}.*\n.*optimizer="):
        make([nn.Parameter(torch.zeros(1))])


def test_an_average_of_adapters_is_saved_without_the_base_and_resumed_to_the_bit(tmp_path: Path) -> None:
    base = llama_folder(tmp_path / "base", words=ToyActions().class_names)

    def fit(folder: Path, resume: Path | None = None) -> GADClassifier:
        torch.manual_seed(0)
        data = toy()
        model = GADClassifier(
            backbone=CausalLM(str(base), lora={"r": 4}), schema=data.schema, schedule="constant", warmup=0
        )
        keep = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=2, save_top_k=-1)
        average = EMAWeightAveraging(decay=0.5)
        runner(max_steps=4, callbacks=[average, keep], enable_checkpointing=True).fit(model, data, ckpt_path=resume)
        return model

    whole = fit(tmp_path / "whole")
    kept = torch.load(tmp_path / "whole" / "step=2.ckpt", weights_only=True)
    assert kept["state_dict"].keys() == kept["current_model_state"].keys()
    assert not [name for name in kept["state_dict"] if "base_layer" in name]
    resumed = fit(tmp_path / "resumed", tmp_path / "whole" / "step=2.ckpt")
    for (name, one), other in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other), name
    averaged = GADClassifier.load_from_checkpoint(tmp_path / "resumed" / "step=4.ckpt").trained_state()
    assert all(torch.equal(averaged[name], weight) for name, weight in resumed.trained_state().items())


def test_an_average_of_quantized_weights_is_refused(tmp_path: Path) -> None:
    base = llama_folder(tmp_path / "base", words=ToyActions().class_names)
    data = toy()
    model = GADClassifier(backbone=CausalLM(str(base), lora={"r": 4}, quantization="nf4"), schema=data.schema)
    with pytest.raises(SettingError, match=r"EMAWeightAveraging.*\n.*backbone\.quantization"):
        runner(callbacks=[EMAWeightAveraging(decay=0.5)]).fit(model, data)
