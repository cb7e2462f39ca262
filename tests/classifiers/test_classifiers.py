"""What the three classifiers promise alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import Callback

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.classifiers.generative import GenerativeClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.errors import SettingError
from gad_lightning.prompts.prompt import Prompt
from gad_lightning.types import IGNORED
from tests.classifiers.making import NAMES, WIDTH, batch, make, random_frames, schema

KINDS = pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier, GenerativeClassifier])


@KINDS
def test_batch_order_batch_size_and_padding_never_change_a_score(kind: type[Classifier]) -> None:
    classifier = make(kind).eval()
    frames = random_frames(4, 9)
    counts = torch.tensor([9, 3, 1, 6])
    together = classifier(frames, counts).exp()
    order = torch.tensor([2, 0, 3, 1])
    assert torch.allclose(classifier(frames[order], counts[order]).exp(), together[order], atol=1e-5)
    for row, count in enumerate(counts.tolist()):
        assert torch.allclose(classifier(frames[row : row + 1, :count]).exp(), together[row : row + 1], atol=1e-5)


@KINDS
def test_ignored_queries_leave_the_loss(kind: type[Classifier]) -> None:
    classifier = make(kind)
    frames, labels = random_frames(1, 8), torch.tensor([2, IGNORED, 3])
    some = classifier.losses(batch(frames, [[1, 4, 7]], labels))
    kept = classifier.losses(batch(frames, [[1, 7]], labels[[0, 2]]))
    for name in kept:
        assert some[name].count == kept[name].count == 2
        assert torch.allclose(some[name].sum, kept[name].sum, rtol=1e-4)


@KINDS
def test_each_classifier_learns_what_frames_show(kind: type[Classifier]) -> None:
    classifier = make(kind)
    directions = torch.randn(len(NAMES), WIDTH, generator=torch.Generator().manual_seed(3)) * 2
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=3e-3)
    labels = torch.arange(len(NAMES)).repeat(4)
    frames = directions[labels][:, None, None] + 0.3 * random_frames(len(labels), 4)
    asked = [[3]] * len(labels)
    for _ in range(60):
        losses = classifier.losses(batch(frames, asked, labels))
        optimizer.zero_grad()
        torch.stack([loss.sum / loss.count for loss in losses.values()]).sum().backward()
        optimizer.step()
    assert (classifier.eval()(frames).argmax(1) == labels).float().mean() > 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schema": None}, "either a schema or class_names"),
        ({"class_names": list(NAMES)}, "either a schema or class_names"),
        ({"background_weight": -1.0}, "background_weight must be at least 0, got -1"),
        ({"schema": schema(mode="one_pass", short=8, chunk=4000)}, "max_positions is 2048"),
        ({"prompt": Prompt(question={"other": "?"})}, "no question for the task 'action'"),
    ],
)
def test_settings_that_cannot_work_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        make(GADClassifier, **arguments)


def test_frames_of_another_width_are_refused_with_both_widths() -> None:
    with pytest.raises(SettingError, match=r"\(N, D\) = \(1, 9\); this classifier was made for \(1, 6\)"):
        make(GADClassifier)(torch.zeros(1, 3, 9))


def test_a_prompt_can_be_given_to_several_classifiers_and_a_backbone_to_one() -> None:
    prompt = Prompt()
    gen = make(GenerativeClassifier, prompt=prompt).eval()
    asked = batch(random_frames(2, 5), [[4], [4]])
    before = gen.scores(asked).scores
    disc = make(DiscriminativeClassifier, prompt=prompt)
    assert torch.equal(gen.scores(asked).scores, before)
    with pytest.raises(SettingError, match="part of another classifier"):
        make(GADClassifier, backbone=disc.backbone)


def test_a_validation_that_is_broken_off_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    data = ToyActions(eval_batch_size=8)
    disc = make(DiscriminativeClassifier, schema=data.schema)
    settings = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "default_root_dir": tmp_path}
    (expected,) = Trainer(**settings).validate(disc, datamodule=data, verbose=False)

    class Fails(Callback):
        def on_validation_batch_end(self, *told: Any) -> None:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        Trainer(**settings, callbacks=[Fails()]).validate(disc, datamodule=data, verbose=False)
    torch.nn.init.normal_(disc.heads[0].project.weight)
    Trainer(**settings).validate(disc, datamodule=data, verbose=False)
    disc = make(DiscriminativeClassifier, schema=data.schema)
    assert Trainer(**settings).validate(disc, datamodule=data, verbose=False) == [expected]


def test_a_classifier_made_for_prediction_is_trained_as_one_and_a_merged_one_is_not(tmp_path: Path) -> None:
    data = ToyActions(batch_size=4)
    backbone = TinyBackbone(hidden_size=32, num_layers=1, lora={"r": 2})
    disc = make(DiscriminativeClassifier, schema=data.schema, backbone=backbone).eval()
    settings = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "default_root_dir": tmp_path}
    Trainer(**settings, max_steps=1, enable_checkpointing=False, limit_val_batches=0).fit(disc, datamodule=data)
    assert all(module.training for module in disc.backbone.modules())
    disc.backbone.merge()
    with pytest.raises(SettingError, match="train before merging"):
        Trainer(**settings, max_steps=1, enable_checkpointing=False).fit(disc, datamodule=data)
