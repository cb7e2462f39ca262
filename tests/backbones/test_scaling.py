"""The adapter at scale 0 is the base bit for bit, at 1 the trained one; what has no adapter is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.backbones.weights.scaling import AdapterScale
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from tests.backbones.folders import family_folder, llama_folder
from tests.classifiers.making import batch, make, random_frames

PLAIN: dict[str, Any] = {"r": 4, "lora_alpha": 8}
KINDS: dict[str, dict[str, Any]] = {
    "lora": {"lora": PLAIN},
    "random": {"lora": {**PLAIN, "init_lora_weights": False}},
    "rslora": {"lora": {**PLAIN, "use_rslora": True}},
    "dora": {"lora": {**PLAIN, "use_dora": True}},
    "head": {"lora": PLAIN, "lora_on_head": True},
    "dora on head": {"lora": {**PLAIN, "use_dora": True}, "lora_on_head": True},
    "bfloat16": {"lora": {**PLAIN, "use_dora": True}, "dtype": "bfloat16"},
    "nf4": {"lora": PLAIN, "quantization": "nf4"},
    "nf4 dora": {"lora": {**PLAIN, "use_dora": True}, "quantization": "nf4"},
    "int8": {"lora": PLAIN, "quantization": "int8"},
}


def moved(folder: Path, **arguments: Any) -> Classifier:
    """A classifier whose adapter is far from the base."""
    made = make(GADClassifier, backbone=CausalLM(str(folder), **arguments)).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in made.backbone.named_parameters():
            if "lora_" in name:
                weight.add_(torch.randn(weight.shape, generator=generator) * 0.1)
    return made


@torch.no_grad()
def outputs(classifier: Classifier) -> tuple[Tensor, Tensor]:
    """Slot states of some prompts, and all their logits."""
    states = classifier.scores(batch(random_frames(2, 8), [[1, 4], [7, 5]])).slot_states
    return states, classifier.backbone.token_logits(states)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A Llama with a tied head, and a GPT-2, whose linear layers are transposed."""
    home = tmp_path_factory.mktemp("bases")
    return {"Llama": llama_folder(home / "llama"), "GPT2": family_folder(home / "gpt2", "GPT2")}


@pytest.mark.parametrize("kind", KINDS)
def test_at_0_it_is_the_base_and_at_1_as_trained_bit_for_bit(kind: str, folders: dict[str, Path]) -> None:
    classifier = moved(folders["Llama"], **KINDS[kind])
    trained = outputs(classifier)
    with classifier.backbone.original():
        base = outputs(classifier)
    assert not torch.allclose(trained[0], base[0], atol=1e-3)
    adapter = AdapterScale(classifier.backbone)
    seen = {}
    for scale in (0.0, 0.5, 1.0):
        adapter.set(scale)
        seen[scale] = outputs(classifier)
    assert all(map(torch.equal, seen[0.0], base))
    assert all(map(torch.equal, seen[1.0], trained))
    assert not torch.equal(seen[0.5][0], base[0])
    assert not torch.equal(seen[0.5][0], trained[0])


@pytest.mark.parametrize("dora", [False, True])
def test_transposed_layers_too(dora: bool, folders: dict[str, Path]) -> None:
    classifier = moved(folders["GPT2"], lora={**PLAIN, "use_dora": dora})
    with classifier.backbone.original():
        base = outputs(classifier)
    AdapterScale(classifier.backbone).set(0.0)
    assert all(map(torch.equal, outputs(classifier), base))


def test_half_the_scale_is_half_the_update_and_connector_and_new_tokens_stay(folders: dict[str, Path]) -> None:
    classifier = moved(folders["Llama"], **KINDS["lora"])
    before = {name: weight.clone() for name, weight in classifier.named_parameters()}
    adapter = AdapterScale(classifier.backbone)
    adapter.set(0.5)
    for name, weight in classifier.named_parameters():
        assert torch.equal(weight, before[name] * (0.5 if "lora_B" in name else 1.0)), name
    assert adapter.size == sum(weight.numel() for name, weight in before.items() if "lora_" in name)


def test_what_has_no_adapter_apart_from_the_base_is_refused(folders: dict[str, Path]) -> None:
    whole = make(DiscriminativeClassifier, backbone=TinyBackbone(hidden_size=16, num_layers=1))
    with pytest.raises(SettingError, match=r"was trained whole \(backbone\.lora is null\)"):
        AdapterScale(whole.backbone)
    merged = moved(folders["Llama"], lora=PLAIN)
    merged.backbone.merge()
    with pytest.raises(SettingError, match="has its LoRA merged into it"):
        AdapterScale(merged.backbone)
    begun = make(GADClassifier, backbone=CausalLM(str(folders["Llama"]), lora={**PLAIN, "init_lora_weights": "pissa"}))
    with pytest.raises(SettingError, match="'pissa', which moves a part of the frozen weights"):
        AdapterScale(begun.backbone)
    more = moved(folders["Llama"], lora={**PLAIN, "modules_to_save": ["norm"]})
    with pytest.raises(SettingError, match=r"trains .*norm.* too, which is no low-rank update"):
        AdapterScale(more.backbone)


@pytest.mark.parametrize("scale", [-0.1, 4.5, float("nan")])
def test_a_scale_out_of_range_is_refused(scale: float, folders: dict[str, Path]) -> None:
    with pytest.raises(SettingError, match=r"must lie in \[0, 4\], got (-0\.1|4\.5|nan)"):
        AdapterScale(moved(folders["Llama"], lora=PLAIN).backbone).set(scale)
