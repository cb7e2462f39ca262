"""What a language model must be able to do is tried at load: real classes, some of which cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.probe import try_out
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.streaming.detector import OnlineDetector
from tests.backbones.folders import family_folder, family_model
from tests.classifiers.making import make, random_frames, schema

DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
WORKING: dict[str, dict[str, Any]] = {
    "GPT2": {},
    "GPTNeoX": {},
    "OPT": {"word_embed_proj_dim": 16, "ffn_dim": 64, "do_layer_norm_before": False},
    "Gemma2": {"sliding_window": 256, "attn_logit_softcapping": 0.2},
    "GptOss": {"num_local_experts": 4, "sliding_window": 256},
    "Phimoe": {"num_local_experts": 4},
    "Llama4": {"attention_chunk_size": 128, "num_local_experts": 2, "intermediate_size_mlp": 64},
}
RECURRENT: dict[str, tuple[dict[str, Any], str]] = {
    "Qwen3_5": (DELTA, "linear_attention"),
    "Qwen3Next": (DELTA, "linear_attention"),
    "Lfm2": ({"layer_types": ["conv", "full_attention"]}, "conv"),
    "RecurrentGemma": ({"lru_width": 32}, "linear_attention"),
}


@pytest.mark.parametrize("family", WORKING)
def test_decoders_of_other_names_and_attention_read_live_as_in_one_pass(family: str, tmp_path: Path) -> None:
    backbone = CausalLM(str(family_folder(tmp_path, family, **WORKING[family])), lora={"r": 4, "lora_alpha": 8})
    gad = make(GADClassifier, backbone=backbone, schema=schema(mode="one_pass", short=8, chunk=16)).eval()
    video = random_frames(1, 12)[0]
    offline, detector = gad.detect(video).scores, OnlineDetector(gad)
    live = torch.cat([detector.push(frame[None]).scores for frame in video])
    assert torch.allclose(live, offline, atol=1e-5)
    gad.backbone.merge()
    assert torch.allclose(gad.detect(video).scores, offline, atol=1e-4)


@pytest.mark.parametrize("family", RECURRENT)
def test_layers_that_know_no_mask_are_refused_before_weights_are_read(family: str, tmp_path: Path) -> None:
    settings, kind = RECURRENT[family]
    folder = family_folder(tmp_path, family, **settings)
    (folder / "model.safetensors").write_bytes(b"never read")
    with pytest.raises(SettingError, match=f"layers of the type {kind}"):
        make(GADClassifier, backbone=CausalLM(str(folder)))


@pytest.mark.parametrize(
    ("family", "settings", "layer"),
    [
        ("Qwen3_5", DELTA, "Qwen3_5GatedDeltaNet"),
        ("Lfm2", {"layer_types": ["full_attention", "conv"]}, "Lfm2ShortConv"),
        ("RecurrentGemma", {"lru_width": 32}, "RecurrentGemma"),
        ("Rwkv", {}, "RwkvSelfAttention"),
        ("GPTNeo", {"attention_types": [[["global"], 2]]}, "GPTNeoAttention"),
    ],
)
def test_layers_that_show_the_future_are_found_by_trial_and_named(
    family: str, settings: dict[str, Any], layer: str
) -> None:
    with pytest.raises(SettingError, match=rf"The {layer}\w* layers .* later frames change a slot's state"):
        try_out(family_model(family, **settings)[0], range(4, 12))


def test_models_that_need_more_than_vectors_are_refused(tmp_path: Path) -> None:
    model, _ = family_model("Gemma4", sliding_window=256)
    with pytest.raises(SettingError, match="cannot be fed vectors"):
        try_out(model, range(4, 12))


def test_the_trial_moves_no_random_state_and_leaves_the_mode() -> None:
    model, _ = family_model("Llama", attention_dropout=0.3)
    model.train()
    before = torch.get_rng_state()
    tail = try_out(model, range(4, 12))
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    assert tail == ((), 1.0, None)
