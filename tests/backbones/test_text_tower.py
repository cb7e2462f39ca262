"""Vectors of texts by the language model or a sentence encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from gad_lightning.backbones.base import Backbone
from gad_lightning.backbones.text_tower import embed_texts
from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.errors import MissingDataError, SettingError
from gad_lightning.schema import DataSchema, LabelSet, Task

SCHEMA = DataSchema((Task("action", LabelSet(("background", "stir tea"), 0)),))


def backbone_with(lora: dict[str, object] | None) -> TinyBackbone:
    """Built as a classifier does it."""
    backbone = TinyBackbone(hidden_size=16, num_layers=1, num_heads=2, lora=lora)
    backbone.prepare(SCHEMA, ["stir", "tea"])
    return backbone


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A sentence encoder of random weights."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "stir", "tea"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(tmp_path)
    return tmp_path


def test_the_adapter_is_off_however_much_it_was_trained() -> None:
    backbone = backbone_with({"r": 2})
    before = embed_texts(backbone, ["stir tea"], None)
    backbone.build()
    for weight in backbone.trained_state().values():
        torch.nn.init.normal_(weight)
    assert torch.allclose(embed_texts(backbone, ["stir tea"], None), before, atol=1e-6)
    assert backbone.model.training, "the model is left as it was"


def test_a_model_that_was_trained_whole_has_no_original_any_more() -> None:
    backbone = backbone_with(None)
    backbone.build()
    with pytest.raises(SettingError, match="was trained whole: the original is gone"):
        embed_texts(backbone, ["stir tea"], None)


def test_a_backbone_without_texts_says_so() -> None:
    class Silent(TinyBackbone):
        """Knows no texts."""

        def text_states(self, texts: Sequence[str]) -> torch.Tensor:
            """Refuse."""
            return Backbone.text_states(self, texts)

    with pytest.raises(SettingError, match="Silent gives no vectors of texts"):
        embed_texts(Silent(), ["stir"], None)


def test_padding_changes_no_vector_of_a_sentence_encoder(encoder: Path) -> None:
    both = embed_texts(TinyBackbone(), ["stir", "stir tea stir tea"], str(encoder))
    alone = embed_texts(TinyBackbone(), ["stir"], str(encoder))
    assert both.shape == (2, 8)
    assert torch.allclose(both[:1], alone, atol=1e-6)


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingDataError, match=r"no folder \./nowhere"):
        embed_texts(TinyBackbone(), ["stir"], "./nowhere")


def test_a_folder_without_an_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"tower of TextHead: .* cannot be used as a sentence encoder"):
        embed_texts(TinyBackbone(), ["stir"], str(tmp_path))
