"""One flipped bit, in a weight or a setting, is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import CheckpointError
from tests.backbones.folders import llama_folder
from tests.classifiers.making import make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a saved classifier."""
    base = llama_folder(tmp_path / "base")
    gad = make(GADClassifier, backbone=CausalLM(str(base), lora={"r": 4, "lora_alpha": 8}))
    return gad.save_pretrained(tmp_path / "saved")


@pytest.mark.parametrize("name", ["classifier.safetensors", "adapter_model.safetensors"])
def test_a_bit_in_a_weight_of_a_folder_is_found(name: str, folder: Path) -> None:
    GADClassifier.from_pretrained(folder)
    path = folder / name
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 0x01
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"saved is not as it was saved: its digest differs"):
        GADClassifier.from_pretrained(folder)


def test_a_changed_setting_of_a_folder_is_found(folder: Path) -> None:
    path = folder / "gad_lightning.json"
    path.write_text(path.read_text().replace('"lora_alpha": 8', '"lora_alpha": 9'))
    with pytest.raises(CheckpointError, match="digest differs"):
        make(GADClassifier, backbone=CausalLM(str(folder.parent / "base"), lora={"r": 4})).init_from(folder)


def test_weights_of_one_classifier_under_the_description_of_another_are_found(folder: Path) -> None:
    other = make(GADClassifier, seed=5, backbone=CausalLM(str(folder.parent / "base"), lora={"r": 4, "lora_alpha": 8}))
    other.save_pretrained(folder.parent / "other")
    (folder.parent / "other" / "classifier.safetensors").replace(folder / "classifier.safetensors")
    with pytest.raises(CheckpointError, match="digest differs"):
        GADClassifier.from_pretrained(folder)


def test_a_bit_in_a_weight_of_a_checkpoint_is_found_though_the_archive_is_whole() -> None:
    gad = make(GADClassifier)
    checkpoint: dict[str, object] = {}
    gad.on_save_checkpoint(checkpoint)
    state = {name: weight.clone() for name, weight in checkpoint["state_dict"].items()}
    make(GADClassifier).on_load_checkpoint({**checkpoint, "state_dict": state})
    next(iter(state.values())).view(torch.int32).flatten()[0] ^= 1
    with pytest.raises(CheckpointError, match="The checkpoint is not as it was saved"):
        make(GADClassifier).on_load_checkpoint({**checkpoint, "state_dict": state})


def test_a_folder_of_an_earlier_version_without_digest_is_read(folder: Path) -> None:
    path = folder / "gad_lightning.json"
    about = json.loads(path.read_text())
    about.pop("digest")
    path.write_text(json.dumps(about))
    assert isinstance(GADClassifier.from_pretrained(folder), GADClassifier)
