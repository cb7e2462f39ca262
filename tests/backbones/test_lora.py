"""LoRA on decoders of several kinds: put on, begun in a way that can be repeated, read by plain peft."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from tests.backbones.folders import family_folder, llama_folder
from tests.classifiers.making import WIDTH, make


@pytest.mark.parametrize("begin", ["pissa_niter_4", "eva", "loftq", "corda", "lora_ga", "mica"])
def test_a_lora_that_changes_the_base_by_chance_or_data_is_refused_by_name(begin: str) -> None:
    with pytest.raises(SettingError, match=rf"init_lora_weights is '{begin}'.*\n.*'pissa', 'olora'"):
        CausalLM("./never-read", lora={"r": 4, "init_lora_weights": begin})


@pytest.mark.parametrize("begin", [True, False, "gaussian", "orthogonal", "pissa", "olora"])
def test_a_lora_of_every_other_beginning_loads_to_the_same_scores_here_and_in_peft(begin: Any, tmp_path: Path) -> None:
    import transformers
    from peft import PeftModel

    base = llama_folder(tmp_path / "base")
    gad = make(GADClassifier, backbone=CausalLM(str(base), lora={"r": 4, "lora_alpha": 8, "init_lora_weights": begin}))
    gad.eval().save_pretrained(tmp_path / "saved")
    again = GADClassifier.from_pretrained(tmp_path / "saved")
    video = np.random.default_rng(0).normal(size=(8, WIDTH)).astype("float32")
    assert torch.allclose(again.detect(video).scores, gad.detect(video).scores, atol=1e-5)
    plain = PeftModel.from_pretrained(
        transformers.AutoModelForCausalLM.from_pretrained(base), tmp_path / "saved"
    ).eval()
    ids = torch.tensor([[4, 5, 6, 7]])
    with torch.no_grad():
        assert torch.allclose(plain(ids).logits, gad.backbone.causal_lm(ids).logits, atol=1e-5)


def test_routers_of_experts_and_what_is_no_linear_layer_get_none(tmp_path: Path) -> None:
    folder = family_folder(tmp_path, "Phimoe", num_local_experts=4)
    gad = make(GADClassifier, backbone=CausalLM(str(folder), lora={"r": 4}))
    names = [name for name, weight in gad.backbone.named_parameters() if weight.requires_grad and "lora_A" in name]
    assert any("q_proj" in name for name in names)
    assert not any("router" in name for name in names)


def test_a_transposed_linear_layer_is_trained_and_merged(tmp_path: Path) -> None:
    folder = family_folder(tmp_path, "GPT2")
    gad = make(GADClassifier, backbone=CausalLM(str(folder), lora={"r": 4, "init_lora_weights": False})).eval()
    video = np.random.default_rng(0).normal(size=(8, WIDTH)).astype("float32")
    before = gad.detect(video).scores
    with gad.backbone.original():
        assert not torch.allclose(gad.detect(video).scores, before, atol=1e-3)
    gad.backbone.merge()
    assert torch.allclose(gad.detect(video).scores, before, atol=1e-4)


def test_a_setting_that_does_not_fit_the_model_is_refused(tmp_path: Path) -> None:
    folder = llama_folder(tmp_path)
    with pytest.raises(SettingError, match=r"backbone\.lora does not fit LlamaForCausalLM"):
        make(GADClassifier, backbone=CausalLM(str(folder), lora={"r": 4, "target_modules": ["no_such_layer"]}))
