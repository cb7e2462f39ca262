"""Callbacks that keep all weights, such as an average of one's own: checkpoints hold no base for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError
from tests.backbones.folders import llama_folder
from tests.classifiers.saving.test_differences import runner, toy


class LastWeights(Callback):
    """Keeps all weights after each batch, and a number."""

    kept: dict[str, Tensor] | None = None
    given: dict[str, Tensor] | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.kept = {name: weight.detach().clone() for name, weight in pl_module.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {"kept": self.kept, "decay": 0.5}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.given = state_dict["kept"]


def test_frozen_weights_are_left_out_and_put_back(tmp_path: Path) -> None:
    base = llama_folder(tmp_path / "base", words=ToyActions().class_names)

    def fit(steps: int, resume: Path | None = None) -> tuple[Trainer, LastWeights]:
        data, last = toy(), LastWeights()
        model = GADClassifier(backbone=CausalLM(str(base), lora={"r": 4}), schema=data.schema)
        trainer = runner(max_steps=steps, callbacks=[last])
        trainer.fit(model, data, ckpt_path=resume)
        return trainer, last

    trainer, last = fit(1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    written = torch.load(tmp_path / "one.ckpt", weights_only=True)
    state = written["callbacks"]["LastWeights"]
    assert state["kept"].keys() == written["state_dict"].keys()
    assert state["decay"] == 0.5
    _, again = fit(2, tmp_path / "one.ckpt")
    assert last.kept is not None
    assert again.given is not None
    assert again.given.keys() == last.kept.keys()
    assert all(torch.equal(again.given[name], weight) for name, weight in last.kept.items())


def test_a_weight_frozen_by_hand_is_kept_and_an_unfrozen_base_is_refused(tmp_path: Path) -> None:
    base = llama_folder(tmp_path / "base", words=ToyActions().class_names)
    data = toy()
    model = GADClassifier(backbone=CausalLM(str(base), lora={"r": 4}), schema=data.schema)
    model.backbone.connector.requires_grad_(False)
    trainer = runner()
    trainer.fit(model, data)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    again = GADClassifier.load_from_checkpoint(tmp_path / "one.ckpt")
    for name, weight in model.trained_state().items():
        assert torch.equal(again.trained_state()[name], weight), name
    next(weight for name, weight in model.named_parameters() if "base_layer" in name).requires_grad_(True)
    with pytest.raises(SettingError, match=r"1 weights of the frozen language model are trained, first '.*base_layer"):
        runner().fit(model, data)
