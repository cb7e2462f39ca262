"""One classifier begins where another of several heads ended."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gad_lightning.backbones.tiny import TinyBackbone
from gad_lightning.classifiers.discriminative import DiscriminativeClassifier
from gad_lightning.errors import CheckpointError
from gad_lightning.schema import DataSchema, FeatureSpec, LabelSet, Task
from tests.classifiers.making import WIDTH, make


def test_init_from_finds_heads_that_stand_in_another_order(tmp_path: Path) -> None:
    def of(*sets: tuple[str, ...]) -> DataSchema:
        tasks = tuple(Task(f"task {names[0]}", LabelSet(names)) for names in sets)
        return DataSchema(tasks, (), FeatureSpec("test", 4.0, WIDTH))

    actions, tools = ("cut", "stir", "pour"), ("knife", "spoon", "jug")
    old = make(DiscriminativeClassifier, schema=of(actions, tools))
    old.save_pretrained(tmp_path)
    new = make(DiscriminativeClassifier, schema=of(tools, actions), seed=3)
    assert not new.init_from(tmp_path).fresh
    for mine, theirs in ((0, 1), (1, 0)):
        assert torch.equal(new.heads[mine].project.weight, old.heads[theirs].project.weight)


def test_what_cannot_begin_from_another_backbone_stays_as_it_was(tmp_path: Path) -> None:
    def of(rank: int, seed: int) -> DiscriminativeClassifier:
        return make(DiscriminativeClassifier, backbone=TinyBackbone(32, 1, lora={"r": rank}), seed=seed)

    of(2, 0).save_pretrained(tmp_path)
    new = of(4, 3)
    before = {name: weight.clone() for name, weight in new.trained_state().items()}
    with pytest.raises(CheckpointError, match=r"lacks \d+ weights of this backbone or has them in another shape"):
        new.init_from(tmp_path, other_settings=True)
    after = new.trained_state()
    assert [name for name, weight in before.items() if not torch.equal(after[name], weight)] == []
