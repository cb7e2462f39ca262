"""New pairs of known verbs and objects without training; everything else stays as it was, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.errors import SettingError
from gad_lightning.heads.factor import FactorHead
from gad_lightning.schema import Mode
from tests.classifiers.making import NAMES, make, schema
from tests.classifiers.open_world.test_added_classes import WAYS, texted, window_logits


def factored(mode: Mode = "window") -> Classifier:
    """A tiny classifier of verbs and objects."""
    backbone = TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 2})
    windows = schema(mode=mode, short=4, chunk=5)
    return make(GADClassifier, schema=windows, backbone=backbone, head=FactorHead).eval()


@pytest.mark.parametrize(("mode", "logits_of"), WAYS)
def test_a_new_pair_of_known_factors_leaves_every_other_logit_as_it_was(mode: Mode, logits_of: Any) -> None:
    classifier = factored(mode)
    before = logits_of(classifier)
    classifier.add_classes(factors={"stir salt": ("stir", "salt")})
    once = logits_of(classifier)
    classifier.add_classes(factors={"add": ("add", "")})
    twice = logits_of(classifier)
    assert torch.equal(once[:, : len(NAMES)], before)
    assert torch.equal(twice[:, : len(NAMES) + 1], once)
    assert twice.shape[1] == len(NAMES) + 2


def test_a_new_pair_has_the_logit_of_its_verb_and_its_object(tmp_path: Path) -> None:
    classifier = factored()
    classifier.add_classes(factors={"stir salt": ("stir", "salt")})
    logits = window_logits(classifier)
    of = {name: logits[:, index] for index, name in enumerate(classifier.schema.tasks[0].labels.names)}
    expected = of["stir sugar"] + of["add salt"] - of["add sugar"]
    assert torch.allclose(of["stir salt"], expected, atol=1e-5)
    again = Classifier.from_pretrained(classifier.save_pretrained(tmp_path))
    assert torch.equal(window_logits(again), logits)
    again.add_classes(factors={"add": ("add", "")})
    assert torch.equal(window_logits(again)[:, :-1], logits)
    with pytest.raises(SettingError, match="Classes were added without training: stir salt, add"):
        again.check_trainable()


def test_the_constant_for_added_classes_moves_the_new_pairs_alone(tmp_path: Path) -> None:
    classifier = factored()
    classifier.add_classes(factors={"stir salt": ("stir", "salt")})
    before, head = window_logits(classifier), classifier.heads_made[0]
    assert isinstance(head, FactorHead)
    head.offset.fill_(2.0)
    again = Classifier.from_pretrained(classifier.save_pretrained(tmp_path))
    assert torch.equal(window_logits(again)[:, :-1], before[:, :-1])
    assert torch.allclose(window_logits(again)[:, -1], before[:, -1] + 2.0, atol=1e-5)


BAD_PAIRS: list[Any] = [
    pytest.param({"cut salt": ("cut", "salt")}, "verb 'cut' of the class 'cut salt' is none that", id="verb"),
    pytest.param({"stir tea": ("stir", "tea")}, "object 'tea' of the class 'stir tea' is none that", id="object"),
    pytest.param(
        {"salt it": ("add", "salt")}, "has the verb 'add' and the object 'salt', as 'add salt' has", id="pair"
    ),
    pytest.param(
        {"a": ("stir", "salt"), "b": ("stir", "salt")},
        "'b' has the verb 'stir' and the object 'salt', as 'a'",
        id="two",
    ),
    pytest.param({"stir": ("stir", "salt")}, "The class 'stir' is there already", id="known"),
    pytest.param({"stir salt": ("stir",)}, "not a verb and an object", id="half a pair"),
    pytest.param({}, "There is no class to add", id="nothing"),
]


@pytest.mark.parametrize(("pairs", "named"), BAD_PAIRS)
def test_a_pair_that_cannot_be_added_is_named_and_changes_nothing(pairs: Any, named: str) -> None:
    classifier = factored()
    before = window_logits(classifier)
    with pytest.raises(SettingError, match=named) as caught:
        classifier.add_classes(factors=pairs)
    assert caught.value.remedy
    assert torch.equal(window_logits(classifier), before)
    assert classifier.schema.tasks[0].labels.names == NAMES


def test_heads_of_texts_and_of_factors_are_not_confused() -> None:
    with pytest.raises(SettingError, match="A FactorHead knows classes by verb and object"):
        factored().add_classes({"stir salt": "stirs salt"})
    with pytest.raises(SettingError, match="A TextHead knows classes by texts"):
        texted().add_classes(factors={"stir salt": ("stir", "salt")})
