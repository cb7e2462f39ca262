"""The mean of a language model's states over a text."""

from __future__ import annotations

import pytest
import torch

from gad_lightning.backbones.decoder import decoder_of
from gad_lightning.backbones.text_states import TOGETHER, mean_states
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.errors import SettingError
from gad_lightning.schema import DataSchema, LabelSet, Task

SCHEMA = DataSchema((Task("action", LabelSet(("background", "stir tea"), 0)),))


def loaded() -> TinyBackbone:
    """A backbone whose model is as it came."""
    backbone = TinyBackbone(hidden_size=16, num_layers=1, num_heads=2, lora={"r": 2})
    backbone.prepare(SCHEMA, ["stir", "tea", "stir tea slowly"])
    return backbone


def test_it_is_the_mean_over_the_tokens_of_the_text_alone() -> None:
    backbone = loaded()
    model = backbone.causal_lm.eval()
    ids = torch.tensor([[backbone.vocabulary.begin, *backbone.vocabulary.encode("stir tea")]])
    states = decoder_of(model)(inputs_embeds=model.get_input_embeddings()(ids)).last_hidden_state[0]
    assert torch.allclose(mean_states(model, ["stir tea"], backbone.vocabulary)[0], states[1:].mean(0), atol=1e-6)


def test_texts_beside_it_change_no_text() -> None:
    backbone = loaded()
    texts = ["tea", "stir tea slowly"] * TOGETHER
    together = mean_states(backbone.causal_lm.eval(), texts, backbone.vocabulary)
    alone = torch.cat([mean_states(backbone.causal_lm, [text], backbone.vocabulary) for text in texts[:2]])
    assert len(together) == len(texts)
    assert torch.allclose(together, alone.repeat(TOGETHER, 1), atol=1e-6)


def test_a_text_without_a_token_is_named() -> None:
    with pytest.raises(SettingError, match="no token of the text ' '"):
        mean_states(loaded().causal_lm, ["stir", " "], loaded().vocabulary)
