"""What a model does between its states and its logits, against the model's own logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.backbones.causal_lm import CausalLM
from gad_lightning.backbones.decoder import Tail
from gad_lightning.backbones.probe import try_out
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from tests.backbones.folders import family_folder, family_model
from tests.classifiers.making import make, schema

TAILS: dict[str, tuple[str, dict[str, Any], Tail]] = {
    "none": ("Llama", {}, Tail()),
    "divided": ("Granite", {"logits_scaling": 3.0}, Tail(scale=1 / 3)),
    "multiplied": ("Cohere", {"logit_scale": 0.0625}, Tail(scale=0.0625)),
    "capped": ("Gemma2", {"sliding_window": 256, "final_logit_softcapping": 1.0}, Tail(cap=1.0)),
    "a layer before": ("ModernBertDecoder", {}, Tail(before=("lm_head",))),
}


@pytest.mark.parametrize("kind", TAILS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_token_logits_are_the_models_own(kind: str, dtype: Any, tmp_path: Path) -> None:
    import transformers

    family, settings, tail = TAILS[kind]
    folder = str(family_folder(tmp_path, family, initializer_range=0.3, **settings))
    gad = make(GADClassifier, backbone=CausalLM(folder, lora={"r": 4}, dtype=dtype), schema=schema(short=8)).eval()
    own = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    ids = torch.tensor([[4, 5, 6, 7, 8]])
    with torch.no_grad():
        wanted = own(ids).logits[0]
        states = gad.backbone.decoder(input_ids=ids, use_cache=False).last_hidden_state[0]
        every, some = gad.backbone.token_logits(states), gad.backbone.token_logits(states, torch.tensor([9, 3]))
    tolerance = 1e-4 if dtype == "float32" else 0.1
    assert torch.allclose(every[:, : wanted.shape[1]], wanted, atol=tolerance * float(wanted.abs().max()))
    assert torch.allclose(some, every[:, [9, 3]], atol=tolerance)
    found = gad.backbone.tail
    assert (found.before, found.cap) == (tail.before, tail.cap)
    assert found.scale == pytest.approx(tail.scale)


def test_new_tokens_are_scaled_and_capped_too_and_unwritten_ones_stay_impossible() -> None:
    tail = Tail(scale=0.5, cap=2.0)
    found = tail.finish(torch.tensor([0.0, 100.0, -torch.inf]))
    assert found.tolist() == [0.0, 2.0, -torch.inf]


def test_a_tail_that_is_not_known_is_refused() -> None:
    model, _ = family_model("Llama", hidden_act="gelu")
    own = type(model).forward

    def forward(self: Any, *given: Any, **named: Any) -> Any:
        output = own(self, *given, **named)
        output.logits = output.logits.sin() * 3
        return output

    model.forward = forward.__get__(model)
    with pytest.raises(SettingError, match="between its last layer and its logits"):
        try_out(model, range(4, 12))
