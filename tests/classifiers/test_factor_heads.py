"""A classifier of verbs and objects trains, is saved, streams, is exported and begins from another by their names."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from lightning import Trainer

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.data.toy import ToyActions
from gad_lightning.heads.factor import FactorHead
from gad_lightning.heads.linear import LinearHead
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Mode, Task, Windows
from gad_lightning.streaming.detector import OnlineDetector
from gad_lightning.tools.export import export_classifier
from tests.classifiers.making import WIDTH, make, random_frames, schema, train


def head_of(classifier: Classifier, number: int = 0) -> FactorHead:
    """A head of it."""
    head = classifier.heads_made[number]
    assert isinstance(head, FactorHead)
    return head


def of_classes(*sets: tuple[str, ...]) -> DataSchema:
    """A task for each set of classes; the goal has all words, so that every vocabulary is the same."""
    tasks = tuple(
        Task(f"task {number}", LabelSet(names, 0 if "background" in names else None))
        for number, names in enumerate(sets)
    )
    return DataSchema(tasks, ("cut peel wash apple pear",), FeatureSpec("test", 4.0, WIDTH), Windows(short=4))


@pytest.mark.parametrize("mode", ["window", "one_pass"])
@pytest.mark.parametrize("kind", [DiscriminativeClassifier, GADClassifier])
def test_live_scores_are_the_offline_ones(mode: Mode, kind: type[Classifier]) -> None:
    classifier = make(kind, head=FactorHead, schema=schema(mode=mode, short=3, chunk=4))
    train(classifier, 2)
    frames = random_frames(1, 7)
    live = OnlineDetector(classifier.eval())
    scores = torch.cat([live.push(frame).scores for frame in frames[0]])
    assert torch.allclose(scores, classifier.detect(frames[0]).scores, atol=1e-5)


def test_it_is_saved_and_loaded_with_what_was_seen(tmp_path: Path) -> None:
    classifier = make(GADClassifier, head=FactorHead)
    train(classifier, 2)
    again = Classifier.from_pretrained(classifier.eval().save_pretrained(tmp_path))
    frames = random_frames(2, 4)
    assert torch.equal(again(frames), classifier(frames))
    assert bool(head_of(again).seen.any())
    assert float(head_of(again).interaction.detach().abs().max()) > 0


@pytest.mark.slow
def test_an_exported_file_gives_the_same_scores(tmp_path: Path) -> None:
    classifier = make(DiscriminativeClassifier, head=FactorHead, schema=schema(short=4)).eval()
    classifier.add_classes(factors={"salt stirred": ("stir", "salt")})
    assert export_classifier(classifier, tmp_path / "a.pt2") < 1e-5


def test_a_run_says_what_verbs_and_objects_it_found(caplog: pytest.LogCaptureFixture) -> None:
    data = ToyActions(num_videos=4, mode="one_pass")
    classifier = DiscriminativeClassifier(
        schema=data.schema, head=FactorHead, backbone=TinyBackbone(hidden_size=32, num_layers=1)
    )
    trainer = Trainer(
        max_steps=2, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu"
    )
    with caplog.at_level(logging.INFO, logger="lightning.pytorch"):
        trainer.fit(classifier, data)
    assert "FactorHead: " in caplog.text
    assert "in the names of" in caplog.text
    logged = {name for name in trainer.logged_metrics if name.startswith("train/")}
    assert {"train/factors", "train/interaction", "train/classification"} <= logged


def test_each_head_of_several_has_its_own_verbs_and_objects(tmp_path: Path) -> None:
    made = of_classes(("background", "cut apple", "cut pear"), ("take knife", "put knife", "put board"))
    classifier = make(DiscriminativeClassifier, head=FactorHead, schema=made).eval()
    assert head_of(classifier, 0).object_names == ("\nbackground", "apple", "pear")
    assert head_of(classifier, 1).verb_names == ("take", "put")
    again = Classifier.from_pretrained(classifier.save_pretrained(tmp_path))
    frames = random_frames(2, 4)
    assert torch.equal(again(frames, task=1), classifier(frames, task=1))


def test_verbs_and_objects_are_taken_over_by_name(tmp_path: Path) -> None:
    lora = {"r": 2}
    old = make(
        DiscriminativeClassifier,
        backbone=TinyBackbone(hidden_size=32, lora=lora),
        head=FactorHead,
        schema=of_classes(("background", "cut apple", "cut pear", "peel pear")),
    )
    theirs = head_of(old)
    theirs.interaction.data.copy_(torch.arange(4.0))
    theirs.seen.data.copy_(torch.tensor([1.0, 1.0, 0.0, 1.0]))
    old.save_pretrained(tmp_path)
    new = make(
        DiscriminativeClassifier,
        seed=3,
        backbone=TinyBackbone(hidden_size=32, lora=lora),
        head=FactorHead,
        schema=of_classes(("background", "peel pear", "peel apple", "wash pear", "cut pear")),
    )
    mine = head_of(new)
    fresh = mine.verbs.weight.detach().clone()
    taken = new.init_from(tmp_path)
    assert not taken.fresh
    for layer, other, names, others in (
        (mine.verbs, theirs.verbs, mine.verb_names, theirs.verb_names),
        (mine.objects, theirs.objects, mine.object_names, theirs.object_names),
    ):
        for row, name in enumerate(names):
            if name in others:
                assert torch.equal(layer.weight[row], other.weight[others.index(name)])
                assert torch.equal(layer.bias[row], other.bias[others.index(name)])
    wash = mine.verb_names.index("wash")
    assert torch.equal(mine.verbs.weight[wash], fresh[wash])
    assert mine.interaction.tolist() == [0.0, 3.0, 0.0, 0.0, 2.0]
    assert mine.seen.tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]


def test_another_kind_of_head_gives_it_nothing(tmp_path: Path) -> None:
    make(DiscriminativeClassifier, head=LinearHead).save_pretrained(tmp_path)
    taken = make(DiscriminativeClassifier, head=FactorHead, seed=3).init_from(tmp_path)
    assert {"heads.0.verbs.weight", "heads.0.objects.bias"} <= set(taken.fresh)
