"""Tasks that differ in classes or words, in one classifier."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.prompts.contexts.previous import PreviousActions
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from tests.classifiers.making import NAMES, WIDTH, batch, make, random_frames

DISHES = LabelSet(("tea", "soup"))
BOTH = DataSchema((Task("action", LabelSet(NAMES, 0)), Task("dish", DISHES)), ("tea",), FeatureSpec("test", 4.0, WIDTH))
APART: dict[str, Any] = {"question": {"action": "What is done?", "dish": "What is cooked?"}}


def test_queries_of_one_stretch_that_ask_in_other_words_are_refused() -> None:
    asked = batch(random_frames(2, 8), [[7, 7], [7]])
    mixed, sorted_out = torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1])
    disc = make(DiscriminativeClassifier, schema=BOTH, prompt=Prompt(**APART)).eval()
    with pytest.raises(SettingError, match="ask about one stretch of video, each in other words"):
        disc.scores(asked._replace(task=mixed))
    assert disc.scores(asked._replace(task=sorted_out)).scores.shape == (3, 5)
    alike = make(DiscriminativeClassifier, schema=BOTH).eval()
    assert alike.scores(asked._replace(task=mixed)).scores.shape == (3, 5)


def test_a_context_names_actions_of_the_first_task_whatever_is_asked() -> None:
    gen = make(GenerativeClassifier, schema=BOTH, context=PreviousActions())
    asked = batch(random_frames(1, 8), [[7]], labels=torch.tensor([1]))._replace(task=torch.tensor([1]))
    (answer,) = gen.writer.answers(asked, torch.tensor([True]))
    assert gen.backbone.vocabulary.decode(answer.ids).split() == ["soup,", "stir", "sugar"]
