"""The tokenizer of the tiny backbone writes every class name that it was made of."""

from __future__ import annotations

from typing import Any

import pytest

from gad_lightning.backbones.tiny import TinyBackbone, word_tokenizer
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.schema import FeatureSpec


@pytest.mark.parametrize(
    "names",
    [
        ["background", "add sugar", "don't stir (yet)"],
        ["背景", "加糖", "加盐"],
        ["पृष्ठभूमि", "चीनी डालें", "हिलाएँ"],
        ["พื้นหลัง", "ใส่น้ำตาล", "คน"],
        ["רֶקַע", "סֻכָּר", "מֶלַח"],
        ["background", "ru\u0308hren", "naïve"],
        ["خَلْفِيَّة", "سُكَّر", "مِلْح"],
        ["🧂 salt", "👩‍🍳 cook", "x²", "a_b"],
    ],
    ids=["latin", "chinese", "hindi", "thai", "hebrew", "decomposed", "arabic", "signs"],
)
def test_names_of_every_script_have_tokens_of_their_own(names: list[str]) -> None:
    backbone = TinyBackbone(hidden_size=32, num_layers=1)
    gad: Any = GADClassifier(backbone=backbone, class_names=names, features=FeatureSpec("mine", 4.0, 6))
    written = gad.writing.writer().label_ids[0]
    assert all(0 not in ids for ids in written)
    for name, ids in zip(names, written, strict=True):
        assert gad.backbone.vocabulary.decode(ids).replace(" ", "") == name.replace(" ", "")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden_size": 0}, "TinyBackbone.hidden_size is 0"),
        ({"hidden_size": -1}, "TinyBackbone.hidden_size is -1"),
        ({"hidden_size": 1.5}, "TinyBackbone.hidden_size is 1.5"),
        ({"num_layers": "2"}, "TinyBackbone.num_layers is '2'"),
        ({"num_layers": True}, "TinyBackbone.num_layers is True"),
        ({"num_heads": None}, "TinyBackbone.num_heads is None"),
        ({"max_positions": 0}, "TinyBackbone.max_positions is 0"),
        ({"hidden_size": 16, "num_heads": 3}, r"hidden_size is 16, which is no multiple of 2 \* num_heads = 6"),
    ],
)
def test_sizes_that_no_model_has_are_refused(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        TinyBackbone(**sizes)


@pytest.mark.parametrize("num_heads", [1, 3, 4, 5])
def test_any_number_of_heads_makes_a_model(num_heads: int) -> None:
    model, _ = TinyBackbone(hidden_size=4 * num_heads, num_layers=1, num_heads=num_heads).load(["stir"])
    assert model.config.num_attention_heads == num_heads


def test_a_word_that_comes_later_is_unknown() -> None:
    tokenizer = word_tokenizer(["add sugar"])
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("add pepper")) == ["add", "<unk>"]
