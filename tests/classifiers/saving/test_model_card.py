"""The card of a shared classifier."""

from __future__ import annotations

import torch

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.saving.model_card import CardFacts, class_results, model_card
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from gad_lightning.types import Predictions
from tests.classifiers.making import make

NASTY = "a|b\n## Owned <img src=x onerror=alert(1)> [x](javascript:y) `"


def test_names_of_classes_and_encoders_are_only_text() -> None:
    schema = DataSchema((Task("action", LabelSet(("background", NASTY), 0)),), features=FeatureSpec(encoder=NASTY))
    classifier = make(DiscriminativeClassifier, schema=schema)
    card = model_card(classifier, CardFacts(results={NASTY: {"F1|": 0.5}}))
    assert "\n## Owned" not in card
    assert "<img" not in card.replace(f"`{NASTY}`", "").split("## Classes")[1]
    rows = [line for line in card.splitlines() if line.startswith("| a")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count("|") == 3


def test_results_of_each_class() -> None:
    none, score = torch.zeros(3, dtype=torch.int64), torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    rows = Predictions(none, none, none, none, torch.tensor([0, 0, -100]), score, score, score)
    assert class_results(rows, LabelSet(("background", "stir")))["background"]["recall"] == 0.5
