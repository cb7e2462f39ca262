"""Contrast of slot states and class names: a plain loop, texts that see no frame, and no part in prediction."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.ablations.orders import OrderedGADClassifier
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.errors import SettingError
from gad_lightning.objectives.contrast_text import ContrastText, _text_tokens
from gad_lightning.schema import DataSchema, LabelSet, Task
from gad_lightning.types import IGNORED, Batch
from tests.classifiers.making import NAMES, batch, make, random_frames, schema

LABELS = torch.tensor([1, 3, 0, IGNORED, 3, 0])


def asked() -> Batch:
    """Six queries of two videos, two classes of them twice, one not scored."""
    return batch(random_frames(2, 8), [[1, 3, 7]] * 2, LABELS)


def contrasting(objective: ContrastText | None = None, **more: Any) -> tuple[Any, ContrastText]:
    """A discriminative classifier that has this objective."""
    own = objective or ContrastText()
    return make(DiscriminativeClassifier, objectives=[own], **more), own


def test_it_equals_a_loop_over_queries_and_classes() -> None:
    classifier, objective = contrasting()
    loss = classifier.losses(asked())["contrast"]
    labels = [label for label in LABELS.tolist() if label != IGNORED]
    slots = objective.embed(classifier.scores(asked()).slot_states[LABELS != IGNORED])
    texts, total = objective.embed_words(NAMES, classifier.backbone), 0.0
    for i, label in enumerate(labels):
        chances = [math.exp(float(slots[i] @ text) / 0.07) for text in texts]
        total -= math.log(chances[label] / sum(chances))
        rivals = [math.exp(float(slot @ texts[label]) / 0.07) for slot in slots]
        total -= math.log(rivals[i] / sum(rivals))
    assert float(loss.count) == 5
    assert float(loss.sum.detach()) == pytest.approx(total, rel=1e-3)


def test_several_labels_are_positives_alike() -> None:
    several = DataSchema(
        (Task("action", LabelSet(NAMES, 0, multi_label=True)),), ("tea",), schema().features, schema().windows
    )
    classifier, objective = contrasting(schema=several)
    label = torch.zeros(6, 5)
    label[0, [1, 3]] = 1
    label[1, 2] = 1
    label[5] = IGNORED
    given = asked()._replace(label=label)
    assert objective.positives(given).sum(1).tolist() == [1, 1, 0, 0, 0, 0]
    assert objective.positives(given)[0, [1, 3]].tolist() == [0.5, 0.5]
    assert classifier.losses(given)["contrast"].count == 2


def test_a_text_sees_neither_frames_nor_other_texts() -> None:
    classifier, objective = contrasting()
    every = objective.embed_words(NAMES, classifier.backbone)
    for index, name in enumerate(NAMES):
        alone = objective.embed_words([name], classifier.backbone)
        assert torch.allclose(alone[0], every[index], atol=1e-5), name
    losses = [classifier.losses(asked()._replace(frames=random_frames(2, 8, seed=seed))) for seed in (0, 1)]
    assert losses[0]["contrast"].sum != losses[1]["contrast"].sum
    assert torch.equal(objective.embed_words(NAMES, classifier.backbone), every)


def test_it_trains_states_texts_projections_and_temperature() -> None:
    classifier, objective = contrasting()
    classifier.losses(asked())["contrast"].sum.backward()
    for weight in (objective.slot_projection.weight, objective.text_projection.weight, objective.log_scale):
        assert weight.grad is not None
        assert weight.grad.abs().sum() > 0
    reached = classifier.backbone.new_tokens.input.grad.abs().sum(1) > 0
    assert reached.tolist() == [True, True]  # the slot and the vector after a text


def test_prediction_is_that_of_the_classifier_without_it() -> None:
    classifier, _ = contrasting()
    plain = make(DiscriminativeClassifier)
    state = {
        name: weight[:1] if "new_tokens.input" in name else weight
        for name, weight in classifier.state_dict().items()
        if not name.startswith("objectives")
    }
    plain.load_state_dict(state)
    frames = random_frames(2, 8)
    assert torch.allclose(classifier.eval()(frames), plain.eval()(frames), atol=1e-6)


def test_with_the_answer_beside_the_slot_it_is_the_recipe_of_coca() -> None:
    classifier = make(OrderedGADClassifier, order="parallel", generation_weight=2.0, objectives=[ContrastText()])
    assert set(classifier.losses(asked())) == {"classification", "generation", "contrast"}


def test_it_is_finite_in_half_precision_and_where_nothing_is_compared() -> None:
    classifier, _ = contrasting()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.isfinite(classifier.losses(asked())["contrast"].sum)
    none = classifier.losses(asked()._replace(label=torch.full((6,), IGNORED)))["contrast"]
    assert float(none.sum) == float(none.count) == 0
    none.sum.backward()


def test_a_checkpoint_has_its_weights_and_settings() -> None:
    classifier, objective = contrasting(ContrastText(16, 0.1, 0.5, 0.25))
    checkpoint: dict[str, Any] = {}
    classifier.on_save_checkpoint(checkpoint)
    again: Any = Classifier.made_again(checkpoint, "here", "cpu", ("gad_lightning",))
    assert again.objectives[0].spec() == objective.spec()
    for name, weight in classifier.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
    words = objective.embed_words(["stir sugar slowly"], classifier.backbone)
    assert torch.allclose(again.objectives[0].embed_words(["stir sugar slowly"], again.backbone), words, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, r"temperature must be at least 0\.01, got 0\.0"),
        ({"fraction": 2.0}, "fraction is a part"),
    ],
)
def test_settings_that_mean_nothing_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        ContrastText(**arguments)  # type: ignore[arg-type]  # one of two numbers


def test_texts_that_the_tokenizer_takes_for_one_are_refused() -> None:
    backbone = TinyBackbone(hidden_size=16, num_layers=1)
    backbone.prepare(schema(), NAMES)
    with pytest.raises(SettingError, match="'juggle' and 'fence' have the same tokens"):
        _text_tokens(["juggle", "fence"], backbone.vocabulary, 0)
