"""A classifier whose classes are texts trains, is saved, streams and takes over rows like any other."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.base import Classifier
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.classifiers.gad import GADClassifier
from gad_lightning.heads.text import TextHead
from gad_lightning.schema import Mode
from gad_lightning.streaming.detector import OnlineDetector
from tests.classifiers.making import batch, make, random_frames, schema

FROZEN = partial(TextHead, mode="frozen")


def test_training_leaves_the_vectors_of_the_texts_as_they_are() -> None:
    classifier = make(GADClassifier, head=FROZEN)
    before = {name: weight.detach().clone() for name, weight in classifier.trained_state().items()}
    asked = batch(random_frames(2, 4), [[1, 3], [2]], torch.tensor([1, 0, 3]))
    optimizer = torch.optim.AdamW([weight for weight in classifier.parameters() if weight.requires_grad], lr=0.01)
    torch.stack([loss.sum for loss in classifier.losses(asked).values()]).sum().backward()
    optimizer.step()
    moved = {name for name, weight in classifier.trained_state().items() if not torch.equal(weight, before[name])}
    own = {name for name in before if name.startswith("heads.")}
    assert own - moved == {"heads.0.fixed", "heads.0.center"}


@pytest.mark.parametrize("mode", ["frozen", "init", "free"])
def test_it_is_saved_and_loaded(mode: str, tmp_path: Path) -> None:
    classifier = make(DiscriminativeClassifier, head=partial(TextHead, mode=mode)).eval()
    again = Classifier.from_pretrained(classifier.save_pretrained(tmp_path))
    frames = random_frames(2, 4)
    assert torch.equal(again(frames), classifier(frames))


@pytest.mark.parametrize("mode", ["window", "one_pass"])
def test_live_scores_are_the_offline_ones(mode: Mode) -> None:
    windows = schema(mode=mode, short=3, chunk=4)
    classifier = make(DiscriminativeClassifier, head=FROZEN, schema=windows).eval()
    frames = random_frames(1, 7)
    live = OnlineDetector(classifier)
    scores = torch.cat([live.push(frame).scores for frame in frames[0]])
    assert torch.allclose(scores, classifier.detect(frames[0]).scores, atol=1e-5)


def test_another_classifier_begins_from_its_projection_and_keeps_its_own_texts(tmp_path: Path) -> None:
    lora = {"r": 2}
    first = make(DiscriminativeClassifier, head=FROZEN, backbone=TinyBackbone(hidden_size=32, lora=lora))
    head = first.heads[0]
    assert isinstance(head, TextHead)
    torch.nn.init.normal_(head.projection.weight)
    torch.nn.init.normal_(head.fixed)
    folder = first.save_pretrained(tmp_path)
    second = make(DiscriminativeClassifier, 1, head=FROZEN, backbone=TinyBackbone(hidden_size=32, lora=lora))
    taken = second.heads[0]
    assert isinstance(taken, TextHead)
    before = taken.fixed.detach().clone()
    second.init_from(folder)
    assert torch.equal(taken.projection.weight, head.projection.weight)
    assert torch.equal(taken.fixed, before)
