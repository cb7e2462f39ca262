"""The base of the classifiers: how a subclass is made, what is refused, and what is kept free."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import nn

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError
from gad_lightning.objectives.previous_action_head import PreviousActionHead
from gad_lightning.prompts.contexts.base import AuxiliaryContext, ContextQuery
from gad_lightning.prompts.contexts.next import NextActions
from gad_lightning.types import Batch, Loss
from tests.classifiers.making import batch, make, random_frames, schema


class ModulesFirst(DiscriminativeClassifier):
    """Sets a module and a setting before the constructor of its base."""

    def __init__(self, width: int = 4, **shared: Any) -> None:
        self.calm = nn.Dropout(0.0)
        self.width = width
        super().__init__(**shared)


class ModulesAfter(DiscriminativeClassifier):
    """Sets a module of the language model's size, and reserves a token, after the constructor of its base."""

    def __init__(self, width: int = 4, **shared: Any) -> None:
        super().__init__(**shared)
        self.width = width
        self.extra = nn.Linear(self.backbone.hidden_size, width)
        self.token = self.backbone.vocabulary.new_token("<mine>")

    def losses(self, batch: Batch) -> dict[str, Loss]:
        """One more loss."""
        weight = self.extra.weight.square().sum()
        return {**super().losses(batch), "extra": Loss(weight, torch.ones_like(weight))}


@pytest.mark.parametrize("kind", [ModulesFirst, ModulesAfter])
def test_a_subclass_may_set_modules_before_or_after_the_base_is_made(kind: Any) -> None:
    classifier: Any = make(kind, width=3)
    assert set(dict(classifier.named_children())) >= {"backbone", "heads", "calm" if kind is ModulesFirst else "extra"}
    assert classifier.spec()["init_args"]["width"] == 3
    if kind is ModulesAfter:
        assert "extra.weight" in classifier.trained_state()
        assert classifier.backbone.new_tokens.input.shape[0] == 2
        losses = classifier.losses(batch(random_frames(1, 8), [[3]]))
        assert list(losses) == ["classification", "extra"]
    frames = random_frames(2, 5)
    expected = classifier.eval()(frames)
    for again in (copy.deepcopy(classifier), pickle.loads(pickle.dumps(classifier))):  # noqa: S301 - our own bytes
        assert torch.equal(again(frames), expected)


def plain(size: int, labels: Any) -> Any:
    """A head factory that makes no head of ours."""
    return nn.Linear(size, len(labels.names))


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (GADClassifier, {"head": plain}, r"model.head gave a Linear, which is no gad_lightning.ClassifierHead"),
        (GADClassifier, {"objectives": [PreviousActionHead(head=plain)]}, r"PreviousActionHead.head gave a Linear"),
        (GADClassifier, {"backbone": TinyBackbone(connector=nn.Linear)}, r"backbone.connector gave a Linear"),  # type: ignore[arg-type]  # wrong on purpose
    ],
)
def test_what_a_checkpoint_could_not_describe_is_refused_before_anything_is_trained(
    kind: Any, arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    data = ToyActions(short_memory=4)
    classifier = make(kind, schema=data.schema, **arguments)
    frames = random_frames(1, 4, width=data.schema.features.width)
    assert classifier.eval()(frames).shape == (1, data.schema.num_classes)  # it works without being saved
    trainer = Trainer(max_steps=1, accelerator="cpu", default_root_dir=tmp_path, enable_progress_bar=False)
    with pytest.raises(SettingError, match=message):
        trainer.fit(classifier, data)
    assert trainer.global_step == 0


WRONG: list[tuple[type[Classifier], str, object, str]] = [
    (GADClassifier, "context", "PreviousActions", "context must be an instance of AuxiliaryContext, and is the str"),
    (GADClassifier, "context", object(), "context must be an instance of AuxiliaryContext, and is the object"),
    (GADClassifier, "labels", "x", "labels must be an instance of LabelTokens, and is the str 'x'"),
    (GADClassifier, "slot", "x", "slot must be an instance of Slot, and is the str 'x'"),
    (GADClassifier, "prompt", "what?", "prompt must be an instance of Prompt, and is the str 'what\\?'"),
    (GADClassifier, "backbone", "meta-llama/Llama", "backbone must be an instance of Backbone, and is the str"),
    (GADClassifier, "backbone", nn.Linear(2, 2), "backbone must be an instance of Backbone, and is the Linear"),
    (GADClassifier, "backbone", TinyBackbone, "\\n.*call the class: backbone=TinyBackbone"),
    (GADClassifier, "schema", {"tasks": []}, "schema must be an instance of DataSchema, and is the dict"),
    (GADClassifier, "features", 96, "features must be an instance of FeatureSpec, and is the int 96"),
    (GADClassifier, "head", nn.Linear(16, 4), "model.head must be a factory .* and is the Linear .*\\n.*LinearHead"),
    (GADClassifier, "head", nn.Linear, "model.head must be a factory .* and is the type .*Linear"),
    (GADClassifier, "head", "LinearHead", "model.head must be a factory .* and is the str 'LinearHead'"),
    (GADClassifier, "head", lambda size, labels: 5, "What model.head makes must be .*, and is the int 5"),
    (GADClassifier, "objectives", [lambda x: x], r"objectives\[0\] must be an instance of Objective, and is the func"),
    (GADClassifier, "objectives", PreviousActionHead(), "objectives must be a list, and is the PreviousActionHead"),
    (DiscriminativeClassifier, "objectives", {"a": 1}, "objectives must be a list, and is the dict"),
    (GenerativeClassifier, "labels", "x", "labels must be an instance of LabelTokens, and is the str 'x'"),
    (GenerativeClassifier, "context", "x", "context must be an instance of AuxiliaryContext, and is the str 'x'"),
    (GenerativeClassifier, "readout", "x", "readout must be an instance of Readout, and is the str 'x'"),
]


@pytest.mark.parametrize(("kind", "name", "value", "message"), WRONG)
def test_what_is_no_part_is_refused_by_its_argument(
    kind: type[Classifier], name: str, value: object, message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        make(kind, **{name: value})


class Counts(AuxiliaryContext):
    """Writes more than it states."""

    def context(self, query: ContextQuery) -> list[int | str]:
        return ["stir"] * 40


def test_positions_are_kept_free_for_as_many_actions_as_the_context_may_write() -> None:
    def gad(num_actions: int, **more: Any) -> Any:
        return make(
            GADClassifier,
            schema=schema(short=4),
            backbone=TinyBackbone(hidden_size=16, num_layers=1, max_positions=40),
            context=NextActions(num_actions=num_actions),
            **more,
        )

    with pytest.raises(SettingError, match=r"need 4\d positions; the language model's max_positions is 40"):
        gad(7)
    classifier = gad(6)
    coming = torch.tensor([[[1, 4 + place, 5 + place] for place in range(30)]])  # "add sugar", two tokens each
    given = batch(random_frames(1, 4), [[3]], torch.tensor([1]))._replace(segments=coming)
    tokens = classifier.render(given, classifier.writing.text(given))
    assert 36 <= int(tokens.places.position.max()) < 40


def test_a_text_longer_than_its_context_states_is_refused_where_it_does_not_fit() -> None:
    classifier = make(
        GADClassifier,
        schema=schema(short=4),
        backbone=TinyBackbone(hidden_size=16, num_layers=1, max_positions=64),
        context=Counts(),
    )
    with pytest.raises(SettingError, match="let the context write less"):
        classifier.losses(batch(random_frames(1, 4), [[3]]))
